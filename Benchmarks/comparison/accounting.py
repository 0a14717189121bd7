"""What processes cost, by the kernel's own books in /proc."""

import os
import pathlib
import threading

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pids):
    """Returns user and system time of living processes together; a tick is 10 ms, so measure for seconds."""
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


class CPUMeter:
    """CPU seconds of groups of processes while the `with` block runs, in `seconds` by group."""

    def __init__(self, groups):
        self.groups = groups  # name -> process ids
        self.seconds = {}

    def __enter__(self):
        self.before = {name: cpu_seconds(pids) for name, pids in self.groups.items()}
        return self

    def __exit__(self, *_):
        for name, pids in self.groups.items():
            self.seconds[name] = cpu_seconds(pids) - self.before[name]


class MemoryMeter:
    """Resident memory of each process: before the `with` block, its extremes inside, and after it."""

    INTERVAL_SECONDS = 0.01

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        self.before = {pid: resident_bytes(pid) for pid in self.pids}
        self.lowest, self.highest = dict(self.before), dict(self.before)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def watch(self):
        while not self.over.wait(self.INTERVAL_SECONDS):
            for pid in self.pids:
                size = resident_bytes(pid)
                self.lowest[pid] = min(self.lowest[pid], size)
                self.highest[pid] = max(self.highest[pid], size)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.after = {pid: resident_bytes(pid) for pid in self.pids}

    def rows(self):
        return [
            {
                "before": self.before[pid], "lowest": self.lowest[pid], "highest": self.highest[pid],
                "after": self.after[pid],
            }
            for pid in self.pids
        ]

    def largest_change(self):
        """Returns the bytes by which any process went furthest from where it began."""
        return max(
            max(self.highest[pid] - self.before[pid], self.before[pid] - self.lowest[pid]) for pid in self.pids
        )
