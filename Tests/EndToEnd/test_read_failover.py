"""A read survives its backend: before the first byte, in the middle, and in ranges; without a replica it is cut."""

import concurrent.futures
import hashlib
import os
import shutil
import threading
import time

import pytest

from support.downloads import digest_of, download, write_content
from support.processes import wait_until
from support.rclone import Rclone
from support.tcpproxy import TCPProxy

MIB = 1 << 20
BOTH = {"replicas": {"count": 2, "acknowledge": "all"}}
NEAR_FINLAND = "set $s3gw_near country:FI;"


class World:
    """Two rclone stores, each behind a proxy, as backends fi and de; the site stands in Finland and so asks fi first."""

    def __init__(self, stacks):
        directory = stacks.directory("rclone")
        self.proxies = {}
        # One process, and so one circuit breaker for each backend.
        self.stack = stacks.bare(nginx_server_extra=NEAR_FINLAND, processes=1)
        for name in ("fi", "de"):
            store = Rclone(name, directory / name)
            stacks.exits.callback(store.stop)
            proxy = self.proxies[name] = TCPProxy(("127.0.0.1", store.port))
            stacks.exits.callback(proxy.close)
            self.stack.add_s3_backend(name, store.at(proxy.endpoint), name.upper())
        self.stack.create_tenant("alice", BOTH)
        self.stack.start()
        self.bucket = self.stack.new_bucket("alice")
        self.raw = self.stack.raw("alice")

    def put(self, key, path):
        """Stores a file; without a checksum, which takes long in a debug build."""
        client = self.stack.boto3("alice", request_checksum_calculation="when_required")
        with open(path, "rb") as body:
            client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key, first=None, last=None):
        headers = () if first is None else (("Range", f"bytes={first}-{last}"),)
        return download(self.raw, f"/{self.bucket}/{key}", headers)


@pytest.fixture
def world(stacks):
    return World(stacks)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("content") / "128"
    write_content(path, 128 * MIB)
    return path


@pytest.mark.timeout(400)
def test_a_backend_that_dies_in_the_middle_of_a_gibibyte_is_not_noticed(world, tmp_path):
    path = tmp_path / "gibibyte"
    sha256 = write_content(path, 1024 * MIB)
    world.put("large", path)
    path.unlink()
    world.proxies["fi"].at = (512 * MIB, "reset")
    got = world.get("large")
    assert world.proxies["fi"].dead, "the backend did not die"
    assert got.status == 200 and got.is_whole and got.sha256 == sha256


@pytest.mark.timeout(300)
def test_it_does_not_matter_when_or_how_the_backend_dies(world, content):
    world.put("k", content)
    sha256 = digest_of(content)
    for part, action in ((0.1, "reset"), (0.9, "close"), (0.5, "stall"), (1.0, "reset")):
        proxy = world.proxies["fi"]
        # A few bytes of the head come down, too: 1.0 cuts inside of the last kilobytes.
        proxy.at = (int(128 * MIB * part) - 1000, action)
        started = time.monotonic()
        got = world.get("k")
        assert proxy.dead or proxy.silent, f"{action} at {part} did not happen"
        assert got.status == 200 and got.is_whole and got.sha256 == sha256, (part, action, got)
        assert time.monotonic() - started < 40
        proxy.close()
        proxy.revive()
        asked = proxy.reads_seen
        wait_until(
            lambda: world.get("k", 0, 9).is_whole and proxy.reads_seen > asked, "fi is asked again", 40, pause=0.2
        )


@pytest.mark.timeout(200)
def test_a_range_goes_on_at_the_exact_byte(world, content):
    world.put("k", content)
    first, last = 12_345_679, 98_765_432
    world.proxies["fi"].at = (40 * MIB + 7, "reset")
    got = world.get("k", first, last)
    assert world.proxies["fi"].dead
    assert got.status == 206 and got.promised == last - first + 1 and got.is_whole
    assert got.sha256 == digest_of(content, first, last)


@pytest.mark.timeout(200)
def test_the_last_replica_may_be_slow_to_go_on_before_the_transfer_is_cut(world, content):
    world.put("k", content)
    fi, de = world.proxies["fi"], world.proxies["de"]
    fi.at = (40 * MIB, "reset")
    de.read_gate = threading.Event()

    def recover():
        wait_until(lambda: fi.dead, "fi is dead", 100)
        time.sleep(8)  # more than the 5 seconds of other reads
        de.read_gate.set()

    with concurrent.futures.ThreadPoolExecutor(1) as helper:
        recovery = helper.submit(recover)
        got = world.get("k")
        recovery.result()
    assert got.status == 200 and got.is_whole and got.sha256 == digest_of(content)


@pytest.mark.timeout(200)
def test_without_a_replica_left_the_transfer_is_cut_and_never_a_short_success(world, content):
    world.put("k", content)
    world.proxies["fi"].at = (30 * MIB, "reset")
    world.proxies["de"].at = (60 * MIB, "reset")
    got = world.get("k")
    assert got.status == 200 and got.promised == 128 * MIB
    assert 80 * MIB < got.received < 100 * MIB, "both backends gave what they could"
    again = world.raw.request("GET", f"/{world.bucket}/k")
    assert (again.status, again.code) == (503, "ServiceUnavailable") and again.header("Retry-After")


BROKEN = {
    "refuses": lambda proxy: proxy.die(),
    "hangs": lambda proxy: setattr(proxy, "silent", True),
    "answers 500": lambda proxy: setattr(proxy, "answer", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
    "answers 503": lambda proxy: setattr(proxy, "answer", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
    "answers 404": lambda proxy: setattr(proxy, "answer", b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
    "answers 403": lambda proxy: setattr(proxy, "answer", b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
    "answers another size": lambda proxy: setattr(
        proxy, "answer", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    ),
    "answers nonsense": lambda proxy: setattr(proxy, "answer", b"220 mail.example ESMTP\r\n"),
}


@pytest.mark.timeout(300)
def test_whatever_a_backend_does_before_the_first_byte_another_one_answers(world, payload):
    body = payload(50_000)
    assert world.raw.request("PUT", f"/{world.bucket}/k", body).status == 200
    proxy = world.proxies["fi"]
    for name, breaks in BROKEN.items():
        wait_until(lambda: asks(world, proxy), "fi is asked", 40, pause=0.2)
        asked = proxy.requests_seen + proxy.connections
        breaks(proxy)
        proxy.reset()
        started = time.monotonic()
        for _ in range(8):
            answer = world.raw.request("GET", f"/{world.bucket}/k")
            assert answer.status == 200 and answer.body == body, (name, answer.status)
        seconds = time.monotonic() - started
        # A silent store is waited for once, until its deadline.
        assert seconds < 10, f"{name}: {seconds} s"
        assert proxy.dead or proxy.requests_seen + proxy.connections > asked, f"{name}: fi was not asked"
        proxy.close()
        proxy.revive()


def asks(world, proxy):
    asked = proxy.reads_seen
    assert world.raw.request("GET", f"/{world.bucket}/k").status == 200
    return proxy.reads_seen > asked


@pytest.mark.timeout(200)
def test_a_backend_with_another_certificate_is_not_read_from(stacks, payload, authority):
    from support.certificates import Authority

    stack = stacks.bare(nginx_server_extra=NEAR_FINLAND)
    directory = stacks.directory("tls")
    stores = {
        "fi": Rclone("fi", directory / "fi", authority),
        "de": Rclone("de", directory / "de", authority),
        "foreign": Rclone("fi", directory / "fi", Authority(stacks.directory("foreign-ca"))),
    }
    for store in stores.values():
        stacks.exits.callback(store.stop)
    proxy = TCPProxy(("127.0.0.1", stores["fi"].port))
    stacks.exits.callback(proxy.close)
    stores["fi"].at(f"https://127.0.0.1:{proxy.port}")
    for name in ("fi", "de"):
        stack.add_s3_backend(name, stores[name], name.upper(), tls=True)
    stack.create_tenant("alice", BOTH)
    stack.start()
    bucket, body = stack.new_bucket("alice"), payload(20_000)
    raw = stack.raw("alice")
    assert raw.request("PUT", f"/{bucket}/k", body).status == 200
    proxy.target = ("127.0.0.1", stores["foreign"].port)
    proxy.reset()
    asked = proxy.connections
    for _ in range(4):
        assert raw.request("GET", f"/{bucket}/k").body == body
    assert proxy.connections > asked


def damaged(stacks, payload, size, spoil, **put):
    """A stack over directories, whose replica in Finland was spoiled; returns (raw client, target, body)."""
    stack = stacks.files(nginx_server_extra=NEAR_FINLAND)
    stack.set_policy(BOTH | {"residency": {"allow": ["country:FI", "country:DE"]}}, "--tenant", "alice")
    stack.start()
    bucket, body = stack.new_bucket("alice"), payload(size)
    stack.boto3("alice", **put).put_object(Bucket=bucket, Key="k", Body=body)
    (path,) = [path for path, bytes_count in stack.stored("fi").items() if bytes_count == size]
    spoil(path)
    return stack, f"/{bucket}/k", body


def flip(path):
    with open(path, "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize("spoil", [os.unlink, lambda path: os.truncate(path, 1000), flip], ids=["gone", "cut", "flipped"])
def test_a_spoiled_small_replica_is_never_served(stacks, payload, spoil):
    stack, target, body = damaged(stacks, payload, 4096, spoil)
    for _ in range(5):
        answer = stack.raw("alice").request("GET", target)
        assert answer.status == 200 and answer.body == body


@pytest.mark.parametrize("spoil", [os.unlink, lambda path: os.truncate(path, 1000)], ids=["gone", "cut"])
def test_a_spoiled_large_replica_is_not_served(stacks, payload, spoil):
    stack, target, body = damaged(stacks, payload, 3 * MIB, spoil)
    for headers in ((), (("Range", "bytes=5-999"),)):
        answer = stack.raw("alice").request("GET", target, headers=headers)
        assert answer.body == (body if not headers else body[5:1000])


@pytest.mark.parametrize("size", [4096, 300_000, 3 * MIB])
@pytest.mark.parametrize("checksums", ["when_supported", "when_required"])
def test_a_flipped_byte_is_in_no_whole_body(stacks, payload, size, checksums):
    stack, target, body = damaged(stacks, payload, size, flip, request_checksum_calculation=checksums)
    for _ in range(4):
        answer = stack.raw("alice").request("GET", target)
        assert answer.status == 200 and (answer.body == body or (answer.truncated and size > 64 << 10))


def test_the_object_of_another_version_is_not_served(stacks, payload):
    stack, target, body = damaged(stacks, payload, 100_000, lambda path: None)
    bucket = target.split("/")[1]
    stack.boto3("alice").put_object(Bucket=bucket, Key="other", Body=payload(100_000))
    names = {suffix: {} for suffix in ("%data", "%meta")}
    for path in stack.stored("fi"):
        for suffix, found in names.items():
            if path.endswith(suffix):
                found[os.path.basename(path)[0]] = path
    for found in names.values():
        shutil.copyfile(found["o"], found["k"])
    for headers, wanted in (((), body), ((("Range", "bytes=5-999"),), body[5:1000])):
        answer = stack.raw("alice").request("GET", target, headers=headers)
        assert answer.body == wanted
    s3 = stack.boto3("alice")
    upload = {"Bucket": bucket, "Key": "copy"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    for number in range(1, 9):
        part = s3.upload_part_copy(
            **upload, PartNumber=number, CopySource=f"{bucket}/k", CopySourceRange="bytes=5-999"
        )["CopyPartResult"]
        assert part["ETag"] == f'"{hashlib.md5(body[5:1000]).hexdigest()}"'
