"""The worker under an operator's limits, after crashes in the middle of a large copy, and paused for longer than its lease."""

import contextlib
import dataclasses
import hashlib
import os
import pty
import re
import secrets
import signal
import subprocess
import threading
import time

import pytest

from support import paths
from support.processes import wait_until
from support.rclone import Rclone
from support.slowness import SlowProxy
from support.tcpproxy import TCPProxy

LARGE_BYTES = 112 << 20  # seven ranges of 16 MiB
TWO = {"replicas": {"count": 2, "acknowledge": 1, "order": ["fi-1", "de-1"]}}
LEASE_SECONDS = 5


class Counted(TCPProxy):
    """Counts what comes down, which is what is read from the store."""

    def __init__(self, target):
        self.bytes_down = 0
        super().__init__(target)

    def _down(self, client, store):
        with contextlib.suppress(OSError):
            while piece := store.recv(256 * 1024):
                self.bytes_down += len(piece)
                client.sendall(piece)
        with contextlib.suppress(OSError):
            client.shutdown(2)


@pytest.fixture
def world(stacks):
    """`a` is read through a proxy that counts, `b` is written through one that is slow."""
    directory = stacks.directory("stores")
    stores = {name: Rclone(name, directory / name) for name in ("a", "b")}
    source = Counted(("127.0.0.1", stores["a"].port))
    target = SlowProxy(stores["b"].port, 24 << 20)
    for close in (stores["a"].stop, stores["b"].stop, source.close, target.close):
        stacks.exits.callback(close)
    stack = stacks.bare(lease_seconds=LEASE_SECONDS, worker_concurrency=2)
    stack.add_s3_backend("a", stores["a"].at(source.endpoint), "FI", region="fi-1")
    stack.add_s3_backend("b", stores["b"].at(f"http://127.0.0.1:{target.port}"), "DE", region="de-1")
    stack.create_tenant("alice", TWO)
    stack.stores, stack.source = stores, source
    return stack.start()


def files(store):
    return [path for path in store.directory.rglob("*marked*") if path.is_file()]


def copied_parts(stack):
    return stack.query("SELECT count(*) FROM copy_parts")[0][0]


def states(stack):
    return sorted(row[0] for row in stack.query("SELECT state FROM replicas"))


def jobs(stack):
    return stack.s3gw_json("jobs", "list")


class Target:
    """Where a large copy goes at 24 MiB/s: a store of one of three makes."""

    def __init__(self, kind, stacks, stack, request):
        self.kind, self.stack = kind, stack
        if kind == "file":
            stack.add_file_backend("b", "DE", region="de-1")
            stack.s3gw("backend", "set-limit", "b", "--bandwidth", "24MiB/s")
            return
        if kind == "rclone":
            self.store = Rclone("b", stacks.directory("target") / "b")
            stacks.exits.callback(self.store.stop)
            port = self.store.port
        else:
            self.store = request.getfixturevalue("radosgw")["r2"]
            port = int(self.store.endpoint.rpartition(":")[2])
        proxy = SlowProxy(port, 24 << 20)
        stacks.exits.callback(proxy.close)
        at = dataclasses.replace if kind == "radosgw" else lambda store, endpoint: store.at(endpoint)
        stack.add_s3_backend("b", at(self.store, endpoint=f"http://127.0.0.1:{proxy.port}"), "DE", region="de-1")

    def objects(self):
        """How many objects with the marker are there."""
        if self.kind == "file":
            return len([path for path in self.stack.stored("b") if "marked" in path and path.endswith("%data")])
        if self.kind == "rclone":
            return len(files(self.store))
        return len([key for _, key in self.store.objects() if self.marker in key])

    marker = "marked"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["rclone", "file", "radosgw"])
def test_a_large_copy_goes_on_after_kill_9_and_does_not_start_over(stacks, payload, request, kind):
    origin = Rclone("a", stacks.directory("stores") / "a")
    source = Counted(("127.0.0.1", origin.port))
    stacks.exits.callback(origin.stop)
    stacks.exits.callback(source.close)
    world = stacks.bare(lease_seconds=LEASE_SECONDS, worker_concurrency=2)
    world.add_s3_backend("a", origin.at(source.endpoint), "FI", region="fi-1")
    target = Target(kind, stacks, world, request)
    target.marker = key = f"marked-{secrets.token_hex(4)}"
    world.create_tenant("alice", TWO)
    world.start()
    bucket, body = world.new_bucket("alice"), payload(LARGE_BYTES)
    assert world.raw("alice").request("PUT", f"/{bucket}/{key}", body).status == 200
    worker = world.start_worker()
    wait_until(lambda: copied_parts(world) >= 3, "three ranges are there", 60)
    worker.kill()
    done = copied_parts(world)
    before = source.bytes_down
    assert target.objects() == 0, "nobody may see half an object"
    world.start_worker()
    wait_until(lambda: states(world) == ["present", "present"], "the copy is whole", 120)
    read = source.bytes_down - before
    left = LARGE_BYTES - done * (16 << 20)
    assert left <= read <= left + (17 << 20), (read, left)
    wait_until(lambda: jobs(world) == [], "no job is left")
    assert copied_parts(world) == 0 and target.objects() == 1
    origin.stop()
    answer = world.raw("alice").request("GET", f"/{bucket}/{key}")
    assert answer.status == 200 and hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()


@pytest.mark.timeout(240)
def test_a_worker_that_is_paused_beyond_its_lease_does_no_harm(world, payload):
    bucket = world.new_bucket("alice")
    bodies = {"marked-large": payload(LARGE_BYTES), "marked-small": payload(20 << 20)}
    for key, body in bodies.items():
        assert world.raw("alice").request("PUT", f"/{bucket}/{key}", body).status == 200
    paused = world.start_worker()
    wait_until(lambda: copied_parts(world) >= 1, "the copy is under way", 60)
    paused.send(signal.SIGSTOP)
    try:
        time.sleep(LEASE_SECONDS + 1)
        other = world.start_worker()
        wait_until(lambda: jobs(world) == [], "the other worker has done all", 120)
        before = world.query("SELECT version_sequence, backend_id, state, physical_key FROM replicas ORDER BY 1, 2")
    finally:
        paused.send(signal.SIGCONT)
    # It finds its claims lost, and ends by itself what it had begun.
    wait_until(lambda: "job abandoned" in paused.log.read_text(), "the paused worker has found out", 60)
    time.sleep(LEASE_SECONDS)
    wait_until(lambda: jobs(world) == [], "nothing is left to do", 60)
    after = world.query("SELECT version_sequence, backend_id, state, physical_key FROM replicas ORDER BY 1, 2")
    assert after == before and {row[2] for row in after} == {"present"} and len(after) == 4
    for store in world.stores.values():
        digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files(store))
        assert digests == sorted(hashlib.sha256(body).hexdigest() for body in bodies.values())
    assert other.running and paused.running


@pytest.mark.timeout(120)
def test_a_backend_gets_no_more_jobs_and_bytes_than_it_is_allowed(stacks, payload):
    stack = stacks.files(worker_concurrency=8)
    policy = {
        "residency": {"allow": ["country:FI", "country:DE"]},
        "replicas": {"count": 2, "distinct": "country", "acknowledge": 1, "order": ["fi-fi-1"]},
    }
    stack.set_policy(policy, "--tenant", "alice")
    shown = stack.s3gw_json("backend", "set-limit", "de", "--jobs", "1", "--bandwidth", "2MiB/s")
    assert shown == {"name": "de", "jobs": 1, "bytesPerSecond": 2 << 20}
    stack.start()
    bucket = stack.new_bucket("alice")
    for number in range(8):
        assert stack.raw("alice").request("PUT", f"/{bucket}/marked-{number}", payload(1 << 20)).status == 200

    most, ended = [], threading.Event()

    def watch():
        while not ended.is_set():
            most.append(stack.query("SELECT count(*) FROM jobs WHERE state = 'leased'")[0][0])
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    stack.worker_once()
    seconds = time.monotonic() - began
    ended.set()
    watcher.join()
    assert max(most) == 1
    assert 3 <= seconds < 30, f"8 MiB at 2 MiB/s took {seconds:.1f} s"
    assert stack.s3gw_json("backend", "set-limit", "de", "--jobs", "none", "--bandwidth", "none")["jobs"] is None
    for wrong in (("--jobs", "0"), ("--bandwidth", "1KiB/s"), ("--bandwidth", "fast")):
        assert stack.cli("backend", "set-limit", "de", *wrong).returncode == 2


def test_progress_is_told_with_rates_and_an_end(stacks, payload):
    stack = stacks.files()
    stack.set_policy({"replicas": {"count": 2, "acknowledge": 1}}, "--tenant", "alice")
    stack.start()
    bucket = stack.new_bucket("alice")
    for number in range(20):
        assert stack.raw("alice").request("PUT", f"/{bucket}/marked-{number}", payload(1000)).status == 200
    worker = stack.start_worker()
    wait_until(lambda: jobs(stack) == [], "all is copied")
    worker.stop()
    told = re.findall(r"copied (\d+) \(\d+ bytes\).*? jobs/s, .*?MiB/s; \d+ left", worker.log.read_text())
    assert sum(map(int, told)) == 20, worker.log.read_text()


def test_a_terminal_shows_one_line_that_is_renewed(stacks, payload):
    stack = stacks.files()
    stack.set_policy({"replicas": {"count": 2, "acknowledge": 1, "order": ["fi-fi-1", "de-de-1"]}}, "--tenant", "alice")
    stack.s3gw("backend", "set-limit", "de", "--bandwidth", "2MiB/s")
    stack.start()
    bucket = stack.new_bucket("alice")
    for number in range(8):
        assert stack.raw("alice").request("PUT", f"/{bucket}/marked-{number}", payload(1 << 20)).status == 200
    ours, theirs = pty.openpty()
    words = [paths.BINARIES / "s3gw-worker", "once", "--config", stack.configuration]
    worker = subprocess.Popen(words, stderr=theirs, stdout=subprocess.PIPE, env=stack.environment, text=True)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the worker has closed its end
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    printed, _ = worker.communicate(timeout=30)
    assert worker.returncode == 0 and "copied 8" in printed
    lines = shown.decode().split("\r\x1b[K")
    assert any(re.search(r"copied \d.* jobs/s, .* MiB/s; \d+ left, \d+ s to go", line) for line in lines), lines
    assert lines[-1] == "", "the line is cleared at the end"
