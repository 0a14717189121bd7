#!/usr/bin/env python3
"""Time and memory of comparing one million objects of a `file` backend with the database.

    Benchmarks/reconcile.py [--objects N] [--below N] [--binaries DIRECTORY]

Makes the objects and the rows that PUTs would have made, empty ones, then runs `s3gw-worker reconcile`, once with everything
as it should be and once with a thousand objects gone. `--below` is how many stand in one directory.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(number):
    milliseconds = 1_700_000_000_000 + number
    value = milliseconds << 80 | number
    return "".join(ALPHABET[value >> 5 * place & 31] for place in range(25, -1, -1)), value.to_bytes(16, "big")


def make(directory, binaries, count, below):
    configuration = directory / "s3gw.conf"
    configuration.write_text(
        f"database = {directory}/s3gw.db\nmaster-key-file = {directory}/master.key\nspool-directory = {directory}\n"
        f"log-level = warning\nlog-file = {directory}/log\n"
    )
    store = directory / "store"
    store.mkdir()
    environment = os.environ | {"S3GW_CONFIG": str(configuration)}
    words = ["--type", "file", "--path", store, "--country", "FI", "--region", "fi-1"]
    for verb in (["init"], ["backend", "add", "fi", *words], ["tenant", "create", "bench"]):
        subprocess.run([binaries / "s3gw", *verb], check=True, env=environment, stdout=subprocess.DEVNULL)
    database = sqlite3.connect(directory / "s3gw.db")
    with database:
        database.execute(
            "INSERT INTO buckets (tenant_id, name, region, locations, versioning, created_at) VALUES (1, ?, 'r', '', "
            "'unversioned', 0)",
            (b"bench",),
        )
        database.execute(
            "INSERT INTO mappings (bucket_id, backend_id, counter, physical_name, scheme, state) "
            "VALUES (1, 1, 0, 's3gw-bench-fi', 1, 'ready')"
        )
        for number in range(count):
            text, id = ulid(number)
            folder = store / "s3gw-bench-fi" / f"{number // below:06d}"
            if number % below == 0:
                folder.mkdir(parents=True)
            name = f"key-{number:09d}~{text}"
            os.close(os.open(f"{folder}/{name}%data", os.O_CREAT | os.O_WRONLY, 0o600))
            key = f"{number // below:06d}/key-{number:09d}".encode()
            database.execute(
                "INSERT INTO versions (sequence, id, bucket_id, key, state, is_delete_marker, size_bytes, etag, "
                "last_modified, storage_class, headers) VALUES (?, ?, 1, ?, 'live', 0, 0, ?, 0, 'STANDARD', x'')",
                (number + 1, id, key, "d41d8cd98f00b204e9800998ecf8427e"),
            )
            database.execute(
                "INSERT INTO replicas (version_sequence, backend_id, physical_bucket, physical_key, state) "
                "VALUES (?, 1, 's3gw-bench-fi', ?, 'present')",
                (number + 1, f"{number // below:06d}/{name}".encode()),
            )
    database.close()
    return environment


def measure(binaries, environment, what, expected):
    begun = time.monotonic()
    process = subprocess.Popen(
        [binaries / "s3gw-worker", "reconcile"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    # Not ru_maxrss: Linux counts the memory that this program had when it made the child.
    peak = 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except FileNotFoundError:
            break
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.02)
    output = process.stdout.read().decode()
    process.wait()
    assert process.returncode == expected, output
    result = {
        "what": what,
        "seconds": round(time.monotonic() - begun, 1),
        "memoryMiB": round(peak / 1024, 1),
        "output": output.strip(),
    }
    print(json.dumps(result), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--objects", type=int, default=1_000_000)
    options.add_argument("--below", type=int, default=1000)
    repository = pathlib.Path(__file__).resolve().parent.parent
    options.add_argument("--binaries", type=pathlib.Path, default=repository / ".build/release")
    chosen = options.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="s3gw-reconcile-"))
    try:
        begun = time.monotonic()
        environment = make(directory, chosen.binaries, chosen.objects, chosen.below)
        print(f"{chosen.objects} objects made in {time.monotonic() - begun:.0f} s", flush=True)
        measure(chosen.binaries, environment, "all there", 0)
        gone = sorted((directory / "store/s3gw-bench-fi").glob("*/*%data"))[:: max(1, chosen.objects // 1000)][:1000]
        for path in gone:
            path.unlink()
        measure(chosen.binaries, environment, "1,000 gone", 1)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
