"""Buckets without a row, stores that list in the wrong order, and adopted buckets, in which most is not ours."""

import os
import pathlib
import shutil

import pytest

from support.comparing import change, findings, reconcile
from support.liar import Liar
from support.rclone import Rclone
from support.recovery import settle, worker

TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 1, "order": ["fi-fi-1", "de-de-1"]}}
COUNT = 5


def started(stack):
    stack.set_policy(TWO, "--tenant", "alice")
    stack.start()
    stack.bucket = stack.new_bucket("alice")
    for number in range(COUNT):
        stack.raw("alice").request("PUT", f"/{stack.bucket}/key-{number}", b"content %d" % number)
    settle(stack)
    return stack


@pytest.fixture(params=["file", "radosgw"])
def stack(request, stacks):
    kind = request.param
    settings = {"reconcile_grace": "0s"}
    made = stacks.files(**settings) if kind == "file" else stacks.over(request.getfixturevalue("radosgw"), **settings)
    made.kind = kind
    return started(made)


def physical_bucket(stack, backend):
    rows = stack.query(
        "SELECT m.physical_name FROM mappings m JOIN backends b ON b.id = m.backend_id JOIN buckets u ON u.id = m.bucket_id"
        " WHERE u.name = ? AND b.name = ?",
        stack.bucket.encode(),
        backend,
    )
    return rows[0][0]


def make_bucket(stack, backend, name):
    """A bucket with one object in it, behind the gateway's back."""
    store = stack.backends[backend]
    if isinstance(store, pathlib.Path):
        (store / name).mkdir()
        (store / name / "thing%data").write_bytes(b"not ours")
    else:
        store.client().create_bucket(Bucket=name)
        store.client().put_object(Bucket=name, Key="thing", Body=b"not ours")


def has_bucket(stack, backend, name):
    store = stack.backends[backend]
    if isinstance(store, pathlib.Path):
        return (store / name).exists()
    return name in [each["Name"] for each in store.client().list_buckets()["Buckets"]]


def bucket_findings(stack, *names):
    """Findings about whole buckets: other tests' gateways have some in the same stores."""
    rows = stack.s3gw_json("reconcile", "findings")
    return sorted(
        (row["kind"], row["backend"], row["physicalBucket"])
        for row in rows
        if not row["physicalKey"] and row["physicalBucket"] in names
    )


def compare(stack):
    """Compares; in stores that other tests share there is always something."""
    result = worker(stack, "reconcile")
    assert result.returncode in (0, 1), result.stdout + result.stderr


@pytest.mark.timeout(200)
def test_a_bucket_whose_row_was_lost_is_taken_back(stack):
    name = physical_bucket(stack, "de")
    change(
        stack,
        "DELETE FROM replicas WHERE backend_id = (SELECT id FROM backends WHERE name = 'de')",
        "DELETE FROM mappings WHERE backend_id = (SELECT id FROM backends WHERE name = 'de')",
    )
    compare(stack)
    assert bucket_findings(stack, name) == [("bucket", "de", name)]
    assert not stack.query("SELECT 1 FROM mappings WHERE physical_name = ?", name), "once is not enough"
    compare(stack)
    assert stack.query("SELECT state FROM mappings WHERE physical_name = ?", name) == [("ready",)]
    for _ in range(2):
        compare(stack)
    settle(stack)
    compare(stack)
    assert bucket_findings(stack, name) == []
    for number in range(COUNT):
        shown = stack.s3gw_json("object", "show", stack.bucket, f"key-{number}", "--tenant", "alice")
        replicas = shown["versions"][0]["replicas"]
        assert sorted((each["backend"], each["state"]) for each in replicas) == [("de", "present"), ("fi", "present")]
        assert {each["physicalBucket"] for each in replicas} == {name, physical_bucket(stack, "fi")}


@pytest.mark.timeout(200)
def test_a_bucket_that_is_only_named_like_ours_is_told_and_left(stack):
    strange = "s3gw-" + "abcdefghijklmnopqrstuvwxyz"[::-1] + "-fi"
    elsewhere = "s3gw-" + "a" * 26 + "-another"
    for name in (strange, elsewhere):
        if not has_bucket(stack, "fi", name):
            make_bucket(stack, "fi", name)
    for _ in range(4):
        compare(stack)
        settle(stack)
        assert bucket_findings(stack, strange, elsewhere) == [("foreign", "fi", strange)]
    assert has_bucket(stack, "fi", strange) and has_bucket(stack, "fi", elsewhere)
    log = [line for line in worker(stack, "reconcile").stderr.splitlines() if strange in line]
    assert log == [], "it was told once"


@pytest.mark.timeout(200)
@pytest.mark.parametrize("is_row_lost", [False, True])
def test_a_removed_bucket_that_is_there_again_goes_after_the_grace(stacks, is_row_lost):
    stack = started(stacks.files(reconcile_grace="24h"))
    name = physical_bucket(stack, "fi")
    kept = stack.directory / "kept"
    shutil.copytree(stack.backends["fi"] / name, kept)
    s3 = stack.boto3("alice")
    for number in range(COUNT):
        s3.delete_object(Bucket=stack.bucket, Key=f"key-{number}")
    s3.delete_bucket(Bucket=stack.bucket)
    settle(stack)
    place = stack.backends["fi"] / name
    assert not place.exists()
    shutil.move(kept, place)
    if is_row_lost:
        change(stack, "DELETE FROM mappings")
    for _ in range(3):
        reconcile(stack, True)
        settle(stack)
        assert findings(stack) == [("bucket", "fi")] and len(list(place.rglob("*%data"))) == COUNT
    stack.settings["reconcile-grace"] = "0s"
    stack.write_configuration()
    reconcile(stack, True)
    settle(stack)
    assert not place.exists()
    reconcile(stack, finds=False)


@pytest.fixture
def rclone(stacks):
    store = Rclone("old", stacks.directory("rclone") / "old")
    stacks.exits.callback(store.stop)
    return store


@pytest.mark.timeout(200)
def test_a_store_that_lists_in_another_order_is_told_and_nothing_is_done(stacks, rclone):
    liar = Liar(rclone)
    stacks.exits.callback(liar.stop)
    stack = stacks.bare(reconcile_grace="0s")
    stack.add_s3_backend("fi", liar, "FI")
    stack.add_file_backend("de", "DE")
    stack.create_tenant("alice", TWO)
    started(stack)
    change(
        stack,
        "DELETE FROM replicas WHERE version_sequence IN (SELECT sequence FROM versions WHERE key = CAST('key-3' AS BLOB))",
        "DELETE FROM objects WHERE key = CAST('key-3' AS BLOB)",
        "DELETE FROM versions WHERE key = CAST('key-3' AS BLOB)",
    )
    before = sorted(rclone.directory.rglob("*"))
    liar.lies = True
    for _ in range(3):
        reconcile(stack, True, "--backend", "fi")
        assert set(findings(stack)) == {("unordered", "fi")}
        assert stack.s3gw_json("jobs", "list") == []
    assert liar.lied and sorted(rclone.directory.rglob("*")) == before
    liar.lies = False
    reconcile(stack, True, "--backend", "fi")
    assert findings(stack) == [("orphaned", "fi")], "the other finding is gone with its cause"
    reconcile(stack, True, "--backend", "fi")
    settle(stack)
    assert not [path for path in rclone.directory.rglob("key-3~*") if path.is_file()]


@pytest.mark.timeout(300)
def test_in_an_adopted_bucket_only_what_was_adopted_or_written_by_us_is_ours(stacks, radosgw):
    region = radosgw["r3"]
    client, bucket = region.client(), "adopted-and-compared"
    client.create_bucket(Bucket=bucket)
    bodies = {f"old-{number}": os.urandom(1000) for number in range(6)}
    for key, body in bodies.items():
        client.put_object(Bucket=bucket, Key=key, Body=body)
    stack = stacks.bare(reconcile_grace="0s")
    stack.add_s3_backend("fi", region, "FI")
    stack.add_file_backend("de", "DE")
    stack.create_tenant("alice", {"replicas": {"count": 2, "acknowledge": 1, "order": ["fi-fi-1", "de-de-1"]}})
    stack.start()
    stack.s3gw("import", "--backend", "fi", "--bucket", bucket, "--tenant", "alice", "--as", "mine")
    mine = stack.boto3("alice")
    mine.put_object(Bucket="mine", Key="new", Body=b"new")
    settle(stack)

    def told():
        rows = stack.s3gw_json("reconcile", "findings", "--backend", "fi")
        return sorted((row["kind"], row["physicalKey"]) for row in rows if row["physicalBucket"] == bucket)

    for _ in range(3):
        compare(stack)
        settle(stack)
        assert told() == [], "what was adopted is neither foreign nor an orphan"
    # What others do there, also with keys and uploads that look like ours.
    client.put_object(Bucket=bucket, Key="stranger", Body=b"theirs")
    upload = client.create_multipart_upload(Bucket=bucket, Key="theirs~01ARZ3NDEKTSV4RRFFQ69G5FAV")["UploadId"]
    for _ in range(3):
        compare(stack)
        settle(stack)
        assert told() == [("foreign", "stranger"), ("upload", "theirs~01ARZ3NDEKTSV4RRFFQ69G5FAV")]
    assert [each["UploadId"] for each in client.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    assert client.get_object(Bucket=bucket, Key="stranger")["Body"].read() == b"theirs"

    # Originals that are missing, cut or wrong are replaced by copies beside them.
    client.delete_object(Bucket=bucket, Key="old-1")
    client.put_object(Bucket=bucket, Key="old-2", Body=b"cut")
    client.put_object(Bucket=bucket, Key="old-3", Body=os.urandom(1000))
    compare(stack)
    assert {("missing", "old-1"), ("size", "old-2")} <= set(told())
    assert worker(stack, "scrub", "--backend", "fi").returncode == 1
    settle(stack)
    replaced = {"old-1", "old-2", "old-3"}
    kept = {each["Key"].split("~")[0] for each in client.list_objects_v2(Bucket=bucket)["Contents"] if "~" in each["Key"]}
    assert kept - {"new"} == replaced
    for key, body in bodies.items():
        assert mine.get_object(Bucket="mine", Key=key)["Body"].read() == body
    # Only what a client deletes through us goes.
    mine.delete_object(Bucket="mine", Key="old-0")
    settle(stack)
    compare(stack)
    left = {each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"] if "~" not in each["Key"]}
    assert left == set(bodies) - replaced - {"old-0"} | {"stranger"}


def test_the_records_bucket_of_a_former_master_key_is_still_known(stacks):
    stack = started(stacks.files(reconcile_grace="0s"))
    keys = stack.directory / "master.key"
    former = keys.read_text()
    keys.chmod(0o600)
    keys.write_text("next:" + "5a" * 32 + "\n" + former)
    stack.raw("alice").request("PUT", f"/{stack.bucket}/later", b"later")
    settle(stack)
    assert len([name for name in os.listdir(stack.backends["fi"]) if name.startswith("s3gr-")]) == 2
    reconcile(stack, False)
    assert findings(stack) == []
