"""The worker brings each live version to its replica count and each dead one to none, whatever is killed meanwhile."""

import hashlib
import os
import random
import signal
import threading
import time

import pytest

from support.processes import wait_until

TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 1}}


def copies(stack, marker):
    """Returns {path: sha256} of the object files whose path has `marker` in it, over all file backends."""
    found = {}
    for path in object_files(stack):
        if marker in path:
            with open(path, "rb") as file:
                found[path] = hashlib.sha256(file.read()).hexdigest()
    return found


def object_files(stack):
    """Returns the files that hold object bytes: those on the backends whose name is not a side file's."""
    return {path for path in stack.stored() if "marked" in path and path.endswith("%data")}


def jobs_are_done(stack):
    return stack.s3gw_json("jobs", "list") == []


@pytest.fixture
def stack(stacks):
    stack = stacks.files()
    stack.set_policy(TWO, "--tenant", "alice")
    return stack.start()


def test_every_version_reaches_its_replica_count_with_the_same_bytes(stack, payload):
    bucket = stack.new_bucket("alice")
    bodies = {f"marked-{number}-": payload(size) for number, size in enumerate((0, 1, 70_000, 3_000_000))}
    for key, body in bodies.items():
        stack.raw("alice").request("PUT", f"/{bucket}/{key}", body)
    stack.start_worker()
    wait_until(lambda: jobs_are_done(stack), "the worker has done all jobs")
    for key, body in bodies.items():
        digests = [digest for digest in copies(stack, key).values()]
        assert digests.count(hashlib.sha256(body).hexdigest()) == 2, (key, copies(stack, key))
    shown = stack.s3gw_json("object", "show", bucket, "marked-2-", "--tenant", "alice")
    replicas = shown["versions"][0]["replicas"]
    assert sorted(each["state"] for each in replicas) == ["present", "present"]
    assert len({each["country"] for each in replicas}) == 2


def test_replicas_of_overwritten_and_deleted_versions_disappear(stack, payload):
    bucket = stack.new_bucket("alice")
    raw = stack.raw("alice")
    for _ in range(3):
        for number in range(5):
            raw.request("PUT", f"/{bucket}/marked-{number}", payload(5000))
    for number in range(2):
        raw.request("DELETE", f"/{bucket}/marked-{number}")
    stack.start_worker()
    wait_until(lambda: jobs_are_done(stack), "the worker has done all jobs")
    assert len(object_files(stack)) == 2 * 3, "three live versions, two replicas each, and nothing else"
    for number in range(2, 5):
        assert raw.request("GET", f"/{bucket}/marked-{number}").status == 200


def test_once_does_what_is_due_and_ends(stack, payload):
    bucket = stack.new_bucket("alice")
    for number in range(10):
        stack.raw("alice").request("PUT", f"/{bucket}/marked-{number}", payload(1000))
    stack.worker_once()
    assert jobs_are_done(stack)
    assert len(object_files(stack)) == 20


def test_several_workers_at_once_make_each_replica_once(stack, payload):
    for _ in range(3):
        stack.start_worker()
    bucket = stack.new_bucket("alice")
    bodies = {f"marked-{number:02d}": payload(20_000) for number in range(40)}
    for key, body in bodies.items():
        assert stack.raw("alice").request("PUT", f"/{bucket}/{key}", body).status == 200
    wait_until(lambda: jobs_are_done(stack), "all jobs are done", 60)
    assert len(object_files(stack)) == 80
    for key, body in bodies.items():
        assert set(copies(stack, key).values()) == {hashlib.sha256(body).hexdigest()}


@pytest.mark.timeout(240)
def test_kill_9_at_any_moment_loses_and_duplicates_nothing(stacks, payload):
    stack = stacks.files(lease_seconds=5)
    stack.set_policy(TWO, "--tenant", "alice")
    stack.start()
    bucket = stack.new_bucket("alice")
    raw = stack.raw("alice")
    bodies = {f"marked-{number:02d}": payload(200_000) for number in range(30)}
    chance = random.Random(2)

    for round_number in range(12):
        worker = stack.start_worker()
        for key in chance.sample(sorted(bodies), 6):
            bodies[key] = payload(200_000)
            assert raw.request("PUT", f"/{bucket}/{key}", bodies[key]).status == 200
        if round_number % 3 == 0:
            raw.request("PUT", f"/{bucket}/marked-gone-{round_number}", payload(50_000))
            raw.request("DELETE", f"/{bucket}/marked-gone-{round_number}")
        time.sleep(chance.uniform(0, 0.3))
        worker.kill()
    for key, body in bodies.items():
        assert raw.request("PUT", f"/{bucket}/{key}", body).status == 200

    stack.start_worker()
    wait_until(lambda: jobs_are_done(stack), "the last worker has done all jobs", 120, pause=0.2)
    assert len(object_files(stack)) == 2 * len(bodies), "every live version twice, and nothing unknown"
    for key, body in bodies.items():
        assert list(copies(stack, key).values()) == [hashlib.sha256(body).hexdigest()] * 2
        assert raw.request("GET", f"/{bucket}/{key}").body == body


def test_a_damaged_source_is_not_copied(stack, payload):
    bucket = stack.new_bucket("alice")
    stack.raw("alice").request("PUT", f"/{bucket}/marked-bad", payload(50_000))
    (path,) = [path for path, size in stack.stored().items() if "marked-bad" in path and size == 50_000]
    with open(path, "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    stack.worker_once(leaves_work=True)
    assert [name for name in object_files(stack)] == [path], "damaged bytes may not become a second replica"
    jobs = stack.s3gw_json("jobs", "list")
    assert jobs, "the work is still owed, and said to be"


@pytest.mark.timeout(180)
def test_replication_between_radosgw_regions_survives_an_outage(stacks, authority, payload):
    from support.radosgw import RadosGateways

    gateways = RadosGateways(stacks.directory("own") / "ceph", authority)
    stacks.exits.callback(gateways.down)
    stack = stacks.over(gateways, lease_seconds=5)
    policy = {
        "residency": {"allow": ["country:FI", "country:DE"]},
        "replicas": {"count": 2, "acknowledge": 1, "order": ["fi-fi-1", "de-de-1"]},
    }
    stack.set_policy(policy, "--tenant", "alice")
    stack.start(workers=1)
    bucket = stack.new_bucket("alice")
    bodies = {f"marked-{number}": payload(100_000) for number in range(8)}
    gateways["r2"].freeze()
    try:
        for key, body in bodies.items():
            assert stack.raw("alice").request("PUT", f"/{bucket}/{key}", body).status == 200
    finally:
        gateways["r2"].thaw()
    wait_until(lambda: jobs_are_done(stack), "all jobs are done after the outage", 120, pause=0.5)
    for region in ("r1", "r2"):
        sizes = {key: size for (_, key), size in gateways[region].objects().items() if "marked" in key}
        assert len(sizes) == len(bodies) and set(sizes.values()) == {100_000}, (region, sizes)
    assert not [key for _, key in gateways["r3"].objects() if "marked" in key]


def test_a_job_that_cannot_succeed_ends_in_the_dead_letters_and_can_be_retried_or_dropped(stack, payload):
    bucket = stack.new_bucket("alice")
    stack.raw("alice").request("PUT", f"/{bucket}/marked-lost", payload(1000))
    for path in object_files(stack):
        os.unlink(path)

    def dead():
        stack.worker_once(leaves_work=True)
        return [job for job in stack.s3gw_json("jobs", "list") if job["state"] == "dead"]

    # Back-off is in real time: dead letters are reached sooner by asking for a retry at once.
    deadline = time.monotonic() + 60
    while not (jobs := dead()):
        for job in stack.s3gw_json("jobs", "list"):
            stack.s3gw("jobs", "retry", job["id"])
        assert time.monotonic() < deadline, stack.s3gw("jobs", "list")
    assert "no good replica" in jobs[0]["lastError"]
    stack.s3gw("jobs", "drop", jobs[0]["id"])
    assert jobs[0]["id"] not in [job["id"] for job in stack.s3gw_json("jobs", "list")]


def test_the_worker_ends_when_it_is_asked_to(stack):
    worker = stack.start_worker()
    wait_until(lambda: "worker begins" in worker.log.read_text(), "the worker has begun")
    assert worker.stop(signal.SIGTERM, 10) == 0


def test_writes_go_on_while_workers_run_and_nothing_is_mixed_up(stack, payload):
    for _ in range(2):
        stack.start_worker()
    bucket = stack.new_bucket("alice")
    written, failures = {}, []

    def write(number):
        raw = stack.raw("alice")
        for _ in range(15):
            body = payload(3000)
            answer = raw.request("PUT", f"/{bucket}/marked-{number}", body)
            if answer.status != 200:
                failures.append(answer.body)
            written[number] = body
            if raw.request("GET", f"/{bucket}/marked-{number}").body != body:
                failures.append(f"{number} was not read back as written")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    wait_until(lambda: jobs_are_done(stack), "all jobs are done", 60)
    assert len(object_files(stack)) == 8
    for number, body in written.items():
        assert set(copies(stack, f"marked-{number}").values()) == {hashlib.sha256(body).hexdigest()}
