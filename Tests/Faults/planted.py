"""The checker is checked: a gateway with a bug planted in it must fail, and the same run without the bug must pass."""

import pathlib
import subprocess
import sys
from dataclasses import dataclass

from schedule import Event
from support import paths

BUILD = ".build/planted"
BUILD_SECONDS = 1800
SEEDS_TRIED = 6


@dataclass(frozen=True)
class Planted:
    """`kinds` are the faults that bring the bug out; `promise` is a word of the promise that it breaks."""

    name: str
    says: str
    kinds: tuple
    promises: tuple
    seconds: float = 12.0
    events: tuple = ()  # instead of what the seed would choose
    bucket: str = ""  # the only one that clients use
    hands_off: bool = False  # nginx reads small objects itself


BUGS = (
    Planted(
        "acknowledge-before-commit",
        "the client hears 200 before the transaction is durable",
        ("kill-pool-process", "slow"),
        ("linearizable", "never wrong bytes", "no acknowledged write"),
    ),
    Planted(
        "skip-length-check",
        "what a store says it has is not compared with what was sent",
        ("cut-body",),
        ("no acknowledged write", "convergence"),
    ),
    Planted(
        "synchronous-normal",
        "commits are not synced, and the power goes",
        ("power-cut",),
        ("linearizable", "no acknowledged write"),
    ),
    Planted(
        "blind-retry",
        "nginx gives a write that takes long to another process too",
        ("stop-pool-process", "stop-pool-process", "slow", "slow"),
        ("linearizable",),
    ),
    Planted(
        "no-fencing",
        "a worker that lost its lease commits all the same",
        ("stop-worker",),
        ("convergence", "no acknowledged write", "linearizable"),
        # A removal in hand, the copy wanted again and made by another, and nothing after the stale commit to mend it.
        seconds=11.0,
        events=(Event(5.0, 9.0, "stop-worker", 1),),
        bucket="still",
    ),
    Planted(
        "ignore-residency",
        "when a backend fails, any other takes its place",
        ("refuse", "error-503"),
        ("policy before bytes",),
    ),
    Planted(
        "hand-off-unconditional",
        "nginx reads from a store without If-Match",
        ("old-object", "old-object", "old-object"),
        ("never wrong bytes",),
        hands_off=True,
    ),
    Planted(
        "hand-off-believes-errors",
        "nginx passes on what a store says instead of the object",
        ("error-500", "error-503"),
        ("a failure is clear", "the driver works"),
        hands_off=True,
    ),
    Planted(
        "skip-body-check",
        "what goes out is not compared with the version's checksum",
        ("flip-byte", "flip-byte", "flip-byte"),
        ("never wrong bytes",),
    ),
    Planted(
        "copy-any-version",
        "a part is copied from whatever the store calls the source",
        ("old-object", "old-object", "old-object"),
        ("never wrong bytes",),
    ),
    Planted(
        "part-off-by-one",
        "the first part of an object is read one byte too late",
        ("slow",),
        ("never wrong bytes",),
    ),
    Planted(
        "lost-tags",
        "tags are acknowledged and not written",
        ("slow",),
        ("linearizable",),
    ),
    Planted(
        "unsynced-directories",
        "the names of a file backend are not synced, and the power goes",
        ("power-cut", "power-cut"),
        ("convergence", "no acknowledged write", "linearizable"),
    ),
    Planted(
        "skewed-is-missing",
        "a store that refuses what another clock signed is taken for one that has nothing",
        ("store-clock-forward",),
        ("convergence", "no acknowledged write", "linearizable"),
        events=(Event(3.0, 4.0, "store-clock-forward", 2, "de"),),
        bucket="strict",
    ),
)


def build():
    """Builds the gateway with the hooks, beside the usual build; returns where its binaries are."""
    words = ["swift", "build", "--quiet", "--scratch-path", BUILD, "-Xswiftc", "-DS3GW_PLANTED_BUGS"]
    for product in ("s3gw-fcgi", "s3gw-worker", "s3gw"):
        subprocess.run([*words, "--product", product], check=True, cwd=paths.REPOSITORY, timeout=BUILD_SECONDS)
    return paths.REPOSITORY / BUILD / "debug"


def shipped_binaries_are_clean(directory):
    """A build without the condition has no word of the hooks."""
    return [
        name
        for name in ("s3gw-fcgi", "s3gw-worker", "s3gw")
        if b"PLANTED_BUG" in pathlib.Path(directory, name).read_bytes()
    ]


def catch(runner, bug):
    """Returns (seed, words) of the first seed that catches `bug`, or None."""
    for seed in range(SEEDS_TRIED):
        result = runner.run(seed, bug.kinds, bug.seconds, bug.name, bug.events, bug.bucket, bug.hands_off)
        for promise, words in result.violations:
            if any(promise.startswith(each) for each in bug.promises):
                return seed, f"{promise}: {words}"
        others = sorted({promise for promise, _ in result.violations})
        print(f"  seed {seed} did not catch {bug.name}" + (f", but broke: {others}" if others else ""), flush=True)
    return None


def show_planted(runner, options):
    usual = paths.BINARIES
    if found := shipped_binaries_are_clean(usual):
        print(f"{usual}: planted bugs are in {', '.join(found)}")
        return 1
    paths.BINARIES = build()
    status = 0
    for bug in BUGS:
        if options.planted not in ("all", bug.name):
            continue
        caught = catch(runner, bug)
        if not caught:
            print(f"{bug.name}: NOT CAUGHT by {SEEDS_TRIED} seeds ({bug.says})", flush=True)
            status = 1
            continue
        seed, words = caught
        print(f"{bug.name}: caught by seed {seed} ({bug.says})\n    {words.splitlines()[0][:200]}", flush=True)
        clean = runner.run(seed, bug.kinds, bug.seconds, None, bug.events, bug.bucket, bug.hands_off)
        if clean.violations:
            print(f"  the same seed without the bug fails too: {clean.violations}", flush=True)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit("use scripts/faults --planted")
