"""A worker that is stopped between its decision and what it asks of a store does no harm when it goes on much later."""

import contextlib
import pathlib
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

from support import paths
from support.lifecycle import enable_versioning, rule, set_rules
from support.processes import wait_until
from support.rclone import Rclone
from support.tcpproxy import TCPProxy

LEASE_SECONDS = 5
HELD_SECONDS = 120


class Holding(TCPProxy):
    """Keeps the first request that begins with `method` and names `marker`, and what follows on its connection, until
    `release` is set; then it goes to the store as if nothing had been."""

    def __init__(self, target, marker):
        self.method = self.held = None
        self.marker = marker
        self.release = threading.Event()
        super().__init__(target)

    def _up(self, client, store):
        with contextlib.suppress(OSError):
            while piece := client.recv(256 * 1024):
                line = piece.partition(b"\r\n")[0]
                if self.method and line.startswith(self.method + b" ") and self.marker in line:
                    self.method, self.held = None, line
                    self.release.wait(HELD_SECONDS)
                store.sendall(piece)


def copies(number):
    return {"replicas": {"count": number, "acknowledge": 1, "order": ["fi-1", "de-1"]}}


@pytest.fixture
def world(stacks):
    """Two stores of rclone, `b` behind a proxy that holds one request."""
    directory = stacks.directory("stores")
    stores = {name: Rclone(name, directory / name) for name in ("a", "b")}
    proxy = Holding(("127.0.0.1", stores["b"].port), b"marked")
    for close in (stores["a"].stop, stores["b"].stop, proxy.close, proxy.release.set):
        stacks.exits.callback(close)
    stack = stacks.bare(lease_seconds=LEASE_SECONDS, worker_concurrency=2, reconcile_grace="0s")
    stack.add_s3_backend("a", stores["a"], "FI", region="fi-1")
    stack.add_s3_backend("b", stores["b"].at(proxy.endpoint), "DE", region="de-1")
    stack.create_tenant("alice", copies(2))
    stack.stores, stack.proxy = stores, proxy
    return stack.start()


def replicas(stack):
    rows = stack.query(
        "SELECT b.name, r.state, r.physical_key FROM replicas r JOIN backends b ON b.id = r.backend_id ORDER BY 1"
    )
    return {name: (state, bytes(key)) for name, state, key in rows}


def states(stack):
    return {name: state for name, (state, _) in replicas(stack).items()}


def on_store(stack, name):
    return {path.name: path.read_bytes() for path in stack.stores[name].directory.rglob("*marked*") if path.is_file()}


def set_count(stack, number):
    stack.set_policy(copies(number), "--tenant", "alice")


def read_from_b_alone(stack, bucket):
    """Reads the object while the other store is away: the bytes can only come from `b`."""
    stack.stores["a"].stop()
    answer = stack.raw("alice").request("GET", f"/{bucket}/marked")
    assert answer.status == 200
    return answer.body


def hold(stack, method):
    stack.proxy.method = method


def is_frozen(stack, worker):
    """Freezes the worker, but not in a transaction of its own: the database could not be written then."""
    worker.send(signal.SIGSTOP)
    wait_until(lambda: is_stopped(worker.pid), "every thread has stopped", 10)
    if is_writable(stack):
        return True
    worker.send(signal.SIGCONT)
    return False


def frozen_at_the_held_request(stack, worker):
    wait_until(lambda: stack.proxy.held, "the request is held", 60)
    wait_until(lambda: is_frozen(stack, worker), "the worker is frozen outside of a transaction", 60)


def is_stopped(pid):
    """Whether all threads have: the signal reaches them one by one."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


def is_writable(stack):
    connection = sqlite3.connect(stack.database_path, timeout=0.5, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        return True
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()


@pytest.mark.timeout(240)
def test_a_late_delete_does_not_meet_the_replica_that_was_made_again(world, payload):
    bucket, body = world.new_bucket("alice"), payload(70_000)
    assert world.raw("alice").request("PUT", f"/{bucket}/marked", body).status == 200
    frozen = world.start_worker()
    wait_until(lambda: states(world) == {"a": "present", "b": "present"}, "both copies are there", 60)
    first = replicas(world)["b"][1]
    hold(world, b"DELETE")
    set_count(world, 1)
    frozen_at_the_held_request(world, frozen)
    try:
        # The lease runs out; another worker removes the replica, and after a change of policy makes it again.
        world.start_worker()
        wait_until(lambda: states(world) == {"a": "present"}, "the replica is removed", 60)
        assert on_store(world, "b") == {}
        set_count(world, 2)
        wait_until(lambda: states(world) == {"a": "present", "b": "present"}, "it is made again", 60)
        second = replicas(world)["b"][1]
        assert second != first, "a replica that is made again has a key of its own"
    finally:
        frozen.send(signal.SIGCONT)
        world.proxy.release.set()
    wait_until(lambda: "job abandoned" in frozen.log.read_text(), "the frozen worker has found out", 60)
    assert replicas(world)["b"] == ("present", second)
    assert list(on_store(world, "b").values()) == [body]
    assert read_from_b_alone(world, bucket) == body


def reconcile(stack):
    return subprocess.run(
        [paths.BINARIES / "s3gw-worker", "reconcile", "--config", stack.configuration],
        capture_output=True,
        text=True,
        timeout=120,
        env=stack.environment,
        cwd=stack.directory,
    )


@pytest.mark.timeout(240)
@pytest.mark.parametrize("end", ["resumed", "killed"])
def test_the_leftover_of_a_late_put_is_removed_and_the_replica_stays(world, payload, end):
    bucket, body = world.new_bucket("alice"), payload(70_000)
    hold(world, b"PUT")
    assert world.raw("alice").request("PUT", f"/{bucket}/marked", body).status == 200
    frozen = world.start_worker()
    frozen_at_the_held_request(world, frozen)
    first = replicas(world)["b"][1]
    try:
        world.start_worker()
        wait_until(lambda: states(world) == {"a": "present", "b": "present"}, "the copy is made", 60)
        set_count(world, 1)
        wait_until(lambda: states(world) == {"a": "present"}, "and removed", 60)
        set_count(world, 2)
        wait_until(lambda: states(world) == {"a": "present", "b": "present"}, "and made again", 60)
        second = replicas(world)["b"][1]
        assert second != first
    finally:
        if end == "killed":
            frozen.kill()
        else:
            frozen.send(signal.SIGCONT)
        world.proxy.release.set()
    wait_until(lambda: len(on_store(world, "b")) == 2 or end == "resumed", "the late bytes are there", 60)

    def is_clean():
        reconcile(world)
        return list(on_store(world, "b").values()) == [body] and world.s3gw_json("jobs", "list") == []

    wait_until(is_clean, "only the replica is left", 90, pause=0.5)
    assert replicas(world)["b"] == ("present", second)
    assert world.query("SELECT count(*) FROM strays") == [(0,)]
    assert world.s3gw("attest", bucket)
    assert read_from_b_alone(world, bucket) == body


MARKERS = 2000


def mark(stack, bucket):
    """Makes delete markers that hide nothing: several pages of them."""

    def work(first):
        raw = stack.raw("alice")
        for number in range(first, MARKERS, 4):
            assert raw.request("DELETE", f"/{bucket}/k{number:04}").status == 204

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def is_looking(stack):
    """Whether a worker has the look at the rules and is behind its first page."""
    rows = stack.query("SELECT finished_at IS NULL AND lease_owner IS NOT NULL AND found > 0 FROM lifecycle_pass")
    return rows == [(1,)]


def frozen_while_looking(stack, bucket):
    """A worker that is frozen with the look in its hand; where it was too quick it gets more to do."""
    for _ in range(5):
        mark(stack, bucket)
        worker = stack.start_worker()
        deadline = time.monotonic() + 60
        while living(stack) and time.monotonic() < deadline:
            if is_looking(stack) and is_frozen(stack, worker):
                if is_looking(stack):
                    return worker
                worker.send(signal.SIGCONT)
        worker.stop()
    raise AssertionError("the worker is always quicker")


def living(stack):
    ((count,),) = stack.query("SELECT COUNT(*) FROM versions WHERE state = 'live'")
    return count


@pytest.mark.timeout(400)
def test_a_look_at_the_rules_that_was_frozen_is_finished_by_another_worker_and_ends_nothing_later(stacks):
    stack = stacks.files(lease_seconds=LEASE_SECONDS, worker_concurrency=2, lifecycle_interval="0s").start()
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    enable_versioning(stack.boto3("alice"), bucket)
    set_rules(stack.boto3("alice"), bucket, rule(Expiration={"ExpiredObjectDeleteMarker": True}))
    frozen = frozen_while_looking(stack, bucket)
    ((fence,),) = stack.query("SELECT fence FROM lifecycle_pass")
    try:
        other = stack.start_worker()
        wait_until(lambda: living(stack) == 0, "another worker has ended all of them", 120)
        assert stack.query("SELECT fence > ? FROM lifecycle_pass", fence) == [(1,)]
        assert other.stop() == 0
        # What the frozen one had seen is something else now.
        assert raw.request("PUT", f"/{bucket}/k{MARKERS - 1}", b"new").status == 200
        assert raw.request("PUT", f"/{bucket}/k{MARKERS - 2}", b"hidden").status == 200
        assert raw.request("DELETE", f"/{bucket}/k{MARKERS - 2}").status == 204
    finally:
        ((fence,),) = stack.query("SELECT fence FROM lifecycle_pass")
        frozen.send(signal.SIGCONT)

    def has_looked():
        rows = stack.query("SELECT fence > ? AND finished_at IS NOT NULL FROM lifecycle_pass", fence)
        return rows == [(1,)] and stack.s3gw_json("jobs", "list") == []

    wait_until(has_looked, "it has looked again, and done what it had", 60)
    assert raw.request("GET", f"/{bucket}/k{MARKERS - 1}").body == b"new"
    assert raw.request("GET", f"/{bucket}/k{MARKERS - 2}").status == 404
    listed = raw.request("GET", f"/{bucket}?versions").body
    assert (listed.count(b"<Version>"), listed.count(b"<DeleteMarker>")) == (2, 1), listed
    assert '"level":"error"' not in frozen.log.read_text()
