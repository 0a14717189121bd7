"""Policy, tags and backends change, and what is stored already follows: through the real command line and worker."""

import json

import pytest

from support.processes import wait_until

FI_DE = {"residency": {"allow": ["country:FI", "country:DE"]}, "replicas": {"count": 2, "distinct": "country"}}
FI_FR = {"residency": {"allow": ["country:FI", "country:FR"]}, "replicas": {"count": 2, "distinct": "country"}}


def copies(stack, marker="marked"):
    """Returns {backend: number of object files with `marker` in their path}."""
    return {
        name: sum(marker in path and path.endswith("%data") for path in stack.stored(name)) for name in stack.backends
    }


def present(stack):
    """Returns how many present replicas each live version has, by key."""
    rows = stack.query(
        """SELECT v.key, sum(r.state = 'present') FROM versions v JOIN replicas r ON r.version_sequence = v.sequence
        WHERE v.state = 'live' GROUP BY v.sequence"""
    )
    return dict(rows)


def is_settled(stack):
    # In this order: looking again makes jobs, and is done when they are there.
    is_looked_at = not stack.query("SELECT 1 FROM replans WHERE done_at IS NULL")
    return is_looked_at and stack.s3gw_json("jobs", "list") == []


@pytest.fixture
def stack(stacks):
    stack = stacks.files()
    stack.set_policy(FI_DE, "--tenant", "alice")
    return stack.start()


def test_a_narrower_policy_moves_every_version_and_none_is_ever_below_its_count(stack, payload):
    bucket = stack.new_bucket("alice")
    bodies = {f"marked-{number:02d}": payload(10_000 + number) for number in range(60)}
    for key, body in bodies.items():
        assert stack.raw("alice").request("PUT", f"/{bucket}/{key}", body).status == 200
    stack.start_worker()
    wait_until(lambda: is_settled(stack), "two copies each", 60)
    assert copies(stack) == {"fi": 60, "de": 60, "fr": 0}

    lowest = []

    def has_moved():
        lowest.append(min(present(stack).values()))
        return is_settled(stack)

    stack.set_policy(FI_FR, "--tenant", "alice")
    wait_until(has_moved, "everything has moved", 60)
    assert min(lowest) == 2 and len(lowest) > 2
    assert copies(stack) == {"fi": 60, "de": 0, "fr": 60}
    assert not [path for path in stack.stored("de") if "marked" in path], "nothing may stay where policy forbids it"
    for key, body in bodies.items():
        assert stack.raw("alice").request("GET", f"/{bucket}/{key}").body == body


def test_the_tag_of_a_bucket_makes_more_copies_and_fewer(stack, payload):
    stack.set_policy({"replicas": {"count": 1}}, "--tenant", "alice")
    bucket = stack.new_bucket("alice")
    for number in range(10):
        assert stack.raw("alice").request("PUT", f"/{bucket}/marked-{number}", payload(1000)).status == 200
    stack.start_worker()
    for count in (3, 1, 2):
        tags = {"TagSet": [{"Key": "replica-count", "Value": str(count)}]}
        stack.boto3("alice").put_bucket_tagging(Bucket=bucket, Tagging=tags)
        wait_until(lambda: is_settled(stack), f"{count} copies", 60)
        assert set(present(stack).values()) == {count}
        assert sum(copies(stack).values()) == 10 * count
    stack.boto3("alice").delete_bucket_tagging(Bucket=bucket)
    wait_until(lambda: is_settled(stack), "one copy again", 60)
    assert sum(copies(stack).values()) == 10


def test_a_damaged_replica_is_found_by_a_job_and_replaced(stack, payload):
    bucket = stack.new_bucket("alice")
    body = payload(300_000)
    stack.raw("alice").request("PUT", f"/{bucket}/marked-bad", body)
    stack.worker_once()
    (path,) = [path for path in stack.stored("de") if "marked-bad" in path and path.endswith("%data")]
    with open(path, "r+b") as file:
        file.seek(100_000)
        byte = file.read(1)
        file.seek(100_000)
        file.write(bytes([byte[0] ^ 1]))
    stack.insert_job("verify", bucket, "marked-bad", "de")
    done = stack.worker_once()
    assert "damaged 1" in done.stdout and "repaired 1" in done.stdout, done.stdout
    (again,) = [path for path in stack.stored("de") if "marked-bad" in path and path.endswith("%data")]
    assert again != path, "a copy is made beside what it replaces"
    with open(again, "rb") as file:
        assert file.read() == body
    assert json.loads(stack.s3gw("jobs", "list", "--json")) == []
