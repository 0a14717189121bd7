"""Processes that a test starts: each in a group of its own, its output in a file, ended by its own id."""

import contextlib
import ctypes
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

READY_SECONDS = 20
STOP_SECONDS = 20
SERVER_PORTS = (20000, 32768)  # Linux gives clients 32768 and up


PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None)


def _end_with_parent():
    """Runs in the child before exec: a test run that is killed takes its daemons along."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class NotReady(AssertionError):
    pass


def wait_until(condition, what, seconds=READY_SECONDS, pause=0.02):
    """Returns the first true answer of `condition`; an exception that it raises counts as "not yet" until the end."""
    deadline = time.monotonic() + seconds
    while True:
        reason = None
        try:
            answer = condition()
            if answer:
                return answer
        except (OSError, AssertionError, KeyError, subprocess.SubprocessError) as error:
            reason = error
        if time.monotonic() > deadline:
            raise NotReady(f"not within {seconds} s: {what}") from reason
        time.sleep(pause)


def free_ports(count):
    """Ports of 127.0.0.1 that nobody has, from below those that the kernel gives to clients, who would take one of them
    before its server listens."""
    with contextlib.ExitStack() as stack:
        ports = []
        while len(ports) < count:
            port = random.randrange(*SERVER_PORTS)
            try:
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
        return ports


class Daemon:
    """One long-running process. `stop` asks first and kills after a bound; `kill` does not ask."""

    def __init__(self, name, words, directory, environment=None):
        self.name = name
        self.log = pathlib.Path(directory) / f"{name}.log"
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                env=environment,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    def send(self, number):
        os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, seconds=STOP_SECONDS):
        """Returns the exit code; the process must end by itself within `seconds`, and take its children along."""
        if self.running:
            self.send(number)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.name} did not end within {seconds} s of signal {number}\n{self.tail()}"
            ) from None
        left = self.group()
        self.kill()
        assert not left, f"{self.name} ended and left {left}"
        return code

    def kill(self):
        """SIGKILL to the process and to all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def group(self):
        """Returns the living process ids of this process's group."""
        return [pid for pid, status in statuses() if status["group"] == self.pid and status["state"] != "Z"]

    def children(self):
        """Returns the ids of the living direct children, oldest first."""
        found = [
            (status["start"], pid)
            for pid, status in statuses()
            if status["parent"] == self.pid and status["state"] != "Z"
        ]
        return [pid for _, pid in sorted(found)]

    def tail(self, bytes_count=4000):
        return f"--- {self.log.name}\n" + self.log.read_text(errors="replace")[-bytes_count:]


def statuses():
    """Yields (pid, {state, parent, group, start}) of every process, from /proc/PID/stat."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            yield (
                int(entry),
                {"state": fields[0], "parent": int(fields[1]), "group": int(fields[2]), "start": int(fields[19])},
            )
