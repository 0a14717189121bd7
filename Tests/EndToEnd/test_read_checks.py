"""Wrong bytes of a store are noticed on their way to a client, in objects of any size, and repaired; a client never has the
whole length of a wrong body."""

import hashlib
import pathlib

import pytest

from support.downloads import digest_of, download, write_content
from support.multipart import PART, begin, complete, send
from support.processes import wait_until
from support.rclone import Rclone
from support.tcpproxy import TCPProxy

MIB = 1 << 20
LARGE = 64 * MIB
TWO = {"replicas": {"count": 2, "acknowledge": "all"}}
NEAR_FINLAND = "set $s3gw_near country:FI;"


@pytest.fixture
def stack(stacks):
    """Two directories, in Finland and in Germany; Finland is asked first."""
    stack = stacks.files(nginx_server_extra=NEAR_FINLAND, processes=1)
    stack.set_policy(TWO | {"residency": {"allow": ["country:FI", "country:DE"]}}, "--tenant", "alice")
    stack.start()
    stack.bucket = stack.new_bucket("alice")
    stack.target = f"/{stack.bucket}/k"
    return stack


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("content") / "large"
    write_content(path, LARGE)
    return path


def plain(stack):
    return stack.boto3("alice", request_checksum_calculation="when_required")


def put(stack, path, **options):
    with open(path, "rb") as body:
        return plain(stack).put_object(Bucket=stack.bucket, Key="k", Body=body, **options)


def replica(stack, backend, size):
    (path,) = [pathlib.Path(path) for path, count in stack.stored(backend).items() if count == size]
    return path


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def verify_jobs(stack):
    jobs = stack.query("SELECT b.name FROM jobs j JOIN backends b ON b.id = j.backend_id WHERE j.kind = 'verify'")
    return sorted(name for (name,) in jobs)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("algorithm", [None, "CRC32", "SHA256"])
def test_a_flipped_byte_in_a_large_object_is_noticed_reported_and_healed(stack, content, algorithm):
    put(stack, content, **({"ChecksumAlgorithm": algorithm} if algorithm else {}))
    bad = replica(stack, "fi", LARGE)
    flip(bad, 40 * MIB)
    raw = stack.raw("alice")
    got = download(raw, stack.target)
    assert got.status == 200 and got.promised == LARGE and got.received < LARGE, got
    wait_until(lambda: verify_jobs(stack) == ["fi"], "the replica is reported", 10)
    # The client that was cut off asks again, and the other replica answers before the worker has done anything.
    got = download(raw, stack.target)
    assert got.is_whole and got.sha256 == digest_of(content)

    def is_healed():
        stack.worker_once()
        copies = [path for path, size in stack.stored("fi").items() if size == LARGE]
        return len(copies) == 1 and digest_of(copies[0]) == digest_of(content)

    wait_until(is_healed, "the replica is repaired", 60, pause=0.5)
    got = download(raw, stack.target)
    assert got.is_whole and got.sha256 == digest_of(content)


PARTS = 3
READS = {
    # (query or headers), the first and last byte that belong to it
    "whole": ("", (), 0, 2 * PART + 99),
    "its part": ("?partNumber=2", (), PART, 2 * PART - 1),
    "a range over it": ("", (("Range", f"bytes=77-{2 * PART + 5}"),), 77, 2 * PART + 5),
    "exactly its range": ("", (("Range", f"bytes={PART}-{2 * PART - 1}"),), PART, 2 * PART - 1),
}


def multipart(stack, payload, **options):
    """An object of parts of 5 MiB, 5 MiB and 100 bytes; returns its bytes."""
    s3 = plain(stack)
    parts = [payload(PART), payload(PART), payload(100)]
    upload = begin(s3, stack.bucket, **options)
    names = {name: value for name, value in options.items() if name == "ChecksumAlgorithm"}
    complete(s3, stack.bucket, upload, send(s3, stack.bucket, upload, parts, **names))
    return b"".join(parts)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("options", [{}, {"ChecksumAlgorithm": "CRC32"}, {"ChecksumAlgorithm": "SHA256"}], ids=str)
def test_a_flipped_byte_in_a_part_is_noticed_by_every_read_that_has_the_whole_part(stack, payload, options, read):
    body = multipart(stack, payload, **options)
    query, headers, first, last = READS[read]
    raw = stack.raw("alice")
    wanted = hashlib.sha256(body[first : last + 1]).hexdigest()
    got = download(raw, stack.target + query, headers)
    assert got.is_whole and got.sha256 == wanted
    flip(replica(stack, "fi", len(body)), PART + 4 * MIB)
    got = download(raw, stack.target + query, headers)
    assert got.promised == last - first + 1 and got.received < got.promised, got
    wait_until(lambda: verify_jobs(stack) == ["fi"], "the replica is reported", 10)
    # What does not have the byte is as good as before.
    for query, headers, first, last in (
        ("?partNumber=1", (), 0, PART - 1),
        ("?partNumber=3", (), 2 * PART, 2 * PART + 99),
        ("", (("Range", f"bytes=0-{PART - 1}"),), 0, PART - 1),
    ):
        got = download(raw, stack.target + query, headers)
        assert got.is_whole and got.sha256 == hashlib.sha256(body[first : last + 1]).hexdigest()


@pytest.mark.parametrize("read", ["whole", "the last part"])
def test_where_no_wrong_byte_has_gone_out_the_next_replica_goes_on(stack, payload, read):
    body = multipart(stack, payload, ChecksumAlgorithm="CRC32")
    flip(replica(stack, "fi", len(body)), 2 * PART + 50)
    query, first = ("", 0) if read == "whole" else ("?partNumber=3", 2 * PART)
    got = download(stack.raw("alice"), stack.target + query)
    assert got.is_whole and got.sha256 == hashlib.sha256(body[first:]).hexdigest()
    wait_until(lambda: verify_jobs(stack) == ["fi"], "the replica is reported", 10)


def test_a_range_over_a_damaged_part_is_copied_from_the_other_replica(stack, payload):
    body = multipart(stack, payload)
    flip(replica(stack, "fi", len(body)), PART + 4 * MIB)
    s3 = plain(stack)
    upload = begin(s3, stack.bucket, key="copy")
    part = s3.upload_part_copy(
        Bucket=stack.bucket,
        Key="copy",
        UploadId=upload,
        PartNumber=1,
        CopySource=f"{stack.bucket}/k",
        CopySourceRange=f"bytes={PART - 3}-{2 * PART + 9}",
    )["CopyPartResult"]
    wanted = body[PART - 3 : 2 * PART + 10]
    assert part["ETag"] == f'"{hashlib.md5(wanted).hexdigest()}"'
    wait_until(lambda: verify_jobs(stack) == ["fi"], "the replica is reported", 10)


@pytest.mark.timeout(200)
def test_what_a_backend_did_before_it_died_is_found_after_another_one_went_on(stacks, content):
    stack = stacks.bare(nginx_server_extra=NEAR_FINLAND, processes=1)
    directory = stacks.directory("rclone")
    proxies = {}
    for name in ("fi", "de"):
        store = Rclone(name, directory / name)
        stacks.exits.callback(store.stop)
        proxies[name] = TCPProxy(("127.0.0.1", store.port))
        stacks.exits.callback(proxies[name].close)
        stack.add_s3_backend(name, store.at(proxies[name].endpoint), name.upper())
    stack.create_tenant("alice", TWO)
    stack.start()
    stack.bucket = stack.new_bucket("alice")
    stack.target = f"/{stack.bucket}/k"
    put(stack, content)
    raw = stack.raw("alice")
    proxies["fi"].at = (40 * MIB, "reset")
    got = download(raw, stack.target)
    assert proxies["fi"].dead and got.is_whole and got.sha256 == digest_of(content)
    proxies["fi"].revive()
    proxies["fi"].at = None
    wait_until(lambda: asks(raw, stack, proxies["fi"]), "fi is asked again", 40, pause=0.2)
    proxies["fi"].flip = 10 * MIB
    proxies["fi"].reset()
    proxies["fi"].at = (40 * MIB, "reset")
    got = download(raw, stack.target)
    assert proxies["fi"].dead, "the backend did not die"
    assert got.promised == LARGE and 40 * MIB < got.received < LARGE, got
    wait_until(lambda: verify_jobs(stack) == ["de", "fi"], "both gave bytes, and both are reported", 10)


def asks(raw, stack, proxy):
    asked = proxy.reads_seen
    assert raw.request("GET", stack.target, headers=(("Range", "bytes=0-9"),)).status == 206
    return proxy.reads_seen > asked
