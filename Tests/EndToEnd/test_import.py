"""An existing bucket is adopted in place: by page, while clients write, through kill -9, and nothing of it is lost."""

import hashlib
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from support import paths
from support.multipart import PART
from support.processes import wait_until
from support.rclone import Rclone
from support.tcpproxy import TCPProxy

TWO = {"replicas": {"count": 2, "acknowledge": 1}}


@pytest.fixture
def rclone(stacks):
    store = Rclone("old", stacks.directory("rclone") / "old")
    stacks.exits.callback(store.stop)
    return store


def fill(client, bucket, count, size=100):
    """Puts `count` small objects; returns {key: body}."""
    client.create_bucket(Bucket=bucket)
    contents = {f"dir/{number:05} ä+%": os.urandom(size) for number in range(count)}
    for key, body in contents.items():
        client.put_object(Bucket=bucket, Key=key, Body=body)
    return contents


def gateway(stacks, *stores, policy=TWO):
    """A running gateway with the stores as backends, a file backend new in Germany, and the tenant alice."""
    stack = stacks.bare(processes=1)
    for store in stores:
        stack.add_s3_backend(store.name, store, "FI")
    stack.add_file_backend("new", "DE")
    stack.create_tenant("alice", policy)
    return stack.start()


def imported(stack, *words, code=0):
    result = stack.cli("import", "--json", *words)
    assert result.returncode == code, result.stdout + result.stderr
    return json.loads(result.stdout) if result.stdout else result.stderr


def read(stack, bucket, key):
    return stack.boto3("alice").get_object(Bucket=bucket, Key=key)["Body"].read()


@pytest.mark.timeout(300)
def test_everything_a_client_sees_is_as_before_and_the_worker_makes_the_missing_replicas(stacks, radosgw):
    store = radosgw["r1"]
    client = store.client()
    contents = fill(client, "adopted-one", 30)
    headers = dict(
        ContentType="text/plain; charset=utf-8", CacheControl="max-age=5", ContentDisposition="inline",
        Metadata={"colour": "blue", "with-dash": "a b"},
    )  # fmt: skip
    client.put_object(Bucket="adopted-one", Key="described", Body=b"hello", **headers)
    client.put_object(Bucket="adopted-one", Key="empty", Body=b"", Tagging="project=a%26b&empty=")
    parts = [os.urandom(PART), os.urandom(1000)]
    upload = client.create_multipart_upload(Bucket="adopted-one", Key="in-parts")["UploadId"]
    numbered = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(
                Bucket="adopted-one", Key="in-parts", UploadId=upload, PartNumber=number, Body=part
            )["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    client.complete_multipart_upload(
        Bucket="adopted-one", Key="in-parts", UploadId=upload, MultipartUpload={"Parts": numbered}
    )
    before = {entry["Key"]: entry for entry in client.list_objects_v2(Bucket="adopted-one")["Contents"]}

    stack = gateway(stacks, store)
    answer = imported(stack, "--backend", "r1", "--bucket", "adopted-one", "--tenant", "alice", "--as", "mine")
    assert answer["adopted"] == len(before) and answer["leftAlone"] == 0
    assert answer["adoptedBytes"] == sum(entry["Size"] for entry in before.values())
    mine = stack.boto3("alice")
    after = {entry["Key"]: entry for entry in mine.list_objects_v2(Bucket="mine")["Contents"]}
    assert {key: (entry["Size"], entry["ETag"], entry["LastModified"]) for key, entry in after.items()} == {
        key: (entry["Size"], entry["ETag"], entry["LastModified"].replace(microsecond=0))
        for key, entry in before.items()
    }
    contents |= {"described": b"hello", "empty": b"", "in-parts": b"".join(parts)}
    for key, body in contents.items():
        assert read(stack, "mine", key) == body
    head = mine.head_object(Bucket="mine", Key="described")
    assert {name: head[name] for name in headers} == headers
    tags = client.get_object_tagging(Bucket="adopted-one", Key="empty")["TagSet"]
    assert len(tags) == 2 and mine.get_object_tagging(Bucket="mine", Key="empty")["TagSet"] == tags
    assert mine.get_object_tagging(Bucket="mine", Key="described")["TagSet"] == []
    assert imported(
        stack, "--backend", "r1", "--bucket", "adopted-one", "--tenant", "alice", "--as", "mine", "--verify-only"
    ) == {"compared": len(before), "differences": 0, "notHashed": 1, "list": []}

    stack.worker_once()
    copies = [path for path in stack.stored("new") if path.endswith("%data")]
    assert len(copies) == len(before), "policy wants a second replica of everything"
    stack.s3gw("backend", "set-state", "r1", "offline")
    for key, body in contents.items():
        assert read(stack, "mine", key) == body
    stack.s3gw("backend", "set-state", "r1", "active")

    mine.delete_object(Bucket="mine", Key="described")
    stack.worker_once()
    left = {entry["Key"] for entry in client.list_objects_v2(Bucket="adopted-one")["Contents"]}
    assert left == set(before) - {"described"}, "the original goes with its version, and nothing else does"


@pytest.mark.timeout(200)
def test_an_adopted_bucket_is_never_removed_with_what_others_put_there(stacks, rclone):
    client = rclone.client()
    contents = fill(client, "shared", 3)
    stack = gateway(stacks, rclone)
    imported(stack, "--backend", "old", "--bucket", "shared", "--tenant", "alice", "--as", "mine")
    client.put_object(Bucket="shared", Key="by somebody else", Body=b"keep")
    mine = stack.boto3("alice")
    for key in contents:
        mine.delete_object(Bucket="mine", Key=key)
    mine.delete_bucket(Bucket="mine")
    wait_until(stack.worker_once, "the bucket's removal has nothing left to wait for")
    left = client.list_objects_v2(Bucket="shared")["Contents"]
    assert [entry["Key"] for entry in left] == ["by somebody else"]


@pytest.mark.timeout(300)
def test_a_killed_import_goes_on_and_what_clients_write_or_delete_meanwhile_wins(stacks, rclone):
    client = rclone.client()
    contents = fill(client, "large", 2500)
    stack = gateway(stacks, rclone, policy={"replicas": {"count": 1}})
    words = ["--backend", "old", "--bucket", "large", "--tenant", "alice", "--as", "mine"]
    process = subprocess.Popen(
        [paths.BINARIES / "s3gw", "import", *words], env=stack.environment, cwd=stack.directory,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: stack.query("SELECT id FROM imports WHERE adopted > 0"), "a page is done", 60)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    state, adopted = stack.query("SELECT state, adopted FROM imports")[0]
    assert state == "running" and 0 < adopted < 2500, "the import was killed in the middle"

    mine = stack.boto3("alice", request_checksum_calculation="when_required")
    keys = sorted(contents)
    early, late = keys[10], keys[-10]  # one that was imported before the kill, one that comes after it
    mine.put_object(Bucket="mine", Key=late, Body=b"written by a client")
    mine.put_object(Bucket="mine", Key=keys[-20], Body=b"written, then deleted")
    mine.delete_object(Bucket="mine", Key=keys[-20])
    mine.delete_object(Bucket="mine", Key=early)
    stop, written = threading.Event(), {}

    def write():
        number = 0
        while not stop.is_set():
            key = keys[-30 - number % 500]
            body = f"client {number}".encode()
            mine.put_object(Bucket="mine", Key=key, Body=body)
            written[key] = body
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        imported(stack, *words)
    finally:
        stop.set()
        writer.join()
    assert written
    expected = contents | written | {late: b"written by a client"}
    del expected[early], expected[keys[-20]]
    listed = [
        entry["Key"]
        for page in mine.get_paginator("list_objects_v2").paginate(Bucket="mine")
        for entry in page["Contents"]
    ]
    assert listed == sorted(expected)
    for key in [late, *list(written)[:50], *keys[::100]]:
        if key in expected:
            assert read(stack, "mine", key) == expected[key], key
    # Once more: nothing comes back to life.
    stack.worker_once()
    imported(stack, *words)
    assert sum(
        len(page["Contents"]) for page in mine.get_paginator("list_objects_v2").paginate(Bucket="mine")
    ) == len(expected)


@pytest.mark.timeout(200)
def test_policy_decides_whether_a_bucket_may_be_adopted(stacks, rclone):
    contents = fill(rclone.client(), "elsewhere", 5)
    stack = gateway(stacks, rclone, policy={"residency": {"allow": ["country:DE"]}})
    words = ["--backend", "old", "--bucket", "elsewhere", "--tenant", "alice", "--as", "mine"]
    refusal = stack.cli("import", *words)
    assert refusal.returncode == 1 and "tenant.residency.allow" in refusal.stderr
    assert stack.query("SELECT COUNT(*) FROM versions")[0][0] == 0
    assert stack.s3gw_json("bucket", "list") == [], "a refusal leaves no bucket behind"
    imported(stack, *words, "--move", "--read")
    stack.worker_once()
    assert not rclone.client().list_objects_v2(Bucket="elsewhere").get("Contents"), "the worker moved them away"
    for key, body in contents.items():
        assert read(stack, "mine", key) == body
    checksums = stack.query("SELECT DISTINCT checksum_algorithm FROM versions")
    assert checksums == [("CRC64NVME",)]


@pytest.mark.timeout(200)
def test_a_refused_import_leaves_no_bucket_behind(stacks, rclone):
    fill(rclone.client(), "elsewhere", 1)
    stack = gateway(stacks, rclone)
    absent = stack.cli("import", "--backend", "old", "--bucket", "absent", "--tenant", "alice")
    assert absent.returncode == 1 and "old has no bucket absent" in absent.stderr
    compared = stack.cli("import", "--backend", "old", "--bucket", "elsewhere", "--verify-only", "--against", "new/no")
    assert compared.returncode == 1 and "new has no bucket no" in compared.stderr
    imported(stack, "--backend", "old", "--bucket", "elsewhere", "--tenant", "alice", "--as", "mine")
    taken = stack.cli("import", "--backend", "old", "--bucket", "elsewhere", "--tenant", "alice", "--as", "other")
    assert taken.returncode == 1 and "belongs" in taken.stderr
    stack.worker_once()
    (records,) = [name for name in os.listdir(stack.backends["new"]) if name.startswith("s3gr-")]
    own = stack.cli("import", "--backend", "new", "--bucket", records, "--tenant", "alice", "--as", "records")
    assert own.returncode == 1 and "gateway's own" in own.stderr, "records tell of all tenants' objects"
    assert [row["name"] for row in stack.s3gw_json("bucket", "list")] == ["mine"]


@pytest.mark.timeout(200)
def test_verify_only_tells_every_kind_of_difference_and_changes_nothing(stacks, rclone):
    client = rclone.client()
    fill(client, "left", 5)
    client.create_bucket(Bucket="right")
    for key, body in {"same": b"1234", "content": b"left", "size": b"12", "missing": b"x"}.items():
        client.put_object(Bucket="left", Key=key, Body=body)
    for key, body in {"same": b"1234", "content": b"righ", "size": b"123", "extra": b"y"}.items():
        client.put_object(Bucket="right", Key=key, Body=body)
    stack = gateway(stacks, rclone)
    before = stack.query("SELECT COUNT(*) FROM buckets")
    answer = imported(
        stack, "--backend", "old", "--bucket", "left", "--verify-only", "--against", "old/right", code=1
    )
    found = {(row["difference"], row["key"]) for row in answer["list"] if not row["key"].startswith("dir/")}
    assert found == {("missing", "missing"), ("extra", "extra"), ("size", "size"), ("content", "content")}
    assert answer["differences"] == 4 + 5 and answer["compared"] == 3
    assert stack.query("SELECT COUNT(*) FROM buckets") == before
    assert stack.query("SELECT COUNT(*) FROM imports") == [(0,)]


@pytest.mark.timeout(120)
def test_a_tag_that_asks_for_replicas_counts_and_one_that_cannot_be_read_stops_the_import(stacks, radosgw, rclone):
    client = radosgw["r2"].client()
    for bucket in ("tagged-two", "tagged-three"):
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="marked ä", Body=b"1", Tagging="replica-count=many")
        client.put_object(Bucket=bucket, Key="plain", Body=b"2")
    stack = gateway(stacks, rclone, radosgw["r2"], policy={"replicas": {"order": ["fi-r2-1"]}})
    mine = stack.boto3("alice")
    words = ["--backend", "r2", "--tenant", "alice", "--bucket"]
    told = stack.cli("import", *words, "tagged-two")
    assert told.returncode == 1 and '"marked ä"' in told.stderr and "--tags none" in told.stderr, told.stderr
    assert imported(stack, *words, "tagged-three", "--tags", "none")["adopted"] == 2
    assert mine.get_object_tagging(Bucket="tagged-three", Key="marked ä")["TagSet"] == []
    tags = {"TagSet": [{"Key": "replica-count", "Value": "2"}]}
    client.put_object_tagging(Bucket="tagged-two", Key="marked ä", Tagging=tags)
    assert imported(stack, *words, "tagged-two")["adopted"] == 2
    assert mine.get_object_tagging(Bucket="tagged-two", Key="marked ä")["TagSet"] == tags["TagSet"]
    stack.worker_once()
    (copy,) = [path for path in stack.stored("new") if path.endswith("%data")]
    assert "marked" in copy
    # rclone knows no tags: it sends the object.
    fill(rclone.client(), "no-tags", 1)
    words = ["--backend", "old", "--tenant", "alice", "--bucket", "no-tags"]
    told = stack.cli("import", *words, "--tags", "all")
    assert told.returncode == 1 and "--tags none" in told.stderr, told.stderr
    assert imported(stack, *words)["adopted"] == 1
    assert stack.cli("import", *words, "--verify-only", "--tags", "all").returncode == 2


@pytest.mark.timeout(120)
def test_a_store_that_answers_404_for_no_tags(stacks, rclone):
    contents = fill(rclone.client(), "untagged", 3)
    proxy = TCPProxy(("127.0.0.1", rclone.port))
    stacks.exits.callback(proxy.close)
    stack = gateway(stacks, rclone.at(proxy.endpoint), policy={"replicas": {"order": ["fi-old-1"]}})
    document = b"<Error><Code>NoSuchTagSet</Code><Message>none</Message></Error>"
    proxy.read_answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(document), document)
    words = ["--backend", "old", "--tenant", "alice", "--bucket", "untagged", "--tags", "all"]
    assert imported(stack, *words)["adopted"] == len(contents)


@pytest.mark.timeout(120)
def test_a_bucket_of_another_gateway_keeps_its_keys_and_headers(stacks, tmp_path):
    other = stacks.files()
    other.set_policy({"residency": {"allow": ["country:FI"]}}, "--tenant", "bob")
    other.start()
    bucket = other.new_bucket("bob")
    theirs = other.boto3("bob")
    described = dict(ContentType="text/x", Metadata={"m": "v"}, Tagging="%C3%A4%3D=1%3D&b=")
    theirs.put_object(Bucket=bucket, Key="a/ä", Body=b"content", **described)
    ((physical,),) = other.query("SELECT physical_name FROM mappings WHERE state = 'ready'")
    stack = stacks.bare(processes=1)
    stack.add_file_backend("fi", "FI", directory=other.backends["fi"])
    stack.create_tenant("alice")
    stack.start()
    imported(stack, "--backend", "fi", "--bucket", physical, "--tenant", "alice", "--as", "mine", "--read")
    got = stack.boto3("alice").get_object(Bucket="mine", Key="a/ä")
    assert got["Body"].read() == b"content" and got["ContentType"] == "text/x" and got["Metadata"] == {"m": "v"}
    assert stack.boto3("alice").get_object_tagging(Bucket="mine", Key="a/ä")["TagSet"] == [
        {"Key": "ä=", "Value": "1="},
        {"Key": "b", "Value": ""},
    ]
    assert got["ETag"].strip('"') == hashlib.md5(b"content").hexdigest()
    assert time.time() - got["LastModified"].timestamp() < 3600
