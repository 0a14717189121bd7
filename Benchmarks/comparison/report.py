"""Medians, ratios and the figures that were asked for, as text and as data."""

from statistics import median

MEBIBYTE = 1024 * 1024
MEMORY_CHANGE_BYTES = 8 * MEBIBYTE
# (workload, ratio to, at least)
RATIOS = (("GET 4 KiB", "proxy", 0.35), ("GET 64 MiB", "proxy", 0.6), ("PUT 64 MiB", "direct", 0.7))
MULTIPART_RATIO = 0.7
GET_CPU_MICROSECONDS = 200
LISTING_MICROSECONDS = 10_000


def summary(results):
    """Returns {workload: {way: {figure: median}}} of the rounds that `workloads.compare` ran."""
    return {
        name: {
            way: {figure: median(row[figure] for row in rows) for figure in rows[0]} for way, rows in ways.items()
        }
        for name, ways in results.items()
    }


def paired_ratio(results, workload, other):
    """Returns the median over the rounds of our rate to the other's in the same round."""
    rounds = zip(results[workload]["gateway"], results[workload][other])
    return median(ours["rate"] / theirs["rate"] for ours, theirs in rounds)


def figures(kind, results, memory):
    """Returns rows {figure, asked, measured, isMet} for one backend."""
    medians = summary(results)
    rows = []
    for workload, other, least in RATIOS:
        if kind == "file" and other == "direct":
            continue  # a directory takes no PUT by itself, and nginx's neither hashes nor waits for the disk
        ratio = paired_ratio(results, workload, other)
        rows.append(row(f"{kind}: {workload}, of {other}", f">= {least}", round(ratio, 2), ratio >= least))
    ours = medians["GET 4 KiB"]["gateway"]
    cpu = ours["nginx"] + ours["gateway"]
    name, asked = f"{kind}: GET 4 KiB, CPU us, nginx and ours", f"<= {GET_CPU_MICROSECONDS}"
    rows.append(row(name, asked, round(cpu), cpu <= GET_CPU_MICROSECONDS))
    for name, answer in memory.items():
        change = answer["largestChange"]
        rows.append(
            row(
                f"{kind}: {name}, memory of a process moves by MiB", f"<= {MEMORY_CHANGE_BYTES // MEBIBYTE}",
                round(change / MEBIBYTE, 1), change <= MEMORY_CHANGE_BYTES,
            )
        )
    return rows


def listing_figures(micro):
    """Returns the rows about listing, from what MicroBenchmarks printed."""
    rows = [(f"{each['name']}, us", each["microseconds"]) for each in micro if each["name"].startswith("List")]
    return [
        row(name, f"< {LISTING_MICROSECONDS}", round(measured), measured < LISTING_MICROSECONDS) for name, measured in rows
    ]


def multipart_figures(kind, results, memory):
    """Returns the rows about uploads in parts."""
    ratio = median(ours / theirs for ours, theirs in zip(results["gateway"], results["direct"]))
    least, change = MULTIPART_RATIO, memory["largestChange"]
    name = f"{kind}: 1 GiB in parts of 8 MiB by 4 clients"
    rows = [
        row(
            f"{name}, memory moves by MiB", f"<= {MEMORY_CHANGE_BYTES // MEBIBYTE}", round(change / MEBIBYTE, 1),
            change <= MEMORY_CHANGE_BYTES,
        )
    ]
    # A directory takes no uploads by itself, and nginx's neither hashes nor waits for the disk.
    if kind != "file":
        rows.append(row(f"{name}, of direct", f">= {least}", round(ratio, 2), ratio >= least))
    return rows


def multipart_text(kind, results):
    lines = [f"{kind}: 1 GiB in parts of 8 MiB by 4 clients, MiB/s of each round"]
    for way, rates in results.items():
        lines.append(f"  {way:8} " + "  ".join(f"{rate:7.1f}" for rate in rates))
    return "\n".join(lines)


def row(figure, asked, measured, is_met):
    return {"figure": figure, "asked": asked, "measured": measured, "isMet": is_met}


def comparison_text(kind, results):
    """Returns the table of one backend."""
    lines = [
        f"{kind}",
        f"  {'':10}  {'way':8} {'req/s':>9} {'MiB/s':>8} {'p50 us':>8} {'p99 us':>8}"
        f" {'of proxy':>9} {'of direct':>9} {'nginx us':>9} {'ours us':>9} {'backend us':>10}",
    ]
    for name, ways in summary(results).items():
        size = 4 / 1024 if "KiB" in name else 64
        for way, each in ways.items():
            ratios = ["", ""]
            if way == "gateway":
                ratios = [f"{paired_ratio(results, name, other):.2f}" for other in ("proxy", "direct")]
            latencies = [f"{each[figure]:.0f}" if figure in each else "" for figure in ("p50", "p99")]
            lines.append(
                f"  {name:10}  {way:8} {each['rate']:9.1f} {each['rate'] * size:8.1f}"
                f" {latencies[0]:>8} {latencies[1]:>8} {ratios[0]:>9} {ratios[1]:>9}"
                f" {each['nginx']:9.0f} {each['gateway']:9.0f} {each['backend']:10.0f}"
            )
    return "\n".join(lines)


def memory_text(kind, memory):
    lines = [f"{kind}: resident MiB of each pool process while 64 MiB objects pass"]
    for name, answer in memory.items():
        for number, process in enumerate(answer["processes"]):
            parts = ("before", "lowest", "highest", "after")
            sizes = "  ".join(f"{part} {process[part] / MEBIBYTE:6.1f}" for part in parts)
            lines.append(f"  {name:10}  process {number}  {sizes}")
    return "\n".join(lines)


def figures_text(rows):
    lines = ["figures"]
    for each in rows:
        verdict = "met" if each["isMet"] else "MISSED"
        lines.append(f"  {each['figure']:60} {each['asked']:>9} {each['measured']:>9}  {verdict}")
    return "\n".join(lines)
