"""The database is lost after a bucket was adopted: its objects do not describe themselves, and are found all the same."""

import json
import os
import signal
import subprocess

import pytest

from support import paths
from support.multipart import PART
from support.processes import wait_until
from support.rclone import Rclone
from support.recovery import differences, dump, lose_database, rebuild, settle

ONE = {"replicas": {"count": 1}}
TWO = {"replicas": {"count": 2, "acknowledge": 1}}
AWKWARD = ["a/b~c", "%2F+ &=?", "snow ☃ man", "dir/", "x~01ARZ3NDEKTSV4RRFFQ69G5FAV", "é", "z" * 900]


def originals(client, bucket):
    """Fills a bucket that no gateway knows; returns its keys."""
    client.create_bucket(Bucket=bucket)
    for key in [*AWKWARD, *(f"small-{number:03}" for number in range(20))]:
        client.put_object(Bucket=bucket, Key=key, Body=os.urandom(50))
    client.put_object(Bucket=bucket, Key="empty", Body=b"")
    client.put_object(
        Bucket=bucket, Key="described", Body=b"x", ContentType="text/plain; charset=utf-8", CacheControl="no-store",
        Metadata={"colour": "blue", "with-dash": "a b"},
    )  # fmt: skip
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(
                Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=os.urandom(size)
            )["ETag"],
        }
        for number, size in enumerate((PART, 1000), 1)
    ]
    client.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
    )  # fmt: skip
    return listed(client, bucket)


def listed(client, bucket):
    return {entry["Key"]: entry["ETag"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])}


def gateway(stacks, store, policy):
    stack = stacks.bare(processes=1)
    stack.add_s3_backend("old", store, "FI")
    stack.add_file_backend("new", "DE")
    stack.create_tenant("alice", policy)
    return stack.start()


def adopt(stack, bucket, code=0):
    words = ["--backend", "old", "--bucket", bucket, "--tenant", "alice", "--as", "mine"]
    result = stack.cli("import", "--json", *words)
    assert result.returncode == code, result.stdout + result.stderr
    return json.loads(result.stdout)


def lose_and_rebuild(stack, store):
    stack.stop()
    lose_database(stack)
    stack.add_s3_backend("old", store, "FI")
    said = rebuild(stack)
    stack.start()
    return said


@pytest.mark.timeout(300)
@pytest.mark.parametrize("policy", [ONE, TWO], ids=["before any replica", "after"])
def test_adopted_objects_are_found_again(stacks, radosgw, policy):
    store = radosgw["r1"]
    client, bucket = store.client(), f"adopted-{policy['replicas']['count']}"
    originals(client, bucket)
    stack = gateway(stacks, store, policy)
    assert adopt(stack, bucket)["isRecorded"] is True
    mine = stack.boto3("alice")
    mine.put_object(Bucket="mine", Key="small-001", Body=b"overwritten")
    mine.delete_object(Bucket="mine", Key="small-002")
    tags = {"TagSet": [{"Key": "since", "Value": "later"}]}
    mine.put_object_tagging(Bucket="mine", Key="small-003", Tagging=tags)
    mine.put_object(Bucket="mine", Key="new", Body=b"new", Tagging="a=b")
    settle(stack)
    client.put_object(Bucket=bucket, Key="stranger", Body=b"put there behind the gateway's back")
    before, there = dump(stack), listed(client, bucket)
    assert len([name for name in before if name[-1] == "get"]) > 25, "there is something to compare"
    copies = len(stack.stored("new"))
    assert (copies > 40) == (policy is TWO), "only in one of the two cases the originals have other replicas"

    assert "in no record" not in lose_and_rebuild(stack, store)
    assert differences(before, dump(stack)) == {}
    settle(stack)
    assert differences(before, dump(stack)) == {}, "the worker finds everything as it should be"
    assert listed(client, bucket) == there and len(stack.stored("new")) == copies, "nothing was moved or removed"
    assert stack.cli("attest", "mine", "--tenant", "alice").returncode == 0
    # What is deleted from now on goes, the originals too, and the stranger stays.
    mine = stack.boto3("alice")
    for key in listed(mine, "mine"):
        mine.delete_object(Bucket="mine", Key=key)
    settle(stack)
    assert set(listed(client, bucket)) == {"stranger"} and not stack.stored("new")


@pytest.mark.timeout(200)
def test_an_original_that_died_stays_dead_and_goes_at_last(stacks, radosgw):
    store = radosgw["r2"]
    client = store.client()
    originals(client, "adopted-dead")
    stack = gateway(stacks, store, TWO)
    adopt(stack, "adopted-dead")
    settle(stack)
    stack.s3gw("backend", "set-state", "old", "offline")
    mine = stack.boto3("alice")
    for key in ("small-004", "é"):
        mine.delete_object(Bucket="mine", Key=key)
    dead = """SELECT COUNT(DISTINCT p.version_id) FROM record_places p
        JOIN records r ON r.version_id = p.version_id AND r.revision = p.revision
        WHERE p.is_written = 1 AND EXISTS (SELECT 1 FROM versions v WHERE v.id = r.version_id AND v.state = 'dead')"""

    def is_written_down():
        stack.run_worker_once()
        return stack.query(dead)[0][0] == 2

    wait_until(is_written_down, "the deaths are written down", 60, pause=0.5)
    seen = listed(mine, "mine")
    lose_and_rebuild(stack, store)
    assert listed(stack.boto3("alice"), "mine") == seen
    assert "small-004" in listed(client, "adopted-dead")
    stack.s3gw("backend", "activate", "old")
    settle(stack)
    assert set(listed(client, "adopted-dead")) == set(seen)


@pytest.fixture
def rclone(stacks):
    store = Rclone("old", stacks.directory("rclone") / "old")
    stacks.exits.callback(store.stop)
    return store


@pytest.mark.timeout(200)
def test_an_import_that_was_cut_short_is_called_again(stacks, rclone):
    client = rclone.client()
    client.create_bucket(Bucket="large")
    keys = [f"{number:05}" for number in range(1200)]
    for key in keys:
        client.put_object(Bucket="large", Key=key, Body=key.encode())
    stack = gateway(stacks, rclone, ONE)
    words = ["--backend", "old", "--bucket", "large", "--tenant", "alice", "--as", "mine"]
    process = subprocess.Popen(
        [paths.BINARIES / "s3gw", "import", *words], env=stack.environment, cwd=stack.directory,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        written = "SELECT name FROM documents WHERE name LIKE 'bucket/%'"
        wait_until(lambda: stack.query(written), "the first page is being written down", 60)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    assert "call s3gw import" in lose_and_rebuild(stack, rclone)
    assert adopt(stack, "large")["isRecorded"] is True
    mine = stack.boto3("alice")
    pages = mine.get_paginator("list_objects_v2").paginate(Bucket="mine")
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys


@pytest.mark.timeout(200)
def test_what_an_import_left_alone_does_not_come_to_life_afterwards(stacks, rclone):
    client = rclone.client()
    client.create_bucket(Bucket="theirs")
    for key in ("left-alone", "adopted"):
        client.put_object(Bucket="theirs", Key=key, Body=b"original")
    stack = gateway(stacks, rclone, ONE)
    mine = stack.boto3("alice")
    mine.create_bucket(Bucket="mine")
    mine.put_object(Bucket="mine", Key="left-alone", Body=b"a client was first")
    answer = adopt(stack, "theirs")
    assert (answer["adopted"], answer["isRecorded"]) == (1, True)
    mine.delete_object(Bucket="mine", Key="left-alone")
    settle(stack)
    assert "call s3gw import" not in lose_and_rebuild(stack, rclone)
    client.put_object(Bucket="theirs", Key="late", Body=b"put there by somebody who has not changed over yet")
    assert adopt(stack, "theirs")["adopted"] == 1
    assert set(listed(stack.boto3("alice"), "mine")) == {"adopted", "late"}
