"""Moves: a version that leaves a place is never in fewer places than before, whatever is killed or fails meanwhile."""

import hashlib

import pytest

from support.processes import wait_until
from support.rclone import Rclone
from support.slowness import SlowProxy
from support.tcpproxy import TCPProxy

LARGE_BYTES = 112 << 20  # seven ranges of 16 MiB
LEASE_SECONDS = 5


def policy(*countries):
    return {
        "residency": {"allow": [f"country:{country}" for country in countries]},
        "replicas": {"count": 2, "acknowledge": 2},
    }


@pytest.fixture
def world(stacks):
    """Stores in FI, DE and FR; the last one is behind a slow line."""
    directory = stacks.directory("stores")
    stores = {name: Rclone(name, directory / name) for name in ("fi", "de", "fr")}
    line = SlowProxy(stores["fr"].port, 24 << 20)
    proxy = TCPProxy(("127.0.0.1", line.port))
    for close in (*(store.stop for store in stores.values()), line.close, proxy.close):
        stacks.exits.callback(close)
    stores["fr"].at(proxy.endpoint)
    stack = stacks.bare(lease_seconds=LEASE_SECONDS, worker_concurrency=2)
    for name, store in stores.items():
        stack.add_s3_backend(name, store, name.upper())
    stack.create_tenant("alice", policy("FI", "DE"))
    stack.stores, stack.proxy = stores, proxy
    return stack.start()


def states(stack):
    return dict(
        stack.query("SELECT b.name, r.state FROM replicas r JOIN backends b ON b.id = r.backend_id ORDER BY 1")
    )


def jobs(stack):
    return stack.s3gw_json("jobs", "list")


def copied_parts(stack):
    return stack.query("SELECT count(*) FROM copy_parts")[0][0]


def files(stack, name):
    found = stack.stores[name].directory.rglob("*marked*")
    return [hashlib.sha256(path.read_bytes()).digest() for path in found if path.is_file()]


OLD = {"fi": "present", "de": "present"}
NEW = {"fi": "present", "fr": "present"}


def put(stack, body):
    bucket = stack.new_bucket("alice")
    assert stack.raw("alice").request("PUT", f"/{bucket}/marked", body).status == 200
    assert states(stack) == OLD
    return bucket


def present(stack):
    return list(states(stack).values()).count("present")


@pytest.mark.timeout(240)
def test_kill_9_in_the_middle_of_a_move_leaves_the_old_state_and_the_next_worker_goes_on(world, payload):
    body = payload(LARGE_BYTES)
    bucket = put(world, body)
    worker = world.start_worker()
    world.set_policy(policy("FI", "FR"), "--tenant", "alice")
    wait_until(lambda: copied_parts(world) >= 2, "two ranges are there", 60)
    (job,) = jobs(world)
    assert (job["kind"], job["from"], job["backend"], job["state"]) == ("move", "de", "fr", "leased")
    status = {row["name"]: row for row in world.s3gw_json("replication", "status")["backends"]}
    assert {name: row["versionsMoving"] for name, row in status.items()} == {"fi": 0, "de": 0, "fr": 1}
    worker.kill()
    done = copied_parts(world)
    assert states(world) == OLD | {"fr": "pending"}
    lowest, parts = [], []

    def has_moved():
        lowest.append(present(world))
        parts.append(copied_parts(world))
        return states(world) == NEW and jobs(world) == []

    world.start_worker()
    wait_until(has_moved, "the version has moved", 120)
    assert min(lowest) == 2
    assert min(parts[: parts.index(max(parts)) + 1]) >= done, "a large copy goes on"
    digest = hashlib.sha256(body).digest()
    assert files(world, "fr") == [digest] and files(world, "de") == []
    world.stores["fi"].stop()
    assert hashlib.sha256(world.raw("alice").request("GET", f"/{bucket}/marked").body).digest() == digest
    assert world.s3gw("attest", bucket)


@pytest.mark.timeout(240)
def test_a_target_that_fails_leaves_everything_where_it_is_until_it_is_back(world, payload):
    body = payload(70_000)
    bucket = put(world, body)
    world.proxy.die()
    world.start_worker()
    world.set_policy(policy("FI", "FR"), "--tenant", "alice")

    def has_failed():
        return [job for job in jobs(world) if job["kind"] == "move" and job["lastError"]]

    wait_until(has_failed, "the move was tried", 60)
    assert states(world) == OLD | {"fr": "pending"}
    assert world.raw("alice").request("GET", f"/{bucket}/marked").body == body
    world.proxy.revive()
    wait_until(lambda: states(world) == NEW and jobs(world) == [], "the version has moved", 120)
    assert files(world, "de") == []


@pytest.mark.timeout(240)
def test_policy_that_changes_back_while_a_move_is_under_way_keeps_the_old_place(world, payload):
    body = payload(LARGE_BYTES)
    put(world, body)
    world.start_worker()
    world.set_policy(policy("FI", "FR"), "--tenant", "alice")
    wait_until(lambda: copied_parts(world) >= 1, "the move is under way", 60)
    world.set_policy(policy("FI", "DE"), "--tenant", "alice")
    lowest = []

    def is_settled():
        lowest.append(present(world))
        return states(world) == OLD and jobs(world) == [] and files(world, "fr") == []

    wait_until(is_settled, "everything is where it was", 120)
    assert min(lowest) >= 2
    assert files(world, "de") == [hashlib.sha256(body).digest()]
    assert copied_parts(world) == 0
