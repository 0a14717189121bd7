"""What a store says steers neither nginx nor the pool, and what it must not say never reaches a client."""

import contextlib
import hashlib
import urllib.parse

import pytest

from conftest import StackFactory
from support.processes import wait_until
from support.tcpproxy import TCPProxy

BOTH = {"replicas": {"count": 2, "acknowledge": "all", "order": ["fi-fi-1", "de-de-1"]}}
BODY = b"the bytes that were stored"
TOLD = [
    ("Content-Type", "text/x-mine"), ("Cache-Control", "max-age=7"), ("Content-Disposition", "inline"),
    ("Expires", "Thu, 01 Dec 2033 16:00:00 GMT"), ("Content-Language", "fi"), ("Content-Encoding", "x-none"),
]
VARYING = {"date", "connection", "x-amz-request-id", "x-amz-id-2"}


def ok(*lines, body=BODY, length=None):
    """An answer with the right bytes and, beside what a store says, `lines`."""
    fields = [b"Content-Length: %d" % (len(body) if length is None else length), b"ETag: \"%s\"" % MD5, *lines]
    return b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in fields) + b"\r\n" + body


MD5 = hashlib.md5(BODY).hexdigest().encode()
HOSTILE = {
    "redirects nginx to another object": ok(b"X-Accel-Redirect: /other/secret"),
    "redirects nginx to the relay": ok(b"X-Accel-Redirect: @s3gw_relay"),
    "slows nginx down": ok(b"X-Accel-Limit-Rate: 1", b"X-Accel-Buffering: no", b"X-Accel-Expires: 9", b"X-Accel-Charset: utf-16"),
    "says another status": ok(b"Status: 500"),
    "sets cookies": ok(b"Set-Cookie: a=b", b"Location: http://evil.example/", b"Refresh: 0; url=http://evil.example/"),
    "opens other sites": ok(b"Access-Control-Allow-Origin: *", b"Content-Type: text/html", b"Content-Disposition: inline"),
    "claims another object": ok(b"x-amz-version-id: evil", b"x-amz-request-id: evil", b"Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT"),
    "has a NUL in a header": ok(b"x-amz-meta-a: b\0c"),
    "has a bare CR in a header": ok(b"x-amz-meta-a: b\rSet-Cookie: c"),
    "has a header of 1 MB": ok(b"x-amz-meta-a: " + b"a" * (1 << 20)),
    "has 100,000 headers": ok(*[b"a: b"] * 100_000),
    "redirects": b"HTTP/1.1 301 No\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
    "answers 304": b"HTTP/1.1 304 No\r\nETag: \"evil\"\r\n\r\n",
    "answers with an error document of its own": b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nevil",
}
# What nginx has nothing to say about: docs/nginx.md, Hand-off.
RELAYED_ONLY = {
    "has no end of 100": b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    "wants a password": b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=a\r\nContent-Length: 0\r\n\r\n",
    "promises more than it sends": ok(length=len(BODY) + 5),
    "sends less": ok(body=BODY[:5]),
    "sends other bytes": ok(body=BODY[::-1]),
}


@contextlib.contextmanager
def running(authority, radosgw, *, is_handed_off):
    """A gateway that reads from fi, behind a proxy, before it reads from de."""
    stacks = StackFactory(authority)
    with stacks.exits:
        address = urllib.parse.urlsplit(radosgw["r1"].endpoint)
        proxy = TCPProxy((address.hostname, address.port))
        stacks.exits.callback(proxy.close)
        # One process, and so one circuit breaker for each store: a write that fi takes closes it.
        stack = stacks.bare(nginx_server_extra='set $s3gw_near "country:FI";', processes=1)
        stack.add_s3_backend("fi", At(radosgw["r1"], proxy.endpoint), "FI")
        stack.add_s3_backend("de", radosgw["r2"], "DE")
        stack.create_tenant("alice", BOTH)
        if is_handed_off:
            stack.nginx.http_extra += stack.s3gw("nginx", "print", "upstreams")
            stack.nginx.server_extra += stack.s3gw("nginx", "print", "locations")
        stack.start()
        yield stack, proxy


@pytest.fixture(scope="module")
def relayed(authority, radosgw):
    with running(authority, radosgw, is_handed_off=False) as world:
        yield world


@pytest.fixture(scope="module")
def handed_off(authority, radosgw):
    with running(authority, radosgw, is_handed_off=True) as world:
        yield world


class At:
    """A region, reached at another address."""

    def __init__(self, region, endpoint):
        self.name, self.endpoint = region.name, endpoint
        self.access_key_id, self.secret_access_key = region.access_key_id, region.secret_access_key


def fields(answer):
    return sorted((name.lower(), value) for name, value in answer.headers if name.lower() not in VARYING)


CASES = [(how, name) for how in ("relayed", "handed_off") for name in HOSTILE] + [("relayed", name) for name in RELAYED_ONLY]


@pytest.mark.parametrize("how, name", CASES)
def test_the_client_gets_the_object_and_the_gateways_head(request, how, name):
    stack, proxy = request.getfixturevalue(how)
    raw, bucket = stack.raw("alice"), stack.new_bucket("alice")
    wait_until(lambda: raw.request("PUT", f"/{bucket}/k", BODY, headers=TOLD).status == 200, "both stores take bytes")
    wanted = fields(raw.request("HEAD", f"/{bucket}/k"))
    asked = proxy.reads_seen
    proxy.read_answer = HOSTILE.get(name) or RELAYED_ONLY[name]
    try:
        for _ in range(3):
            answer = raw.request("GET", f"/{bucket}/k")
            assert (answer.status, answer.body) == (200, BODY)
            told = fields(answer)
            # The one header of these that nobody could know of: a store's own metadata.
            assert [field for field in told if not field[0].startswith("x-amz-meta-")] == wanted
    finally:
        proxy.read_answer = None
        proxy.reset()
    assert proxy.reads_seen > asked, "the hostile store was never asked"
