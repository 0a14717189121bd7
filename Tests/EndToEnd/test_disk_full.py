"""A full disk below the spool directory or the database: an error document, and nothing acknowledged is lost."""

import os
import pathlib
import subprocess

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
BYTES = 4 << 20


@pytest.fixture
def small_disk(stacks):
    directory = stacks.directory("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={BYTES}", "tmpfs", directory], check=True, timeout=10)
    stacks.exits.callback(subprocess.run, ["umount", "--lazy", directory], check=True, timeout=10)
    return pathlib.Path(directory)


def test_a_full_spool_directory(stacks, small_disk, payload):
    spool = small_disk / "spool"
    spool.mkdir()
    stack = stacks.files(spool_directory=spool)
    stack.start()
    bucket = stack.new_bucket("alice")
    raw = stack.raw("alice")
    kept = payload(1_000_000)
    assert raw.request("PUT", f"/{bucket}/kept", kept).status == 200
    for _ in range(3):
        answer = raw.request("PUT", f"/{bucket}/too-big", payload(6 << 20))
        assert answer.status in (500, 503, 507), answer.status
        assert answer.code in ("InternalError", "ServiceUnavailable", "SlowDown"), answer.body
    assert raw.request("HEAD", f"/{bucket}/too-big").status == 404
    assert raw.request("GET", f"/{bucket}/kept").body == kept
    assert raw.request("PUT", f"/{bucket}/again", payload(1_000_000)).status == 200, "the space is free again"


@pytest.mark.timeout(180)
def test_a_full_disk_below_the_database(stacks, small_disk, payload):
    stack = stacks.files(database=small_disk / "s3gw.db")
    stack.start()
    bucket = stack.new_bucket("alice")
    raw, acknowledged = stack.raw("alice"), {}
    (small_disk / "ballast").write_bytes(b"\0" * (1 << 20))
    refused = None
    for number in range(20_000):
        body = payload(10)
        answer = raw.request(
            "PUT", f"/{bucket}/{number:06d}-" + "k" * 900, body, headers=[("x-amz-meta-filler", "v" * 1900)]
        )
        if answer.status != 200:
            refused = answer
            break
        acknowledged[number] = body
    assert refused is not None and refused.status in (500, 503, 507), refused
    assert refused.code in ("InternalError", "ServiceUnavailable", "SlowDown")
    assert len(acknowledged) > 10
    for number, body in acknowledged.items():
        assert raw.request("GET", f"/{bucket}/{number:06d}-" + "k" * 900).body == body
    (small_disk / "ballast").unlink()
    assert raw.request("PUT", f"/{bucket}/after", b"room again").status == 200
    assert raw.request("GET", f"/{bucket}/after").body == b"room again"
    listed = sum(
        page["KeyCount"] for page in stack.boto3("alice").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    )
    assert listed == len(acknowledged) + 1


def test_a_full_backend_is_replaced_by_another_or_refused(stacks, small_disk, payload):
    stack = stacks.bare()
    stack.add_file_backend("small", "FI", directory=small_disk / "objects")
    stack.add_file_backend("large", "DE")
    stack.create_tenant("alice", {"replicas": {"count": 1, "order": ["fi-small-1", "de-large-1"]}})
    stack.create_tenant("bob", {"residency": {"allow": ["country:FI"]}})
    stack.start()
    # Made first: a backend that was full is not written to for a while.
    buckets = {tenant: stack.new_bucket(tenant) for tenant in ("alice", "bob")}
    for tenant, statuses in (("alice", (200,)), ("bob", (503, 507))):
        bucket = buckets[tenant]
        body = payload(6 << 20)
        answer = stack.raw(tenant).request("PUT", f"/{bucket}/big", body)
        assert answer.status in statuses, (tenant, answer.status, answer.body)
        if answer.status == 200:
            assert stack.raw(tenant).request("GET", f"/{bucket}/big").body == body
            assert [path for path in stack.stored("large") if "big" in path]
        else:
            assert stack.raw(tenant).request("HEAD", f"/{bucket}/big").status == 404
    assert sum(stack.stored("small").values()) < 1 << 20, "what did not fit is gone again"
