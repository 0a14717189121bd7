"""The pool: replacement under load, kill -9, crash limits, draining, sockets."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from support import paths
from support.processes import wait_until
from support.sigv4 import Credentials

REQUESTS = 5_000
RELOADS = 10
# More than nginx's and most programs' default of 511, fewer than a process may have open files.
WAITING_CONNECTIONS = 900


class Load:
    """Threads that put, get, list and delete until told to stop, each remembering what was acknowledged."""

    def __init__(self, stack, bucket, threads=8, sizes=(100, 20_000), tolerate_failures=False):
        self.stack, self.bucket, self.sizes = stack, bucket, sizes
        self.acknowledged, self.uncertain, self.failures = {}, set(), []
        self.count = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.tolerate_failures = tolerate_failures
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self.threads)

    def run(self, number):
        raw, chance, turn = self.stack.raw("alice"), random.Random(number), 0
        while not self.stopping.is_set():
            turn += 1
            key = f"{number}-{turn % 20}"
            path = f"/{self.bucket}/{key}"
            kind = chance.choice(("put", "put", "get", "get", "head", "list", "delete"))
            body = os.urandom(chance.choice(self.sizes)) if kind == "put" else b""
            try:
                if kind == "list":
                    answer = raw.request("GET", f"/{self.bucket}?list-type=2&max-keys=10&prefix={number}-")
                else:
                    answer = raw.request(kind.upper(), path, body)
                status = answer.status
                good = (
                    status
                    in {"put": (200,), "get": (200, 404), "head": (200, 404), "list": (200,), "delete": (204,)}[kind]
                    and not answer.truncated
                )
                if kind == "get" and key not in self.uncertain:
                    expected = self.acknowledged.get(key)
                    digest = hashlib.md5(answer.body).hexdigest() if status == 200 else None
                    # A transfer that is cut is a failure that the client sees, and no wrong answer.
                    if digest != expected and (good or not self.tolerate_failures):
                        self.failures.append(f"GET {key}: {status}, not what was acknowledged")
            except Exception as error:  # whatever a client meets is a failed request
                good, status = False, repr(error)
            with self.lock:
                self.count += 1
                if not good and not self.tolerate_failures:
                    self.failures.append(f"{kind} {key}: {status}")
            if kind == "put":
                self.uncertain.discard(key) if good else self.uncertain.add(key)
                if good:
                    self.acknowledged[key] = hashlib.md5(body).hexdigest()
            elif kind == "delete":
                self.uncertain.discard(key) if good else self.uncertain.add(key)
                if good:
                    self.acknowledged.pop(key, None)

    def check_everything_reads_back(self):
        raw = self.stack.raw("alice")
        for key, digest in sorted(self.acknowledged.items()):
            if key in self.uncertain:
                continue
            answer = raw.request("GET", f"/{self.bucket}/{key}")
            assert answer.status == 200 and hashlib.md5(answer.body).hexdigest() == digest, key


@pytest.mark.timeout(300)
def test_5000_mixed_requests_over_10_reloads_without_one_failure(stacks):
    stack = stacks.files(processes=2, threads=8)
    stack.start()
    bucket = stack.new_bucket("alice")
    generations = [set(stack.pool.children())]
    with Load(stack, bucket) as load:
        while load.count < REQUESTS or len(generations) <= RELOADS:
            if len(generations) <= RELOADS:
                stack.reload()
                wait_until(
                    lambda: set(stack.pool.children()).isdisjoint(generations[-1]),
                    "a new generation serves and the old one has ended",
                )
                generations.append(set(stack.pool.children()))
            time.sleep(0.2)
    assert load.failures == []
    assert load.count >= REQUESTS and len(generations) > RELOADS
    load.check_everything_reads_back()


@pytest.mark.timeout(180)
def test_kill_9_of_pool_processes_during_puts_loses_no_acknowledged_object(stacks):
    stack = stacks.files(processes=3, threads=4)
    stack.start()
    bucket = stack.new_bucket("alice")
    chance, kills = random.Random(9), 0
    with Load(stack, bucket, threads=6, sizes=(1000, 300_000), tolerate_failures=True) as load:
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            time.sleep(1.0)  # fewer than ten crashes in 60 s
            children = stack.pool.children()
            if children:
                os.kill(chance.choice(children), signal.SIGKILL)
                kills += 1
    assert kills >= 5 and load.failures == [] and len(load.acknowledged) > 20
    wait_until(lambda: len(stack.pool.children()) == 3, "killed processes are replaced")
    load.check_everything_reads_back()


def test_a_reload_with_a_broken_configuration_keeps_the_old_generation(stacks):
    stack = stacks.files()
    stack.start()
    bucket = stack.new_bucket("alice")
    before = stack.pool.children()
    good = stack.configuration.read_text()
    stack.configuration.write_text(good + "treads = 9\n")
    stack.reload()
    wait_until(lambda: "treads" in stack.pool.tail(), "the log names the unknown key")
    assert stack.pool.children() == before
    assert stack.raw("alice").request("PUT", f"/{bucket}/k", b"x").status == 200
    stack.configuration.write_text(good)
    stack.reload()
    wait_until(lambda: set(stack.pool.children()).isdisjoint(before), "a good configuration takes over")


@pytest.mark.timeout(120)
def test_a_reload_takes_an_upgraded_binary_without_a_failed_request(stacks):
    stack = stacks.files(processes=2)
    own, newer = stack.directory / "s3gw-fcgi", stack.directory / "s3gw-fcgi.new"
    shutil.copy2(paths.BINARIES / "s3gw-fcgi", own)
    stack.pool_binary = own
    stack.start()
    bucket, before = stack.new_bucket("alice"), stack.pool.children()
    # Another file with other bytes at the same path, put there as package managers do; what follows an ELF file's
    # sections does not matter to it.
    shutil.copy2(own, newer)
    with newer.open("ab") as file:
        file.write(b"a newer version")
    os.rename(newer, own)
    with Load(stack, bucket, threads=4) as load:
        stack.reload()
        wait_until(lambda: len(stack.pool.children()) == 2 and set(stack.pool.children()).isdisjoint(before), "the new one")
    assert load.failures == [] and load.count > 0
    for pid in stack.pool.children():
        assert os.stat(f"/proc/{pid}/exe").st_size == own.stat().st_size, "the old binary runs on"


def test_a_reload_changes_the_number_of_processes(stacks):
    stack = stacks.files(processes=1)
    stack.start()
    assert len(stack.pool.children()) == 1
    stack.settings["processes"] = 3
    stack.write_configuration()
    stack.reload()
    wait_until(lambda: len(stack.pool.children()) == 3, "three processes")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_stop_lets_the_request_in_hand_finish(stacks, payload, number):
    stack = stacks.files(processes=1, threads=2)
    stack.start()
    bucket = stack.new_bucket("alice")
    answers = []

    def put():
        answers.append(stack.raw("alice").request("PUT", f"/{bucket}/large", payload(30_000_000)).status)

    thread = threading.Thread(target=put)
    thread.start()
    time.sleep(0.15)
    assert stack.pool.stop(number) == 0
    thread.join()
    assert answers and answers[0] in (200, 502, 503), answers
    assert not stack.socket.exists() or not stack.pool.running


@pytest.mark.timeout(120)
def test_ten_crashes_in_a_minute_end_the_pool_with_an_error(stacks):
    stack = stacks.files(processes=1)
    stack.start()
    kills = 0
    deadline = time.monotonic() + 90
    while stack.pool.running and time.monotonic() < deadline:
        for pid in stack.pool.children():
            os.kill(pid, signal.SIGKILL)
            kills += 1
        time.sleep(0.05)
    assert not stack.pool.running and stack.pool.process.returncode != 0
    assert 9 <= kills <= 15
    assert stack.pool.group() == []
    assert "crash" in stack.pool.tail().lower()


def test_a_killed_process_comes_back(stacks):
    stack = stacks.files(processes=2)
    stack.start()
    first = stack.pool.children()
    os.kill(first[0], signal.SIGKILL)
    wait_until(lambda: len(stack.pool.children()) == 2 and first[0] not in stack.pool.children(), "a new process")
    assert stack.raw("alice").request("GET", "/").status == 200


def test_when_the_master_is_killed_its_processes_do_not_stay(stacks):
    stack = stacks.files()
    stack.start()
    children = stack.pool.children()
    os.kill(stack.pool.pid, signal.SIGKILL)
    stack.pool.process.wait(10)
    wait_until(lambda: not stack.pool.group(), f"{children} end with their master", 15)


def test_the_socket_is_0660_and_a_second_pool_does_not_steal_it(stacks):
    stack = stacks.files()
    stack.start()
    assert oct(stack.socket.stat().st_mode & 0o777) == "0o660"
    second = subprocess.run(
        [paths.BINARIES / "s3gw-fcgi", "--config", stack.configuration],
        capture_output=True,
        text=True,
        timeout=30,
        env=stack.environment,
    )
    assert second.returncode != 0 and str(stack.socket) in second.stdout + second.stderr
    assert stack.raw("alice").request("GET", "/").status == 200


def test_connections_wait_while_every_process_is_busy(stacks):
    """A full backlog would be an instant 502 of nginx; the pool's has 4,096 places."""
    stack = stacks.files(processes=1, threads=1)
    stack.start()
    waiting = []
    for pid in stack.pool.group():
        os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(WAITING_CONNECTIONS):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            waiting.append(connection)
            connection.connect(str(stack.socket))  # raises when there is no place left
    finally:
        for connection in waiting:
            connection.close()
        for pid in stack.pool.group():
            os.kill(pid, signal.SIGCONT)
    wait_until(stack.answers, "the pool is through with those that left")


def test_usr1_opens_the_log_again_in_every_process(stacks):
    stack = stacks.files(processes=2, log_file=stacks.directory("log") / "pool.log")
    stack.start()
    log = pathlib.Path(stack.settings["log-file"])
    stranger = stack.raw(credentials=Credentials("nobody", "nothing"))
    moved = log.with_suffix(".1")
    log.rename(moved)
    stack.pool.send(signal.SIGUSR1)
    wait_until(log.exists, "the log is opened again")

    def logging():
        assert stranger.request("GET", "/").status == 403
        return {json.loads(line)["pid"] for line in log.read_text().splitlines()}

    wait_until(lambda: set(stack.pool.children()) <= logging(), "both processes write into the new log")
    size = moved.stat().st_size
    logging()
    assert moved.stat().st_size == size


def test_a_socket_left_by_a_killed_pool_is_taken_over(stacks):
    stack = stacks.files()
    stack.start()
    stack.pool.kill()
    stack.start_pool()
    wait_until(stack.answers, "the new pool answers")


def test_the_listening_socket_may_come_on_descriptor_0(stacks):
    stack = stacks.files()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stack.socket))
        listener.listen(128)
        log = open(stack.directory / "inherited.log", "wb")
        process = subprocess.Popen(
            [paths.BINARIES / "s3gw-fcgi", "--config", stack.configuration],
            stdin=listener,
            stdout=log,
            stderr=log,
            env=stack.environment,
            start_new_session=True,
        )
        try:
            stack.nginx.start()
            wait_until(stack.answers, "the gateway answers on the inherited socket")
            process.terminate()
            assert process.wait(20) == 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            log.close()
            stack.nginx.stop()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["file", "radosgw"])
def test_memory_of_a_process_stays_flat_while_64_mib_objects_pass(stacks, radosgw, kind):
    """The peak grows by at most 8 MiB after the first object."""
    options = {"processes": 1, "threads": 4}
    stack = stacks.files(**options) if kind == "file" else stacks.over(radosgw, **options)
    stack.start()
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    body = os.urandom(1 << 20) * 64
    digest = hashlib.sha256(body).hexdigest()

    def peak_mib_after_a_turn():
        assert raw.request("PUT", f"/{bucket}/large", body, payload="unsigned").status == 200
        assert hashlib.sha256(raw.request("GET", f"/{bucket}/large").body).hexdigest() == digest
        upload = raw.request("POST", f"/{bucket}/parts?uploads").xml.findtext("UploadId")
        target = f"/{bucket}/parts?partNumber=1&uploadId={upload}"
        assert raw.request("PUT", target, body, payload="unsigned").status == 200
        assert raw.request("DELETE", f"/{bucket}/parts?uploadId={upload}").status == 204
        (pid,) = stack.pool.children()
        (line,) = [line for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024

    first = peak_mib_after_a_turn()
    later = [peak_mib_after_a_turn() for _ in range(4)]
    assert later[-1] - first <= 8, (first, later)
