"""Carries a schedule out against a world, and does what the service manager would: starts again what died."""

import contextlib
import os
import random
import signal
import time

from schedule import CLOCK_KINDS, CLOCK_STEP_SECONDS, PROXY_KINDS
from support.processes import wait_until
from world import PROXIED, Rclone

RESTART_SECONDS = 0.2
RECOVERY_SECONDS = 20
LOOK_SECONDS = 0.2  # between two looks through the directory of the file backend


class Injector:
    """`run` returns when the last fault is over; `heal` ends whatever may be left of any."""

    def __init__(self, world, events, log):
        self.world, self.events, self.log = world, events, log
        self.stopped = set()  # process ids
        self.down_since = {}
        self.skipped = set()
        self.misplaced = set()
        self.looked = 0.0

    def run(self, start, seconds):
        actions = []
        for number, event in enumerate(self.events):
            actions.append((event.at, number, event, True))
            if event.seconds:
                actions.append((event.at + event.seconds, number, event, False))
        actions.sort(key=lambda each: each[:2])
        undo = {}
        while actions or time.monotonic() < start + seconds:
            self.supervise()
            if time.monotonic() - self.looked > LOOK_SECONDS:
                self.misplaced.update(self.world.misplaced())
                self.looked = time.monotonic()
            if actions and time.monotonic() >= start + actions[0][0]:
                _, number, event, begins = actions.pop(0)
                if begins:
                    self.log(f"{time.monotonic() - start:6.2f} s  begins: {event.text()}")
                    undo[number] = self.begin(event)
                elif undo.get(number):
                    undo[number]()
                continue
            time.sleep(0.02)

    def begin(self, event):
        """Starts a fault and returns what ends it, or None."""
        chance = random.Random(event.seed)
        if event.kind in PROXY_KINDS:
            self.world.control.rule(event.target, event.kind, event.rate, event.seed)
            return lambda: self.world.control.heal(event.target)
        if event.kind in CLOCK_KINDS:
            return self.step_clock(event)
        return getattr(self, event.kind.replace("-", "_"))(event, chance)

    # Processes.

    def kill_pool_process(self, event, chance):
        if children := self.world.pool.children():
            self.kill(chance.choice(children))

    @staticmethod
    def kill(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def kill_master(self, event, chance):
        if self.world.pool.running:
            self.world.kill_master(and_children=chance.random() < 0.5)

    def kill_worker(self, event, chance):
        chance.choice(self.world.workers).kill()

    def kill_nginx(self, event, chance):
        self.world.nginx.daemon.kill()

    def power_cut(self, event, chance):
        self.world.kill_all()
        lost = self.world.cut_power(event.seed)
        self.log(f"the power cut took {lost[0]} bytes of the database and {lost[1]} files and names of the file backend")

    def stop_pool_process(self, event, chance):
        children = self.world.pool.children()
        chance.shuffle(children)
        return self.freeze(children[: max(len(children) - 1, 1)])

    def stop_worker(self, event, chance):
        """Stopped while its stores are slow, so that it has jobs in hand, and for longer than their leases."""
        for name in PROXIED:
            self.world.control.rule(name, "slow", 1.0, event.seed)
        time.sleep(0.6)
        resume = self.freeze([self.world.workers[0].pid])
        for name in PROXIED:
            self.world.control.heal(name)
        return resume

    def stop_backend(self, event, chance):
        store = self.world.stores[event.target]
        return self.freeze([store.daemon.pid if isinstance(store, Rclone) else store.pid])

    def freeze(self, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self.stopped.add(pid)
        return lambda: self.thaw(pids)

    def thaw(self, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            self.stopped.discard(pid)

    # Disks and clocks.

    def full_spool(self, event, chance):
        return self.fill("spool", event)

    def full_database(self, event, chance):
        return self.fill("database", event)

    def full_backend(self, event, chance):
        return self.fill("se", event)

    def fill(self, name, event):
        if not self.world.disks[name].fill():
            self.skipped.add(event.kind)
            return None
        return self.world.disks[name].free

    def step_clock(self, event):
        step = CLOCK_STEP_SECONDS if event.kind == "clock-forward" else -CLOCK_STEP_SECONDS
        names = ("pool", "worker-0", "worker-1", "nginx") if event.target == "all" else (event.target,)

        def set_clocks(seconds):
            for name in names:
                self.world.step_clock(name, seconds)
                if name == "pool":
                    self.world.client_skew = seconds

        set_clocks(step)
        return lambda: set_clocks(0)

    # The service manager.

    def supervise(self):
        world = self.world
        self.keep("pool", world.pool.running, world.start_pool)
        self.keep("nginx", world.nginx.daemon.running, world.nginx.start)
        for index, worker in enumerate(world.workers):
            self.keep(f"worker-{index}", worker.running, lambda index=index: world.put_worker(index))

    def keep(self, name, is_running, start):
        if is_running:
            self.down_since.pop(name, None)
            return
        since = self.down_since.setdefault(name, time.monotonic())
        if time.monotonic() - since < RESTART_SECONDS:
            return
        try:
            start()
        except (AssertionError, SystemError) as error:
            self.log(f"{name} does not start yet: {str(error)[-300:]}")
        self.down_since.pop(name, None)

    def heal(self):
        world = self.world
        self.thaw(list(self.stopped))
        for name in PROXIED:
            world.control.heal(name)
        for disk in world.disks.values():
            disk.free()
        for name in list(world.clocks):
            world.step_clock(name, 0)
        world.client_skew = 0

        def everything_runs():
            self.supervise()
            return not self.down_since and world.answers()

        wait_until(everything_runs, "everything runs again after the faults", RECOVERY_SECONDS, pause=0.1)
