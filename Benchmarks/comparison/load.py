"""The load: wrk for small objects, curl for large ones. Both check every answer."""

import json
import pathlib
import subprocess

SCRIPT = pathlib.Path(__file__).with_name("requests.lua")
SPARE_SECONDS = 60


class Invalid(Exception):
    """An answer was not what it should be: figures of such a run mean nothing."""


def wrk(url, method, targets, seconds, connections, least_bytes, directory, body=None):
    """Returns {requests, seconds, p50, p99} (the latter two in microseconds) of one run over `targets`."""
    listing = pathlib.Path(directory) / "targets"
    listing.write_text("".join(f"{target}\n" for target in targets))
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", SCRIPT, url, "--", method, listing]
    result = subprocess.run(
        [str(word) for word in words + ([body] if body else [])], capture_output=True, text=True,
        timeout=seconds + SPARE_SECONDS,
    )
    if result.returncode != 0:
        raise Invalid(f"wrk: exit {result.returncode}: {result.stderr}")
    answer = json.loads(result.stdout.strip().splitlines()[-1])
    wrong = {name: answer[name] for name in ("connect", "read", "write", "status", "timeout") if answer[name]}
    if wrong or not answer["requests"] or "Non-2xx" in result.stdout:
        raise Invalid(f"{method} {url}: of {answer['requests']} requests went wrong {wrong}")
    # wrk takes 3xx for success, and a short body too.
    if answer["bytes"] < answer["requests"] * least_bytes:
        raise Invalid(f"{method} {url}: {answer['bytes']} bytes for {answer['requests']} answers are too few")
    return {
        "requests": answer["requests"], "seconds": answer["microseconds"] / 1e6,
        "p50": answer["p50"], "p99": answer["p99"],
    }


def curl_words(url, targets, source, directory):
    """Returns the words of a curl that moves one object after the other over one connection."""
    report = "%{http_code} %{size_download} %{size_upload} %{time_total}\\n"
    lines = ["silent", "show-error", f'write-out = "{report}"', 'header = "Expect:"']
    for target in targets:
        lines += [f'url = "{url}{target}"', 'output = "/dev/null"']
        if source:
            lines.append(f'upload-file = "{source}"')
    configuration = pathlib.Path(directory) / f"curl-{abs(hash(targets))}"
    configuration.write_text("\n".join(lines) + "\n")
    return ["curl", "--disable", "--config", str(configuration)]


def check_curl(output, targets, size, is_upload):
    """Returns the seconds that all transfers took."""
    rows = [line.split() for line in output.splitlines()]
    if len(rows) != len(targets):
        raise Invalid(f"curl reports {len(rows)} of {len(targets)} transfers")
    for status, downloaded, uploaded, _ in rows:
        if status != "200" and not (is_upload and status in ("201", "204")):
            raise Invalid(f"status {status}")
        if int(uploaded if is_upload else downloaded) != size:
            raise Invalid(f"{uploaded if is_upload else downloaded} bytes instead of {size}")
    return sum(float(row[3]) for row in rows)


def curl(url, targets, size, directory, source=None, streams=1):
    """Moves `targets` over each of `streams` connections at once.

    Downloads, or uploads the file `source`. Returns {requests, seconds}; `seconds` is what a connection was busy.
    """
    targets = tuple(targets)
    words = curl_words(url, targets, source, directory)
    clients = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(streams)
    ]
    seconds = 0
    for client in clients:
        output, complaint = client.communicate(timeout=SPARE_SECONDS * len(targets))
        if client.returncode != 0:
            raise Invalid(f"curl: exit {client.returncode}: {complaint}")
        seconds += check_curl(output, targets, size, source is not None)
    return {"requests": len(targets) * streams, "seconds": seconds / streams}
