"""Compares the gateway with nginx `proxy_pass` to the same backend and with the backend alone, in one run.

Rounds are interleaved and their order rotates; figures are medians, ratios are medians of the rounds' ratios. CPU time
is the kernel's own accounting of nginx, of the pool and of the backend, divided by the requests. A run in which any
answer was wrong is invalid and says so. What it prints is also written to Benchmarks/results/ as JSON.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "Tests/EndToEnd"))
RESULTS = REPOSITORY / "Benchmarks/results"
BUSY = "others are at work here: CPU time of a request grows with it, ratios suffer less"

from support import paths  # noqa: E402
from support.certificates import Authority  # noqa: E402

from comparison import replication, report, uploads, workloads  # noqa: E402
from comparison.load import Invalid  # noqa: E402
from comparison.ways import World  # noqa: E402


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--backend", action="append", choices=("rclone", "radosgw", "file"), help="only this one; may be given again"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each workload and way (5)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds of a round with small objects (4)")
    parser.add_argument("--quick", action="store_true", help="two rounds of two seconds, and a listing of 100,000 keys")
    parser.add_argument("--multipart", action="store_true", help="only uploads of 1 GiB in parts; not part of a whole run")
    parser.add_argument("--no-micro", action="store_true", help="without the micro-benchmarks")
    parser.add_argument("--worker", action="store_true", help="only the worker's figures and what more replicas cost")
    parser.add_argument("--no-worker", action="store_true", help="without these")
    parser.add_argument("--keep", action="store_true", help="leave the directories with all logs behind")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds = 2, 2
    return chosen


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def micro_benchmarks(is_quick):
    """Returns [{name, microseconds, ...}] as MicroBenchmarks measured it, and prints its table."""
    words = [paths.BINARIES / "MicroBenchmarks", *(["--quick"] if is_quick else [])]
    result = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=900)
    if result.returncode != 0:
        raise Invalid(f"MicroBenchmarks: exit {result.returncode}")
    table, _, data = result.stdout.partition("\n{")
    print(table + "\n")
    return json.loads("{" + data)["results"]


def measure(kind, chosen):
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"s3gw-bench-{kind}-"))
    try:
        (directory / "ca").mkdir()
        world = World(kind, directory, Authority(directory / "ca"))
        try:
            world.fill()
            if chosen.multipart:
                results, memory = uploads.compare(world, chosen.rounds, progress)
            else:
                results = workloads.compare(world, chosen.rounds, chosen.seconds, progress)
                memory = workloads.memory(world, progress)
        except Exception:
            print(world.stack.tails(), file=sys.stderr)
            raise
        finally:
            world.stop()
    finally:
        if chosen.keep:
            print(f"kept: {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    progress("")
    if chosen.multipart:
        print(report.multipart_text(kind, results) + "\n", flush=True)
        return results, memory
    print(report.comparison_text(kind, results) + "\n")
    print(report.memory_text(kind, memory) + "\n", flush=True)
    return results, memory


def git(*words):
    return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()


def main():
    chosen = options()
    started = datetime.datetime.now(datetime.timezone.utc)
    record = {
        "startedAt": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else ""),
        "command": "make bench" if len(sys.argv) == 1 else "scripts/bench " + " ".join(sys.argv[1:]),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "loadBefore": os.getloadavg()[0]},
        "rounds": chosen.rounds, "seconds": chosen.seconds, "backends": {}, "figures": [],
    }
    machine = record["machine"]
    print(f"commit {record['commit'][:12]}, {machine['cores']} cores, {chosen.rounds} rounds")
    print(f"load average before: {machine['loadBefore']:.1f}" + (f"; {BUSY}" if machine["loadBefore"] > 1 else ""))
    print(flush=True)
    try:
        if not chosen.no_worker and not chosen.multipart:
            record["worker"], rows = replication.measure(chosen.rounds, progress)
            record["figures"] += rows
        if not chosen.no_micro and not chosen.worker and not chosen.multipart:
            record["micro"] = micro_benchmarks(chosen.quick)
            record["figures"] += report.listing_figures(record["micro"])
        for kind in () if chosen.worker else chosen.backend or ("rclone", "radosgw", "file"):
            results, memory = measure(kind, chosen)
            if chosen.multipart:
                record["backends"][kind] = {"multipart": results, "memory": memory}
                record["figures"] += report.multipart_figures(kind, results, memory)
                continue
            record["backends"][kind] = {"rounds": results, "medians": report.summary(results), "memory": memory}
            record["figures"] += report.figures(kind, results, memory)
    except Invalid as problem:
        print(f"\nINVALID: {problem}")
        return 1
    print(report.figures_text(record["figures"]))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{started:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    print(f"\nwritten to {path.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
