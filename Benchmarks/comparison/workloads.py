"""What is measured: four workloads by three ways in rounds whose order rotates, and memory."""

import itertools
import math

from . import load
from .accounting import CPUMeter, MemoryMeter
from .ways import LARGE_BYTES, LARGE_OBJECTS, SMALL_BYTES, SMALL_OBJECTS, large_key, small_key

CONNECTIONS = 16
# Distinct keys of one PUT round: more than a round writes, so that no key is written twice.
MOST_PUTS_PER_SECOND = 8000
LARGE_GETS = 8
LARGE_PUTS = 4
MEMORY_STREAMS = 4
WARM_UP_SECONDS = 1

serial = itertools.count()


def get_small(world, way, seconds):
    targets = way.presign("GET", [small_key(number) for number in range(SMALL_OBJECTS)])
    return load.wrk(way.url, "GET", targets, seconds, CONNECTIONS, SMALL_BYTES, world.directory)


def put_small(world, way, seconds):
    run = next(serial)
    # rclone answers some of the PUTs that make one new directory at once with 500.
    way.put(f"write/{run}/first", b"")
    count = math.ceil(seconds * MOST_PUTS_PER_SECOND)
    targets = way.presign("PUT", [f"write/{run}/{number}" for number in range(count)])
    return load.wrk(way.url, "PUT", targets, seconds, CONNECTIONS, 1, world.directory, world.small_file)


def get_large(world, way, seconds):
    targets = way.presign("GET", [large_key(number % LARGE_OBJECTS) for number in range(LARGE_GETS)])
    return load.curl(way.url, targets, LARGE_BYTES, world.directory)


def put_large(world, way, seconds):
    targets = way.presign("PUT", [f"write/large-{number}" for number in range(LARGE_PUTS)])
    return load.curl(way.url, targets, LARGE_BYTES, world.directory, source=world.large_file)


WORKLOADS = {"GET 4 KiB": get_small, "PUT 4 KiB": put_small, "GET 64 MiB": get_large, "PUT 64 MiB": put_large}


def rotated(items, count):
    count %= len(items)
    return items[count:] + items[:count]


def attempt(workload, world, way, seconds, name):
    try:
        return workload(world, way, seconds)
    except load.Invalid as problem:
        raise load.Invalid(f"{world.kind}, {name}, {way.name}: {problem}") from None


def compare(world, rounds, seconds, progress):
    """Returns {workload: {way: [{rate, megabytes, nginx, gateway, backend, p50, p99}, ...]}}, one row a round.

    `rate` is requests a second; nginx, gateway and backend are CPU microseconds a request.
    """
    results = {name: {way.name: [] for way in world.ways} for name in WORKLOADS}
    for name, workload in WORKLOADS.items():
        for way in world.ways:  # nobody pays for a first time
            attempt(workload, world, way, WARM_UP_SECONDS, name)
        for number in range(rounds):
            for way in rotated(world.ways, number):
                progress(f"{world.kind}: {name}, round {number + 1}, {way.name}")
                with CPUMeter(world.groups()) as meter:
                    run = attempt(workload, world, way, seconds, name)
                row = {group: used / run["requests"] * 1e6 for group, used in meter.seconds.items()}
                row["rate"] = run["requests"] / run["seconds"]
                row |= {figure: run[figure] for figure in ("p50", "p99") if figure in run}
                results[name][way.name].append(row)
            # Overwritten versions leave their backends between rounds, so that the disk does not fill.
            world.stack.worker_once()
    return results


def memory(world, progress):
    """Returns the resident bytes of each pool process while several 64 MiB objects pass both ways at once."""
    gateway = world.ways[0]
    get_small(world, gateway, WARM_UP_SECONDS)
    rows = {}
    for name, method, keys, source in (
        ("GET 64 MiB", "GET", [large_key(0)] * LARGE_GETS, None),
        ("PUT 64 MiB", "PUT", [f"write/memory-{number}" for number in range(LARGE_PUTS)], world.large_file),
    ):
        progress(f"{world.kind}: memory, {name}")
        with MemoryMeter(world.gateway_processes) as meter:
            # One key list a stream would hide nothing: versions are immutable, writers of one key do not meet.
            load.curl(
                gateway.url, gateway.presign(method, keys), LARGE_BYTES, world.directory, source, MEMORY_STREAMS
            )
        rows[name] = {"processes": meter.rows(), "largestChange": meter.largest_change()}
    world.stack.worker_once()
    return rows
