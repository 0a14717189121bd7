"""What multipart uploads leave behind, however they end: whole objects, their replicas, and nothing else."""

import concurrent.futures
import dataclasses
import random
import sqlite3
import threading
import time

import pytest

from support.multipart import PART, begin, complete, etag_of, refusal, send, upload_rows
from support.processes import wait_until
from support.tcpproxy import TCPProxy

TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 1}}


def empty(stack):
    return upload_rows(stack) == 0 and not [path for path in stack.stored() if "parts-" in path or "put-" in path]


def test_an_aborted_upload_is_gone_at_once_and_cleared_by_the_worker(stacks, payload):
    stack = stacks.files().start()
    s3 = stack.boto3("alice")
    bucket = stack.new_bucket("alice")
    upload = begin(s3, bucket, "marked")
    done = send(s3, bucket, upload, [payload(PART)], "marked")
    s3.abort_multipart_upload(Bucket=bucket, Key="marked", UploadId=upload)
    words = {"Bucket": bucket, "Key": "marked", "UploadId": upload}
    assert refusal(lambda: s3.abort_multipart_upload(**words)) == (404, "NoSuchUpload")
    assert refusal(lambda: s3.upload_part(**words, PartNumber=2, Body=b"x")) == (404, "NoSuchUpload")
    assert refusal(lambda: complete(s3, bucket, upload, done, "marked")) == (404, "NoSuchUpload")
    stack.worker_once()
    assert empty(stack)


def test_an_abandoned_upload_is_ended_by_the_worker(stacks, payload):
    stack = stacks.files().start()
    s3 = stack.boto3("alice")
    bucket = stack.new_bucket("alice")
    old, young = begin(s3, bucket, "old"), begin(s3, bucket, "young")
    send(s3, bucket, old, [payload(1000)], "old")
    with sqlite3.connect(stack.database_path, timeout=10) as connection:
        connection.execute("UPDATE uploads SET initiated_at = initiated_at - 8 * 86400000 WHERE key = ?", (b"old",))
    stack.worker_once()
    assert [each["UploadId"] for each in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [young]
    s3.abort_multipart_upload(Bucket=bucket, Key="young", UploadId=young)
    stack.worker_once()
    assert empty(stack)


@pytest.mark.timeout(120)
def test_an_upload_whose_creation_was_cut_short_is_ended_after_an_hour(stacks, radosgw):
    proxy = TCPProxy(("127.0.0.1", int(radosgw["r1"].endpoint.rpartition(":")[2])))
    stacks.exits.callback(proxy.close)
    stack = stacks.bare()
    stack.add_s3_backend("fi", dataclasses.replace(radosgw["r1"], endpoint=proxy.endpoint), "FI")
    stack.create_tenant("alice", {"replicas": {"count": 1}})
    raw = stack.start().raw("alice")
    bucket = stack.new_bucket("alice")
    assert raw.request("PUT", f"/{bucket}/first", b"makes the bucket").status == 200
    ((physical,),) = stack.query("SELECT physical_bucket FROM replicas")
    uploads = lambda: radosgw["r1"].client().list_multipart_uploads(Bucket=physical).get("Uploads", [])  # noqa: E731
    proxy.at = (0, "stall")
    with concurrent.futures.ThreadPoolExecutor(1) as client:
        answer = client.submit(raw.request, "POST", f"/{bucket}/cut?uploads=")
        wait_until(uploads, "the store has begun it")
        stack.pool.kill()
        assert answer.result().status == 502
    proxy.at, proxy.silent = None, False
    proxy.reset()
    assert stack.query("SELECT state FROM uploads") == [("creating",)]
    stack.worker_once()
    assert len(uploads()) == 1, "somebody may still be about it"
    with sqlite3.connect(stack.database_path, timeout=10) as connection:
        connection.execute("UPDATE uploads SET initiated_at = initiated_at - 3600 * 1000")
    connection.close()
    stack.worker_once()
    assert upload_rows(stack) == 0 and not uploads()
    stack.start_pool()
    wait_until(stack.answers, "the gateway answers again")
    assert raw.request("GET", f"/{bucket}/first").body == b"makes the bucket"


def test_a_bucket_is_deleted_with_its_open_uploads(stacks, payload):
    stack = stacks.files().start()
    s3 = stack.boto3("alice")
    bucket = stack.new_bucket("alice")
    send(s3, bucket, begin(s3, bucket), [payload(1000)])
    s3.delete_bucket(Bucket=bucket)
    worker = stack.start_worker()
    wait_until(lambda: stack.s3gw_json("jobs", "list") == [], "the worker has done all jobs", 60)
    # A worker that runs may be writing the tenant's document: it ends first, and leaves nothing half-written.
    assert worker.stop() == 0
    assert empty(stack) and not [path for path in stack.stored() if bucket in path]


def test_replicas_keep_the_parts(stacks, payload):
    stack = stacks.files()
    stack.set_policy(TWO, "--tenant", "alice")
    stack.start()
    s3 = stack.boto3("alice")
    bucket = stack.new_bucket("alice")
    parts = [payload(PART), payload(PART), b"end"]
    upload = begin(s3, bucket, "marked")
    complete(s3, bucket, upload, send(s3, bucket, upload, parts, "marked"), "marked")
    stack.worker_once()
    files = [path for path in stack.stored() if "marked" in path and path.endswith("%data")]
    assert len(files) == 2
    for path in files:
        with open(path, "rb") as file:
            assert file.read() == b"".join(parts)
        with open(path.removesuffix("%data") + "%meta") as file:
            assert f"s3gw-etag {etag_of(parts)[1:-1]}\n" in file.read()
    assert empty(stack)
    s3.delete_object(Bucket=bucket, Key="marked")
    stack.worker_once()
    assert not [path for path in stack.stored() if "marked" in path]


@pytest.mark.timeout(300)
def test_kill_9_of_the_pool_leaves_whole_objects_or_none_and_no_leak(stacks, payload):
    stack = stacks.files()
    stack.set_policy(TWO, "--tenant", "alice")
    stack.start()
    bucket = stack.new_bucket("alice")
    tail = payload(1000)
    bodies = {}
    chance = random.Random(7)
    for round in range(8):
        key = f"marked-{round}-"
        s3 = stack.boto3("alice", retries={"max_attempts": 1}, read_timeout=20)
        upload = begin(s3, bucket, key)
        parts = [payload(PART), tail]
        done = send(s3, bucket, upload, parts, key)
        answers = []

        def run():
            try:
                answers.append(complete(s3, bucket, upload, done, key)["ETag"])
            except Exception as error:
                answers.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(chance.uniform(0, 0.08))
        stack.pool.kill()
        thread.join()
        stack.start_pool()
        wait_until(stack.answers, "the gateway answers again")
        s3 = stack.boto3("alice")
        try:
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"".join(parts)
        except s3.exceptions.NoSuchKey:
            assert not isinstance(answers[0], str), "what was acknowledged is there"
        if round % 2:
            assert complete(s3, bucket, upload, done, key)["ETag"] == etag_of(parts)
            bodies[key] = b"".join(parts)
        else:
            try:
                s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
            except s3.exceptions.NoSuchUpload:
                bodies[key] = b"".join(parts)
    stack.worker_once()
    for key, body in bodies.items():
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    files = [path for path in stack.stored() if "marked" in path and path.endswith("%data")]
    assert len(files) == 2 * len(bodies)
    assert upload_rows(stack) == 0
    assert not [path for path in stack.stored() if "parts-" in path]
