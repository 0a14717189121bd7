"""Uploads in parts: one object of 1 GiB, its parts sent by four clients at once."""

import hashlib
import secrets
import subprocess
import time

from . import load
from .accounting import MemoryMeter
from .ways import BUCKET
from .workloads import rotated

PART_BYTES = 8 * 1024 * 1024
PARTS = 128
CLIENTS = 4


def compare(world, rounds, progress):
    """Returns ({way: [MiB/s of each round]}, memory of the pool's processes); a first round is not counted."""
    part = world.directory / "part"
    part.write_bytes(secrets.token_bytes(PART_BYTES))
    ways = [way for way in world.ways if way.name != "proxy"]
    results = {way.name: [] for way in ways}
    memory = None
    for number in range(rounds + 1):
        for way in rotated(ways, number):
            progress(f"{world.kind}: uploads in parts, round {number}, {way.name}")
            # The first round is where each process takes the buffers that it keeps.
            with MemoryMeter(world.gateway_processes) as meter:
                seconds = upload(world, way, f"parts-{number}", part)
            if number > 0:
                results[way.name].append(PARTS * PART_BYTES / seconds / (1024 * 1024))
                if way.name == "gateway" and (memory is None or meter.largest_change() > memory["largestChange"]):
                    memory = {"processes": meter.rows(), "largestChange": meter.largest_change()}
            remove(world, way, f"parts-{number}")
    return results, memory


def upload(world, way, key, part):
    """Uploads the object and returns the seconds it took, from its beginning to the answer of its completion.

    The `file` backend's direct way is a plain nginx, which knows no uploads: it gets each part as a file.
    """
    is_plain = world.kind == "file" and way.name == "direct"
    numbers = range(1, PARTS + 1)
    start = time.monotonic()
    if is_plain:
        targets = way.presign("PUT", [f"{key}-{number}" for number in numbers])
    else:
        answer = way.client.request("POST", f"/{BUCKET}/{key}?uploads=")
        if answer.status != 200:
            raise load.Invalid(f"{way.name}: CreateMultipartUpload: {answer.status} {answer.body[:500]}")
        upload_id = answer.xml.findtext("UploadId")
        targets = way.presign("PUT", [f"{key}?partNumber={number}&uploadId={upload_id}" for number in numbers])
    send(way, targets, part, world.directory)
    if not is_plain:
        complete(way, key, upload_id, hashlib.md5(part.read_bytes()).hexdigest())
    seconds = time.monotonic() - start
    if not is_plain:
        answer = way.client.request("HEAD", f"/{BUCKET}/{key}")
        if answer.status != 200 or int(answer.header("Content-Length")) != PARTS * PART_BYTES:
            raise load.Invalid(f"{way.name}: the object is not there whole: {answer.status}")
    return seconds


def send(way, targets, part, directory):
    shares = [tuple(targets[number::CLIENTS]) for number in range(CLIENTS)]
    clients = [
        subprocess.Popen(
            load.curl_words(way.url, share, part, directory), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for share in shares
    ]
    for client, share in zip(clients, shares):
        output, complaint = client.communicate(timeout=load.SPARE_SECONDS * len(share))
        if client.returncode != 0:
            raise load.Invalid(f"curl: exit {client.returncode}: {complaint}")
        load.check_curl(output, share, PART_BYTES, is_upload=True)


def complete(way, key, upload_id, md5):
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{md5}&quot;</ETag></Part>" for number in range(1, PARTS + 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    answer = way.client.request("POST", f"/{BUCKET}/{key}?uploadId={upload_id}", body)
    if answer.status != 200 or b"CompleteMultipartUploadResult" not in answer.body:
        raise load.Invalid(f"{way.name}: CompleteMultipartUpload: {answer.status} {answer.body[:500]}")


def remove(world, way, key):
    """Takes the object away, so that the disk does not fill."""
    if world.kind == "file" and way.name == "direct":
        for path in (world.directory / "static" / BUCKET).glob(f"{key}-*"):
            path.unlink()
        return
    way.client.request("DELETE", f"/{BUCKET}/{key}")
    if way.name == "gateway":
        world.stack.worker_once()
