"""What breaks when: a pure function of the seed, so that a failing seed can be run again."""

import random
from dataclasses import dataclass

import proxy

PROXY_KINDS = proxy.KINDS
PROCESS_KINDS = (
    "kill-pool-process", "kill-master", "kill-worker", "kill-nginx", "stop-pool-process", "stop-worker", "stop-backend",
    "power-cut",
)  # fmt: skip
DISK_KINDS = ("full-spool", "full-database", "full-backend")
CLOCK_KINDS = ("clock-forward", "clock-back")
KINDS = (*PROCESS_KINDS, *DISK_KINDS, *CLOCK_KINDS, *PROXY_KINDS)

HANDS = 3  # this many seeds in a row have every kind at least once
SECONDS = 12.0
QUIET_SECONDS = 0.7  # before the first fault
LONGEST_SECONDS = {
    "stop-worker": (6.5, 8.0),  # longer than a lease: another worker gets the job meanwhile
    "stop-pool-process": (1.0, 4.0),
    "stop-backend": (1.0, 4.0),
    "hang": (1.0, 4.0),
    "full-database": (0.5, 1.5),
}
USUAL_SECONDS = (1.0, 3.0)
CLOCK_STEP_SECONDS = 20 * 60
INSTANT = ("kill-pool-process", "kill-master", "kill-worker", "kill-nginx", "power-cut")
TIMES = {"kill-pool-process": 3, "kill-worker": 2}  # how often it happens in one run, else once or twice


@dataclass(frozen=True)
class Event:
    at: float  # seconds after the start of the run
    seconds: float  # how long it lasts, 0 for one that is over at once
    kind: str
    seed: int
    target: str = ""  # a backend, or a clock
    rate: float = 1.0

    def text(self):
        words = f"{self.at:6.2f} s  {self.kind}"
        words += f" {self.target}" if self.target else ""
        words += f" at {self.rate:.0%}" if self.rate < 1 else ""
        return words + (f" for {self.seconds:.2f} s" if self.seconds else "")


def hand(seed, kinds=KINDS):
    """Returns the kinds that a seed has; HANDS seeds that follow each other, from a multiple of it, have all."""
    deck = list(kinds)
    random.Random(f"deck {seed // HANDS}").shuffle(deck)
    return deck[seed % HANDS :: HANDS]


def hands_off(seed):
    """Whether nginx reads small objects from the stores itself in the run of a seed."""
    return seed % 2 == 1


def make(seed, only=(), seconds=SECONDS):
    """Returns the events of a run in the order in which they begin."""
    chance = random.Random(f"schedule {seed}")
    events = []
    for kind in only or hand(seed):
        for _ in range(TIMES.get(kind, chance.choice((1, 1, 2)))):
            events.append(event(kind, chance, seconds))
    return sorted(events, key=lambda each: each.at)


def event(kind, chance, seconds):
    lasting = 0.0 if kind in INSTANT else chance.uniform(*LONGEST_SECONDS.get(kind, USUAL_SECONDS))
    lasting = min(lasting, seconds * 0.7)
    at = chance.uniform(QUIET_SECONDS, max(seconds - lasting - 0.5, QUIET_SECONDS + 0.1))
    target, rate = "", 1.0
    if kind in PROXY_KINDS:
        target = chance.choice(("fi", "fi", "de", "de", "us"))
        rate = chance.choice((0.3, 0.6, 1.0)) if kind not in ("refuse", "hang") else 1.0
    elif kind == "stop-backend":
        target = chance.choice(("fi", "de", "us"))
    elif kind in CLOCK_KINDS:
        target = chance.choice(("pool", "worker-0", "worker-1", "nginx", "all"))
    return Event(round(at, 3), round(lasting, 3), kind, chance.randrange(1 << 30), target, rate)
