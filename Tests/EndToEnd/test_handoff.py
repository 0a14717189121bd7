"""nginx fetches small objects from the backends itself: same answer, and back to the pool for anything that is not the object."""

import json
import os
import signal

import pytest

from support.lifecycle import expire, set_rules
from support.processes import wait_until

BOTH = {"replicas": {"count": 2, "acknowledge": "all", "order": ["fi-fi-1", "de-de-1", "fr-fr-1"]}}
# nginx's own, or different for each answer.
VARYING = {"date", "connection", "x-amz-request-id", "x-amz-id-2", "server", "keep-alive"}


def handing_off(stack):
    """Does what the operator does: prints what nginx needs and includes it."""
    stack.nginx.http_extra += stack.s3gw("nginx", "print", "upstreams")
    stack.nginx.server_extra += stack.s3gw("nginx", "print", "locations")
    return stack.start()


@pytest.fixture
def regions(stacks, authority):
    from support.radosgw import RadosGateways

    gateways = RadosGateways(stacks.directory("own") / "ceph", authority)
    stacks.exits.callback(gateways.down)
    return gateways


@pytest.fixture
def stack(stacks, regions):
    stack = stacks.over(regions)
    stack.set_policy(BOTH, "--tenant", "alice")
    return handing_off(stack)


def last_request(stack):
    """The last line of nginx's log; nginx writes it when the answer is out."""
    return json.loads((stack.directory / "nginx-access.log").read_text().splitlines()[-1])


def steps(stack, answer):
    """How many upstreams nginx asked for an answer: 1 is the pool alone, 2 the pool and then a backend, ..."""
    wait_until(
        lambda: last_request(stack)["request"] == answer.header("x-amz-request-id"), "the request is in nginx's log"
    )
    return last_request(stack)["pool_seconds"].count(":") + 1


def fields(answer):
    return sorted((name.lower(), value) for name, value in answer.headers if name.lower() not in VARYING)


def test_a_small_object_comes_from_the_backend_with_the_gateways_head(stack, payload):
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    client = stack.boto3("alice")
    body = payload(30_000)
    client.put_object(
        Bucket=bucket, Key="a b+ä/%41", Body=body, ContentType="text/x-some", Tagging="a=b",
        CacheControl="max-age=7", Expires="Thu, 01 Dec 2033 16:00:00 GMT", ContentDisposition="inline", ContentLanguage="fi",
        ContentEncoding="x-none", ChecksumAlgorithm="CRC32",
    )
    set_rules(client, bucket, expire(7))
    target = f"/{bucket}/a%20b%2B%C3%A4/%2541"
    tell = {"headers": [("x-amz-checksum-mode", "ENABLED")]}
    got = raw.request("GET", target, **tell)
    assert (got.status, got.body) == (200, body)
    assert steps(stack, got) == 2, "the pool relayed it"
    head = raw.request("HEAD", target, **tell)
    assert fields(got) == fields(head)
    names = {name for name, _ in fields(got)}
    assert {"x-amz-checksum-crc32", "x-amz-tagging-count", "content-language", "etag", "x-amz-expiration"} <= names
    assert not any(name.startswith(("x-amz-meta-s3gw", "x-rgw", "x-accel")) or "s3gw" in name for name in names), names


def test_each_header_is_carried_over_by_itself(stack):
    bucket, raw, client = stack.new_bucket("alice"), stack.raw("alice"), stack.boto3("alice")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    tell = {"headers": [("x-amz-checksum-mode", "ENABLED")]}
    for name, told in (
        ("x-amz-checksum-crc64nvme", ()), ("cache-control", [("Cache-Control", "no-cache")]),
        ("content-disposition", [("Content-Disposition", "inline")]), ("content-language", [("Content-Language", "fi")]),
        ("content-encoding", [("Content-Encoding", "x-none")]), ("x-amz-tagging-count", [("x-amz-tagging", "a=b")]),
        ("expires", [("Expires", "Thu, 01 Dec 2033 16:00:00 GMT")]),
        ("x-amz-checksum-crc32", [("x-amz-checksum-crc32", "CGJXXQ==")]),
        ("x-amz-checksum-crc32c", [("x-amz-checksum-crc32c", "qjJrCA==")]),
        ("x-amz-checksum-sha1", [("x-amz-checksum-sha1", "E/vXnD05Dl1lhaIeEf9ewZcM/ww=")]),
        ("x-amz-storage-class", [("x-amz-storage-class", "STANDARD_IA")]),
    ):
        put = raw.request("PUT", f"/{bucket}/{name}", b"k", headers=list(told))
        assert put.status == 200, (name, put.body)
        got, head = (raw.request(method, f"/{bucket}/{name}", **tell) for method in ("GET", "HEAD"))
        assert (got.status, got.body, fields(got)) == (200, b"k", fields(head))
        assert {name, "x-amz-version-id", "etag", "last-modified", "accept-ranges"} <= {field for field, _ in fields(got)}
        got = raw.request("GET", f"/{bucket}/{name}")
        assert steps(stack, got) == 2, f"the pool relayed {name}"


def test_what_is_large_or_partial_or_has_user_metadata_is_relayed(stack, payload):
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    large = payload((1 << 20) + 1)
    assert raw.request("PUT", f"/{bucket}/large", large).status == 200
    assert raw.request("PUT", f"/{bucket}/told", b"told", headers=[("x-amz-meta-who", "me")]).status == 200
    assert raw.request("PUT", f"/{bucket}/empty", b"").status == 200
    for target, options, status, body in (
        ("large", {}, 200, large), ("told", {}, 200, b"told"), ("empty", {}, 200, b""),
        ("told", {"headers": [("Range", "bytes=1-2")]}, 206, b"ol"),
    ):
        answer = raw.request("GET", f"/{bucket}/{target}", **options)
        assert (answer.status, answer.body) == (status, body)
        assert steps(stack, answer) == 1, target
    assert raw.request("GET", f"/{bucket}/nothing").code == "NoSuchKey"


def test_a_backend_that_has_other_bytes_is_never_believed(stack, regions):
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    assert raw.request("PUT", f"/{bucket}/k", b"the right bytes").status == 200
    for region in ("r1", "r2"):
        for physical, key in regions[region].objects():
            regions[region].client().put_object(Bucket=physical, Key=key, Body=b"other")
    answer = raw.request("GET", f"/{bucket}/k")
    assert answer.status == 503 and answer.code in ("ServiceUnavailable", "SlowDown"), answer.body


def test_when_the_first_backend_is_gone_the_pool_finds_another(stack, regions, payload):
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    body = payload(5_000)
    assert raw.request("PUT", f"/{bucket}/k", body, headers=[("Cache-Control", "max-age=7")]).status == 200
    for physical, key in regions["r1"].objects():
        regions["r1"].client().delete_object(Bucket=physical, Key=key)
    lost = raw.request("GET", f"/{bucket}/k")
    assert (lost.status, lost.body, lost.header("cache-control")) == (200, body, "max-age=7")
    os.kill(regions["r1"].pid, signal.SIGKILL)
    for _ in range(8):
        answer = raw.request("GET", f"/{bucket}/k")
        assert (answer.status, answer.body) == (200, body)


def test_only_stores_that_check_if_match_are_printed(stacks):
    stack = stacks.files()
    assert "upstream" not in stack.s3gw("nginx", "print", "upstreams")
    assert 'set $s3gw_handoff "";' in stack.s3gw("nginx", "print", "locations")
    handing_off(stack)
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    assert raw.request("PUT", f"/{bucket}/k", b"x").status == 200
    assert raw.request("GET", f"/{bucket}/k").body == b"x"
