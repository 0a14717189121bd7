"""An adopted object of parts has no part boundaries and no MD5: it is copied in ranges, and its checksum is found out."""

import os

import pytest

from support.checksums import checksum
from support.processes import wait_until
from support.rclone import Rclone
from support.slowness import SlowProxy

TWO = {"replicas": {"count": 2, "acknowledge": 1}}
MIB = 1 << 20
PARTS = [30 * MIB, 21 * MIB + 7, 29 * MIB]  # no whole number of the ranges of a copy


def put_in_parts(client, bucket, key, sizes):
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    bodies = [os.urandom(size) for size in sizes]
    made = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in enumerate(bodies, 1)
    ]
    client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": made})
    return b"".join(bodies)


@pytest.fixture
def world(stacks):
    directory = stacks.directory("stores")
    store = Rclone("new", directory / "new")
    target = SlowProxy(store.port, 24 * MIB)
    for close in (store.stop, target.close):
        stacks.exits.callback(close)
    stack = stacks.bare(lease_seconds=5, worker_concurrency=2)
    stack.directory_of_copies = store.directory
    stack.add_s3_backend("new", store.at(f"http://127.0.0.1:{target.port}"), "DE")
    stack.create_tenant("alice", TWO)
    return stack


def adopt(stack, region, bucket):
    stack.add_s3_backend("old", region, "FI")
    stack.start()
    stack.s3gw("import", "--backend", "old", "--bucket", bucket, "--tenant", "alice", "--as", "mine")


def copies(stack):
    return [path for path in stack.directory_of_copies.rglob("large~*") if path.is_file()]


def copied_ranges(stack):
    return stack.query("SELECT COUNT(*) FROM copy_parts")[0][0]


def states(stack):
    return sorted(row[0] for row in stack.query("SELECT state FROM replicas"))


@pytest.mark.timeout(240)
def test_it_is_copied_in_ranges_that_go_on_after_kill_9(world, radosgw):
    client = radosgw["r1"].client()
    client.create_bucket(Bucket="adopted-large")
    body = put_in_parts(client, "adopted-large", "large", PARTS)
    small = put_in_parts(client, "adopted-large", "small", [5 * MIB, 10])
    eTag = client.head_object(Bucket="adopted-large", Key="large")["ETag"]
    adopt(world, radosgw["r1"], "adopted-large")
    mine = world.boto3("alice")
    assert "ChecksumCRC64NVME" not in mine.head_object(Bucket="mine", Key="large", ChecksumMode="ENABLED")
    worker = world.start_worker()
    wait_until(lambda: copied_ranges(world) >= 2, "two ranges are there", 60)
    worker.kill()
    assert copied_ranges(world) < 6 and not copies(world), "the copy was cut short, and nobody may see half of it"
    world.start_worker()
    wait_until(lambda: states(world) == ["present"] * 4, "both copies are whole", 120)
    wait_until(lambda: world.s3gw_json("jobs", "list") == [], "no job is left")
    (copy,) = copies(world)
    assert copy.read_bytes() == body and copied_ranges(world) == 0
    # The gateway computes the same one while the whole body passes.
    assert world.raw("alice").request("PUT", "/mine/again", body).status == 200
    expected = mine.head_object(Bucket="mine", Key="again", ChecksumMode="ENABLED")["ChecksumCRC64NVME"]
    for key, value in (("large", expected), ("small", checksum("crc64nvme", small))):
        found = mine.head_object(Bucket="mine", Key=key, ChecksumMode="ENABLED")
        assert found["ChecksumCRC64NVME"] == value, "its checksum was found out on the way"
        assert found["ChecksumType"] == "FULL_OBJECT"
    mine.delete_object(Bucket="mine", Key="again")
    assert mine.head_object(Bucket="mine", Key="large")["ETag"] == eTag
    listed = {each["Key"]: each for each in mine.list_objects_v2(Bucket="mine")["Contents"]}
    assert listed["large"]["ChecksumAlgorithm"] == ["CRC64NVME"]
    world.s3gw("backend", "set-state", "old", "offline")
    assert mine.get_object(Bucket="mine", Key="large")["Body"].read() == body
    # The ledger tells of the original as of the copy.
    summary = world.s3gw_json("attest", "mine", "--tenant", "alice")["attestation"]["summary"]
    assert summary["violations"] == 0 and summary["placesNow"] >= 4, summary


@pytest.mark.timeout(200)
def test_another_object_in_the_place_of_the_adopted_one_is_not_copied(world, radosgw):
    client = radosgw["r1"].client()
    client.create_bucket(Bucket="adopted-replaced")
    put_in_parts(client, "adopted-replaced", "large", [65 * MIB])
    adopt(world, radosgw["r1"], "adopted-replaced")
    put_in_parts(client, "adopted-replaced", "large", [65 * MIB])
    world.run_worker_once()
    assert not copies(world) and copied_ranges(world) == 0
    (job,) = [each for each in world.s3gw_json("jobs", "list", "--state", "dead") if each["kind"] == "verify"]
    assert "not that of the object that was adopted" in job["lastError"]
    assert "present" not in states(world) and "damaged" in states(world)
