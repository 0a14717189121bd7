"""What the worker copies beside a plain client, small jobs a second, and what more replicas cost a PUT."""

import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from support import paths
from support.certificates import Authority
from support.rclone import Rclone
from support.slowness import SlowProxy
from support.stack import Stack

from .load import Invalid
from .report import row

LARGE_BYTES, LARGE_COUNT, TRANSFERS = 8 << 20, 48, 4
SMALL_BYTES, SMALL_COUNT, SMALL_THREADS = 4096, 3000, 8
PUT_BYTES, PUT_COUNT = 1 << 20, 40
LINE_BYTES_PER_SECOND = 25 << 20
THROUGHPUT, JOBS, LATENCY = 0.8, 300, 1.5


class Place:
    """A directory with stores and gateways that are all gone at the end."""

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="s3gw-bench-worker-"))
        (self.directory / "ca").mkdir()
        self.authority = Authority(self.directory / "ca")
        self.stores, self.stacks, self.lines = [], [], []
        return self

    def __exit__(self, *_):
        for stack in self.stacks:
            stack.kill()
        for store in self.stores:
            store.stop()
        for line in self.lines:
            line.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def store(self, name):
        store = Rclone(name, self.directory / f"store-{name}")
        self.stores.append(store)
        return store

    def line(self, store, bytes_per_second):
        line = SlowProxy(store.port, bytes_per_second)
        self.lines.append(line)
        return line

    def stack(self, name, **settings):
        directory = self.directory / name
        directory.mkdir()
        stack = Stack(directory, self.authority, **settings).init()
        self.stacks.append(stack)
        return stack


def once(stack):
    """Returns the seconds that one worker needs for all that is due."""
    began = time.monotonic()
    result = subprocess.run(
        [paths.BINARIES / "s3gw-worker", "once", "--config", stack.configuration],
        capture_output=True, text=True, env=stack.environment, cwd=stack.directory, timeout=600,
    )
    if result.returncode != 0:
        raise Invalid(f"the worker: {result.stdout}{result.stderr}")
    return time.monotonic() - began


def put(stack, bucket, count, size):
    raw = stack.raw("alice")
    for number in range(count):
        answer = raw.request("PUT", f"/{bucket}/object-{number:05d}", os.urandom(size))
        if answer.status != 200:
            raise Invalid(f"PUT: {answer.status} {answer.body}")


def rclone_copy(place, source, target, bucket):
    """Returns the seconds that `rclone copy` needs for everything in one bucket, with as many transfers as we have."""
    configuration = place.directory / "rclone.conf"
    sections = [
        f"[{name}]\ntype = s3\nprovider = Other\nendpoint = {store.endpoint}\naccess_key_id = {store.access_key_id}\n"
        f"secret_access_key = {store.secret_access_key}\nforce_path_style = true\n"
        for name, store in (("source", source), ("target", target))
    ]
    configuration.write_text("\n".join(sections))
    began = time.monotonic()
    subprocess.run(
        [
            paths.CLIENTS / "rclone", "--config", configuration, "copy", f"source:{bucket}", f"target:plain-{bucket}",
            "--transfers", str(TRANSFERS), "--checkers", str(TRANSFERS), "--s3-no-check-bucket=false",
        ],
        check=True, capture_output=True, timeout=600,
    )
    return time.monotonic() - began


def copying(rounds, progress):
    """Returns [{ours, theirs}], bytes a second between two equal stores, in rounds whose order rotates."""
    rows = []
    for number in range(rounds):
        with Place() as place:
            progress(f"worker beside rclone copy, round {number + 1}")
            source, target = place.store("a"), place.store("b")
            stack = place.stack("gateway", worker_concurrency=TRANSFERS)
            stack.add_s3_backend("a", source, "FI", region="fi-1")
            stack.add_s3_backend("b", target, "DE", region="de-1")
            stack.create_tenant("alice", {"replicas": {"count": 2, "acknowledge": 1, "order": ["fi-1"]}})
            stack.start()
            put(stack, stack.new_bucket("alice"), LARGE_COUNT, LARGE_BYTES)
            (physical,) = [path.name for path in source.directory.iterdir() if path.name.startswith("s3gw-")]
            ways = {"ours": lambda: once(stack), "theirs": lambda: rclone_copy(place, source, target, physical)}
            names = list(ways) if number % 2 else list(ways)[::-1]
            rows.append({name: LARGE_COUNT * LARGE_BYTES / ways[name]() for name in names})
    return rows


def small_jobs(rounds, progress):
    """Returns jobs a second, one for each round, between two directories."""
    rates = []
    for number in range(rounds):
        with Place() as place:
            progress(f"small jobs, round {number + 1}")
            stack = place.stack("gateway", worker_concurrency=SMALL_THREADS)
            for name, country in (("fi", "FI"), ("de", "DE")):
                stack.add_file_backend(name, country)
            stack.create_tenant("alice", {"replicas": {"count": 2, "acknowledge": 1, "order": ["fi-fi-1"]}})
            stack.start()
            put(stack, stack.new_bucket("alice"), SMALL_COUNT, SMALL_BYTES)
            rates.append(SMALL_COUNT / once(stack))
    return rates


def put_latency(rounds, progress, bytes_per_second=None):
    """Returns [{one, three}], median seconds of a PUT with one replica and with three that all have to be there.

    With `bytes_per_second` each store stands behind a line of that speed, as one on another machine does.
    """
    rows = []
    with Place() as place:
        stack = place.stack("gateway")
        for name, country in (("a", "FI"), ("b", "DE"), ("c", "FR")):
            store = place.store(name)
            if bytes_per_second:
                store.at(f"http://127.0.0.1:{place.line(store, bytes_per_second).port}")
            stack.add_s3_backend(name, store, country)
        stack.create_tenant("alice", {"replicas": {"count": 1}})
        stack.start()
        buckets = {"one": stack.new_bucket("alice"), "three": stack.new_bucket("alice")}
        policy = {"replicas": {"count": 3, "acknowledge": "all"}}
        stack.set_policy(policy, "--bucket", buckets["three"], "--tenant", "alice")
        raw, body = stack.raw("alice"), os.urandom(PUT_BYTES)
        for number in range(rounds + 1):
            progress(f"PUT with acknowledge=all, round {number}")
            seconds = {name: [] for name in buckets}
            for count in range(PUT_COUNT):
                for name, bucket in buckets.items():
                    began = time.monotonic()
                    answer = raw.request("PUT", f"/{bucket}/put-{number}-{count}", body)
                    seconds[name].append(time.monotonic() - began)
                    if answer.status != 200:
                        raise Invalid(f"PUT: {answer.status} {answer.body}")
            # The first round makes connections and buckets.
            if number:
                rows.append({name: statistics.median(each) for name, each in seconds.items()})
    return rows


def measure(rounds, progress):
    """Returns what was measured, and rows {figure, asked, measured, isMet}."""
    copied, jobs, latency = copying(rounds, progress), small_jobs(rounds, progress), put_latency(rounds, progress)
    distant = put_latency(rounds, progress, LINE_BYTES_PER_SECOND)
    ratio = statistics.median(each["ours"] / each["theirs"] for each in copied)
    rate = statistics.median(jobs)
    cost = statistics.median(each["three"] / each["one"] for each in latency)
    ours = statistics.median(each["ours"] for each in copied) / (1 << 20)
    theirs = statistics.median(each["theirs"] for each in copied) / (1 << 20)
    print(f"worker: {ours:.0f} MiB/s, rclone copy: {theirs:.0f} MiB/s, {TRANSFERS} at a time, objects of 8 MiB")
    print(f"small objects: {rate:.0f} jobs/s between two directories, {SMALL_THREADS} threads")
    far = statistics.median(each["three"] / each["one"] for each in distant)
    for where, rows in (("here", latency), ("behind lines of 25 MiB/s", distant)):
        one, three = (1000 * statistics.median(each[name] for each in rows) for name in ("one", "three"))
        print(f"PUT of 1 MiB, stores {where}: {one:.1f} ms to one, {three:.1f} ms to three with acknowledge=all")
    print()
    figures = [
        row("worker: bytes a second, of rclone copy", f">= {THROUGHPUT}", round(ratio, 2), ratio >= THROUGHPUT),
        row("worker: small jobs a second, file backends", f">= {JOBS}", round(rate), rate >= JOBS),
        row("PUT 1 MiB, acknowledge=all on 3, of 1 backend", f"<= {LATENCY}", round(cost, 2), cost <= LATENCY),
        row("PUT 1 MiB, the same behind lines of 25 MiB/s", f"<= {LATENCY}", round(far, 2), far <= LATENCY),
    ]
    return {"copied": copied, "jobs": jobs, "latency": latency, "distant": distant}, figures

