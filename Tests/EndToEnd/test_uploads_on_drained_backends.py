"""Multipart uploads whose parts are on a backend that is drained, lost, or away."""

import json
import sqlite3

import pytest
from botocore.exceptions import ClientError

from support.multipart import PART, begin, complete, refusal, send, upload_rows
from support.processes import wait_until

ONE = {"replicas": {"count": 1, "order": ["fi-fi-1"]}}


def both(acknowledge):
    return {"replicas": {"count": 2, "acknowledge": acknowledge, "order": ["fi-fi-1", "de-de-1"]}}


@pytest.fixture
def stack(stacks):
    stack = stacks.files()
    stack.set_policy(ONE, "--tenant", "alice")
    return stack.start()


def begun(stack, payload, s3):
    """An upload with one part, which is on `fi`, and its bytes."""
    bucket, body = stack.new_bucket("alice"), payload(PART)
    upload = begin(s3, bucket, "marked")
    done = send(s3, bucket, upload, [body], "marked")
    return bucket, upload, done, body


def drain(stack, *words):
    return stack.s3gw_json("backend", "drain", "fi", *words)["drain"]


def is_empty_after_work(stack):
    def is_empty():
        stack.run_worker_once()
        return drain(stack)["isEmpty"]

    wait_until(is_empty, "the drained backend is empty", 60, pause=0.5)


def words_of(bucket, upload):
    return {"Bucket": bucket, "Key": "marked", "UploadId": upload}


def test_an_upload_goes_on_where_it_began_and_the_drain_ends_after_it(stack, payload):
    s3 = stack.boto3("alice")
    bucket, upload, done, first = begun(stack, payload, s3)
    assert drain(stack)["uploadsLeft"] == 1
    last = payload(70_000)
    done += send(s3, bucket, upload, [last], "marked", numbers=[2])
    stack.run_worker_once()
    left = drain(stack)
    assert left["uploadsLeft"] == 1 and not left["isEmpty"]
    refused = stack.cli("backend", "remove", "fi")
    assert refused.returncode != 0 and "upload" in refused.stdout + refused.stderr
    complete(s3, bucket, upload, done, "marked")
    assert s3.get_object(Bucket=bucket, Key="marked")["Body"].read() == first + last
    is_empty_after_work(stack)
    stack.s3gw("backend", "remove", "fi")
    assert s3.get_object(Bucket=bucket, Key="marked")["Body"].read() == first + last
    assert not [path for path in stack.stored("fi") if "marked" in path]


def test_new_uploads_begin_elsewhere(stack, payload):
    s3 = stack.boto3("alice")
    bucket = stack.new_bucket("alice")
    drain(stack)
    upload = begin(s3, bucket, "marked")
    complete(s3, bucket, upload, send(s3, bucket, upload, [payload(1000)], "marked"), "marked")
    assert not [path for path in stack.stored("fi") if "marked" in path]


def test_uploads_can_be_ended_for_a_drain(stack, payload):
    s3 = stack.boto3("alice")
    bucket, upload, done, _ = begun(stack, payload, s3)
    drain(stack, "--end-uploads")
    words = words_of(bucket, upload)
    assert refusal(lambda: s3.upload_part(**words, PartNumber=2, Body=b"x")) == (404, "NoSuchUpload")
    assert refusal(lambda: complete(s3, bucket, upload, done, "marked")) == (404, "NoSuchUpload")
    is_empty_after_work(stack)
    stack.s3gw("backend", "remove", "fi")


def test_an_abandoned_upload_does_not_keep_a_drain_for_ever(stack, payload):
    s3 = stack.boto3("alice")
    begun(stack, payload, s3)
    drain(stack)
    with sqlite3.connect(stack.database_path, timeout=10) as connection:
        connection.execute("UPDATE uploads SET initiated_at = initiated_at - 8 * 86400000")
    is_empty_after_work(stack)
    assert upload_rows(stack) == 0


def lose(stack):
    result = stack.cli("backend", "lost", "fi", "--json")
    assert json.loads(result.stdout)["state"] == "lost"


def test_an_upload_whose_parts_are_lost_ends(stack, payload):
    s3 = stack.boto3("alice")
    bucket, upload, done, _ = begun(stack, payload, s3)
    lose(stack)
    words = words_of(bucket, upload)
    assert refusal(lambda: s3.upload_part(**words, PartNumber=2, Body=b"x")) == (404, "NoSuchUpload")
    assert refusal(lambda: s3.list_parts(**words)) == (404, "NoSuchUpload")
    assert refusal(lambda: complete(s3, bucket, upload, done, "marked")) == (404, "NoSuchUpload")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    again = begin(s3, bucket, "marked")
    complete(s3, bucket, again, send(s3, bucket, again, [payload(1000)], "marked"), "marked")
    wait_until(lambda: stack.run_worker_once() and upload_rows(stack) == 0, "nothing of it is left", 60, pause=0.5)
    stack.s3gw("backend", "remove", "fi")


def test_an_upload_that_lost_one_of_two_places_ends_when_two_must_have_it(stack, payload):
    stack.set_policy(both(acknowledge=2), "--tenant", "alice")
    s3 = stack.boto3("alice")
    bucket, upload, done, _ = begun(stack, payload, s3)
    lose(stack)
    words = words_of(bucket, upload)
    assert refusal(lambda: s3.upload_part(**words, PartNumber=2, Body=b"x")) == (404, "NoSuchUpload")
    assert refusal(lambda: complete(s3, bucket, upload, done, "marked")) == (404, "NoSuchUpload")


def test_an_upload_that_lost_one_of_two_places_goes_on_when_one_is_enough(stack, payload):
    stack.set_policy(both(acknowledge=2), "--tenant", "alice")
    s3 = stack.boto3("alice")
    bucket, upload, done, body = begun(stack, payload, s3)
    stack.set_policy(both(acknowledge=1), "--tenant", "alice")
    lose(stack)
    complete(s3, bucket, upload, done, "marked")
    assert s3.get_object(Bucket=bucket, Key="marked")["Body"].read() == body


def test_a_completion_is_acknowledged_by_as_many_backends_as_must(stack, payload):
    stack.set_policy(both(acknowledge="all"), "--tenant", "alice")
    s3 = stack.boto3("alice", retries={"total_max_attempts": 1})
    bucket, body = stack.new_bucket("alice"), payload(100_000)
    upload = begin(s3, bucket, "marked")
    done = send(s3, bucket, upload, [body], "marked")
    here = stack.backends["de"]
    away = here.rename(here.with_name("away"))
    assert refusal(lambda: complete(s3, bucket, upload, done, "marked"))[0] == 503
    assert refusal(lambda: s3.head_object(Bucket=bucket, Key="marked"))[0] == 404
    away.rename(here)

    def is_completed():
        try:
            return complete(s3, bucket, upload, done, "marked")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            return False

    wait_until(is_completed, "both backends make the object", 60)
    assert stack.query("SELECT COUNT(*) FROM replicas WHERE state = 'present'") == [(2,)]
    assert s3.get_object(Bucket=bucket, Key="marked")["Body"].read() == body
