"""The fault suite's command line; see scripts/faults."""

import argparse
import contextlib
import pathlib
import signal
import sys
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "EndToEnd")]

import schedule  # noqa: E402
from run import Runner, environment_problem  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/faults", description="Runs the gateway under faults and checks it.")
    parser.add_argument("--seed", type=int, action="append", default=[], help="this seed; may be repeated")
    parser.add_argument("--seeds", metavar="A-B", help="all seeds from A to B")
    parser.add_argument("--only", default="", metavar="KINDS", help="only these faults: " + ", ".join(schedule.KINDS))
    parser.add_argument("--seconds", type=float, default=schedule.SECONDS, help="how long the faults of a run last")
    parser.add_argument("--stores", choices=("rclone", "radosgw"), default="rclone", help="what stands behind the proxy")
    parser.add_argument("--planted", nargs="?", const="all", metavar="BUG", help="show that planted bugs are caught")
    parser.add_argument("--keep", action="store_true", help="keep the directory of a run that failed")
    parser.add_argument("--show", action="store_true", help="only print the schedules")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--junit", metavar="FILE", help="write the results there")
    return parser.parse_args()


def seeds_of(options):
    seeds = list(options.seed)
    if options.seeds:
        first, _, last = options.seeds.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds or list(range(schedule.HANDS))


def replay(seed, options):
    words = f"scripts/faults --seed {seed}"
    words += f" --only {options.only}" if options.only else ""
    words += f" --seconds {options.seconds:g}" if options.seconds != schedule.SECONDS else ""
    words += f" --stores {options.stores}" if options.stores != "rclone" else ""
    return words + " --keep"


def show(result, options):
    done = sum(count for (_, outcome), count in result.counts.items() if outcome.startswith("2"))
    words = "passed" if result.passed else "FAILED"
    print(f"seed {result.seed}: {words}, {done} of {sum(result.counts.values())} requests succeeded, "
          f"{result.seconds:.0f} s: {', '.join(result.kinds)}", flush=True)  # fmt: skip
    for words in result.warnings:
        print(f"  note: {words}")
    shown = {}
    for promise, words in result.violations:
        shown.setdefault(promise, []).append(words)
    for promise, cases in shown.items():
        print(f"  broken: {promise} ({len(cases)})")
        for words in cases[:4]:
            print(f"    {words}")
    if not result.passed:
        print(f"  again: {replay(result.seed, options)}" + (f"\n  kept: {result.directory}" if result.directory else ""))
    sys.stdout.flush()


def write_junit(path, cases):
    suite = ElementTree.Element("testsuite", name="faults")
    for name, seconds, problem in cases:
        case = ElementTree.SubElement(suite, "testcase", classname="faults", name=name, time=f"{seconds:.1f}")
        if problem:
            ElementTree.SubElement(case, "failure", message=problem[:2000])
    ElementTree.ElementTree(suite).write(path)


def main():
    options = arguments()
    only = [kind for kind in options.only.split(",") if kind]
    if unknown := [kind for kind in only if kind not in schedule.KINDS]:
        sys.exit(f"no such fault: {', '.join(unknown)}")
    if options.show:
        for seed in seeds_of(options):
            print(f"seed {seed}")
            for event in schedule.make(seed, only, options.seconds):
                print(f"  {event.text()}")
        return 0
    if problem := environment_problem():
        sys.exit(problem)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, whoever ends us
    runner = Runner(options.keep, not options.quiet, options.stores)
    with contextlib.closing(runner):
        if options.planted:
            from planted import show_planted

            return show_planted(runner, options)
        cases = []
        for seed in seeds_of(options):
            if not options.quiet:
                for event in schedule.make(seed, only, options.seconds):
                    print(f"    {event.text()}", file=sys.stderr)
            result = runner.run(seed, only, options.seconds)
            show(result, options)
            problem = "; ".join(f"{promise}: {words}" for promise, words in result.violations)
            cases.append((f"seed {seed} ({', '.join(result.kinds)})", result.seconds, problem))
    if options.junit:
        write_junit(options.junit, cases)
    return 1 if any(problem for _, _, problem in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
