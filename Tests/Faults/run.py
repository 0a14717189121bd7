"""One run: a world, clients, faults, then the checks."""

import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field

from support.certificates import Authority

import schedule
from checks import Checker
from clients import Client
from injector import Injector
from record import Record
from values import Values
from world import World, build_shim

CLIENTS = (("alice", 4), ("bob", 2))
JOIN_SECONDS = 90
LEAST_DONE = 30  # operations that a run must complete, or it shows nothing
LEAST_HANDED_OFF = 3


@dataclass
class Result:
    seed: int
    violations: list = field(default_factory=list)  # (promise, words)
    warnings: list = field(default_factory=list)
    counts: dict = field(default_factory=dict)
    kinds: tuple = ()
    seconds: float = 0.0
    directory: str = ""

    @property
    def passed(self):
        return not self.violations


class Runner:
    """Makes what all runs share once: a certificate and the shim."""

    def __init__(self, keep=False, verbose=False, stores="rclone"):
        self.keep, self.verbose, self.stores = keep, verbose, stores
        self.shared = tempfile.mkdtemp(prefix="s3gw-faults-")
        self.authority = Authority(pathlib.Path(self.shared))
        self.shim = build_shim(self.shared)

    def close(self):
        shutil.rmtree(self.shared, ignore_errors=True)

    def log(self, words):
        if self.verbose:
            print(f"    {words}", file=sys.stderr, flush=True)

    def run(self, seed, only=(), seconds=schedule.SECONDS, planted=None, events=(), bucket="", hands_off=None):
        """`events` replace what the seed would choose, as does `hands_off`; `bucket` is the only one that clients use.

        With a bucket nothing is killed and no store fails: then nothing may be left over even before a worker reconciles.
        """
        result = Result(seed)
        directory = tempfile.mkdtemp(prefix="s3gw-fault-")
        began = time.monotonic()
        world = None
        try:
            hands_off = schedule.hands_off(seed) if hands_off is None else hands_off
            world = World(directory, self.authority, self.shim, self.stores, planted, hands_off=hands_off)
            self.trial(world, result, seed, events or schedule.make(seed, only, seconds), seconds, bucket)
        except Exception as error:
            if not self.catches(error):
                raise
            result.violations.append(("the run ends", f"{type(error).__name__}: {error}"))
        finally:
            if world:
                with contextlib.suppress(OSError):
                    self.keep_disks(world) if self.keep and result.violations else None
                world.close()
        result.seconds = time.monotonic() - began
        if self.keep and result.violations:
            result.directory = directory
        else:
            shutil.rmtree(directory, ignore_errors=True)
        return result

    @staticmethod
    def catches(error):
        """A world that cannot be built, or does not come back, is a finding too."""
        return isinstance(error, (AssertionError, SystemError, OSError, TimeoutError))

    @staticmethod
    def keep_disks(world):
        for name, disk in world.disks.items():
            shutil.copytree(disk.directory, world.base / f"kept-{name}", dirs_exist_ok=True)

    def trial(self, world, result, seed, events, seconds, bucket):
        world.client_skew = 0
        world.start_world()
        self.log(f"the world stands in {world.base}")
        record = Record(Values())
        for _ in range(2):
            world.start_worker()
        start = time.monotonic()
        injector = Injector(world, events, self.log)
        clients = []
        for tenant, count in CLIENTS:
            for _ in range(count):
                client = Client(len(clients), tenant, world, record, seed, start + seconds + 1.5)
                clients.append(client)
                if bucket:
                    client.buckets = [each for each in client.buckets if each.name == bucket]
                if client.buckets:
                    client.start()
        injector.run(start, seconds)
        counts = world.control.counts()
        injector.heal()
        for client in (each for each in clients if each.ident):
            client.join(JOIN_SECONDS)
            if client.is_alive():
                record.violated("a failure is clear", f"{client.name} still waits {JOIN_SECONDS} s after the last fault")
        self.log(f"{sum(record.counts.values())} requests, {len(record.history)} operations; the faults are over")
        checker = Checker(world, record, self.log)
        checker.recovers(seed)
        checker.end_uploads()
        for worker in world.workers:
            worker.stop(seconds=30)
        checker.drain()
        live = checker.read_back()
        checker.claims(live)
        if bucket:
            checker.convergence(live)
            record.violations += [("convergence", f"left over: {words}") for words in checker.leftovers]
            checker.leftovers.clear()
        reconciled = world.reconcile()
        if reconciled:
            checker.drain()
        self.log("drained and read back")
        checker.linearizable(start)
        unnoticed = checker.explained()
        record_lines = checker.residency(injector.misplaced)
        checker.convergence(live)
        checker.clear_failures()
        world.stop()
        result.violations += record.violations
        result.counts = dict(record.counts)
        result.kinds = tuple(dict.fromkeys(event.kind for event in events if event.kind not in injector.skipped))
        result.kinds += ("hand-off",) if world.hands_off else ()
        if injector.skipped:
            result.warnings.append(f"not possible here: {', '.join(sorted(injector.skipped))}")
        if checker.unfinished:
            result.warnings.append(f"{len(checker.unfinished)} files of cut writes: {checker.unfinished[0]}, ...")
        if checker.leftovers:
            words = f"{len(checker.leftovers)} unknown objects are left: " + "; ".join(checker.leftovers[:6])
            if reconciled:
                result.violations.append(("convergence", words))
            else:
                result.warnings.append(words)
        done = sum(count for (_, outcome), count in record.counts.items() if outcome.startswith("2"))
        self.log(f"{done} requests succeeded, {record_lines} bodies went by the proxy; it broke {counts}")
        handed_off = sum(each.pop("conditional", 0) for each in counts.values())
        self.log(f"nginx read {handed_off} objects itself; {unnoticed} flipped bytes went where nobody compares")
        if world.hands_off and handed_off < LEAST_HANDED_OFF:
            result.violations.append(("the run shows something", f"nginx read only {handed_off} objects itself"))
        if done < LEAST_DONE:
            result.violations.append(("the run shows something", f"only {done} requests succeeded"))


def environment_problem():
    """Says why no run is possible here, or None."""
    missing = [name for name in ("gcc", "nginx") if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")]
    return f"missing: {', '.join(missing)}" if missing else None
