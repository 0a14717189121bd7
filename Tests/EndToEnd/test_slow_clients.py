"""Clients that read slowly: with the lines of docs/nginx.md one of them cannot keep the others waiting."""

import re
import socket

import pytest

from support import paths
from support.processes import wait_until

OBJECT_BYTES = 24 << 20  # more than nginx and the kernel hold for one connection
LIMIT = 2


@pytest.fixture
def stack(stacks):
    """One process of four threads; half of them for each key, as the documentation says it."""
    text = (paths.REPOSITORY / "docs" / "nginx.md").read_text()
    block = re.search(r"^## Slow clients$.*?^```nginx\nhttp {\n(.*?)^    server {\n(.*?)^    }$", text, re.DOTALL | re.MULTILINE)
    http, server = block.groups()
    assert server.count(" 32;") == 1
    stack = stacks.files(
        processes=1, threads=4, nginx_http_extra=http, nginx_server_extra=server.replace(" 32;", f" {LIMIT};")
    )
    return stack.start()


def hold(raw, target, sign, held):
    """Adds a reader that takes no more than the first bytes; false while nginx refuses it."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(30)
    reader.connect(raw.address)
    reader.sendall(raw.build("GET", target, sign=sign).bytes())
    if reader.recv(15) == b"HTTP/1.1 200 OK":
        held.append(reader)
    else:
        reader.close()
    return len(held) == LIMIT


@pytest.mark.parametrize("sign", ["header", "query"])
def test_one_that_does_not_read_gets_a_share_and_no_more(stack, sign):
    bucket, others = stack.new_bucket("alice"), stack.new_bucket("bob")
    raw = stack.raw("alice")
    assert raw.request("PUT", f"/{bucket}/large", bytes(OBJECT_BYTES), payload="unsigned").status == 200
    assert stack.raw("bob").request("PUT", f"/{others}/k", b"small").status == 200
    held = []
    try:
        # nginx counts a request a moment longer than its client.
        wait_until(lambda: len(held) == LIMIT or hold(raw, f"/{bucket}/large", sign, held), "readers have the whole share")
        for _ in range(4):
            refused = raw.request("GET", f"/{bucket}/large", sign=sign)
            assert (refused.status, refused.code) == (503, "SlowDown")
            assert stack.raw("bob").request("GET", f"/{others}/k", sign=sign).body == b"small"
        held.pop().close()
        wait_until(lambda: raw.request("HEAD", f"/{bucket}/large", sign=sign).status == 200, "the share is free again")
    finally:
        for reader in held:
            reader.close()


def test_uploads_that_are_given_up_are_no_failure_of_ours(stacks):
    stack = stacks.files().start()
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    upload = raw.build("PUT", f"/{bucket}/k", b"x" * 300_000).bytes()
    for _ in range(200):
        with raw.connect() as connection:
            connection.sendall(upload)  # and away, before the answer: nginx removes the body
    wait_until(lambda: not any(stack.spool.iterdir()), "nginx is done with all of them")
    assert raw.request("PUT", f"/{bucket}/after", b"x").status == 200
    lines = (stack.directory / "s3gw-fcgi.log").read_text().splitlines()
    assert not [line for line in lines if '"level":"error"' in line or "backend failed" in line]
