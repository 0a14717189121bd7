"""The database is locked, or its directory is gone: 503 quickly, nothing is lost, and work goes on by itself."""

import sqlite3
import time

import pytest

from support.processes import wait_until

PENDING = {"replicas": {"count": 2, "acknowledge": 1}}
RETURN_SECONDS = 10


@pytest.fixture
def stack(stacks):
    directory = stacks.directory("database") / "here"
    directory.mkdir()
    stack = stacks.files(database=directory / "s3gw.db")
    stack.set_policy(PENDING, "--tenant", "alice")
    return stack.start(workers=1)


def put(stack, bucket, key, body):
    started = time.monotonic()
    answer = stack.raw("alice").request("PUT", f"/{bucket}/{key}", body)
    return answer, time.monotonic() - started


def replicas(stack, key):
    return stack.query(
        "SELECT COUNT(*) FROM replicas r JOIN versions v ON v.sequence = r.version_sequence"
        " WHERE v.key = ? AND r.state = 'present'",
        key.encode(),
    )[0][0]


def check_that_work_goes_on(stack, bucket, body, since):
    wait_until(lambda: put(stack, bucket, "after", body)[0].status == 200, "writes work again", RETURN_SECONDS)
    wait_until(lambda: replicas(stack, "after") == 2, "the worker works again", RETURN_SECONDS)
    assert time.monotonic() - since < RETURN_SECONDS
    for key in ("before", "after"):
        assert stack.raw("alice").request("GET", f"/{bucket}/{key}").body == body
    listed = stack.boto3("alice").list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == ["after", "before"], "what was refused is not there"


@pytest.mark.timeout(120)
def test_a_locked_database_refuses_writes_quickly_and_reads_go_on(stack, payload):
    bucket, body = stack.new_bucket("alice"), payload(10_000)
    assert put(stack, bucket, "before", body)[0].status == 200
    other = sqlite3.connect(stack.database_path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        times = []
        for number in range(8):
            answer, seconds = put(stack, bucket, f"refused-{number}", body)
            assert (answer.status, answer.code) == (503, "ServiceUnavailable"), answer.body
            assert answer.header("Retry-After")
            times.append(seconds)
        assert max(times) < 8 and sorted(times)[len(times) // 2] < 1.5, times
        assert stack.raw("alice").request("GET", f"/{bucket}/before").body == body
    finally:
        other.execute("ROLLBACK")
        other.close()
    check_that_work_goes_on(stack, bucket, body, time.monotonic())


@pytest.mark.timeout(120)
def test_a_database_whose_directory_is_gone_takes_no_write_and_is_used_again_when_it_is_back(stack, payload):
    bucket, body = stack.new_bucket("alice"), payload(10_000)
    assert put(stack, bucket, "before", body)[0].status == 200
    wait_until(lambda: replicas(stack, "before") == 2, "the worker copied")
    here, there = stack.database_path.parent, stack.database_path.parent.with_name("there")
    here.rename(there)
    try:
        for number in range(5):
            answer, seconds = put(stack, bucket, f"refused-{number}", body)
            assert (answer.status, answer.code) == (503, "ServiceUnavailable"), answer.body
            assert seconds < 2
        read = stack.raw("alice").request("GET", f"/{bucket}/before")
        assert read.status == 503 or read.body == body
    finally:
        there.rename(here)
    check_that_work_goes_on(stack, bucket, body, time.monotonic())
