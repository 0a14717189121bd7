"""The fault proxy does to requests what its orders say, and writes down what went by."""

import hashlib
import http.server
import json
import os
import pathlib
import sys
import threading
import time
from email.utils import parsedate_to_datetime

import pytest

import proxy
from support.processes import Daemon, free_ports, wait_until
from support.rawclient import RawClient
from support.sigv4 import Credentials

HERE = pathlib.Path(__file__).parent
KEYS = Credentials("key", "secret")


class Store(http.server.BaseHTTPRequestHandler):
    """A store without a signature check: PUT keeps, GET gives back."""

    objects = {}
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", total=None):
        self.send_response(status)
        self.send_header("ETag", f'"{hashlib.md5(total or body).hexdigest()}"')
        if status == 206:
            first, last = self.headers["Range"].partition("=")[2].split("-")
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(total)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self):
        self.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.answer(200)

    def do_POST(self):
        self.answer(200)

    def do_GET(self):
        body = self.objects.get(self.path)
        if body and self.headers["Range"]:
            first, last = self.headers["Range"].partition("=")[2].split("-")
            return self.answer(206, body[int(first) : int(last) + 1], body)
        self.answer(404 if body is None else 200, body or b"")


@pytest.fixture
def between(tmp_path):
    Store.objects = {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (port,) = free_ports(1)
    record, control = tmp_path / "record", tmp_path / "control"
    backends = {"b": [port, server.server_port, "r", *KEYS.__dict__.values()]}
    files = {"record": str(record), "flips": str(tmp_path / "flips"), "control": str(control)}
    settings = json.dumps(files | {"backends": backends})
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE.parent / "EndToEnd")}
    daemon = Daemon("proxy", [sys.executable, HERE / "proxy.py", settings], tmp_path, environment)
    try:
        wait_until(lambda: "listens" in daemon.log.read_text(), "the proxy listens")
        orders = proxy.Control(control)
        yield RawClient(("127.0.0.1", port), KEYS, "r"), orders, record
        orders.close()
    finally:
        daemon.kill()
        server.shutdown()


def test_without_an_order_everything_passes_and_is_recorded(between):
    client, _, record = between
    assert client.request("PUT", "/bucket/key~1", b"hello").status == 200
    assert client.request("GET", "/bucket/key~1").body == b"hello"
    (note,) = [json.loads(line) for line in record.read_text().splitlines()]
    assert (note["backend"], note["key"], note["bytes"], note["start"]) == ("b", "key~1", 5, "hello")


def test_what_is_refused_or_hung_or_cut_is_recorded_but_does_not_reach_the_store(between):
    client, orders, record = between
    orders.rule("b", "refuse")
    with pytest.raises(ConnectionRefusedError):
        client.request("PUT", "/bucket/a~1", b"one")
    orders.rule("b", "error-503")
    assert client.request("PUT", "/bucket/b~1", b"two").status == 503
    orders.rule("b", "hang")
    errors = []

    def hang():
        try:
            client.request("PUT", "/bucket/c~1", b"three")
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    time.sleep(0.3)
    assert thread.is_alive()
    orders.heal("b")
    thread.join(5)
    assert len(errors) == 1 and Store.objects == {}
    assert [json.loads(line)["key"] for line in record.read_text().splitlines()] == ["b~1", "c~1"]
    assert client.request("PUT", "/bucket/d~1", b"four").status == 200, "healed"


def test_commit_reset_stores_and_does_not_answer(between):
    client, orders, _ = between
    orders.rule("b", "commit-reset")
    with pytest.raises(OSError):
        client.request("PUT", "/bucket/k~1", b"kept")
    assert Store.objects == {"/bucket/k~1": b"kept"}


def test_bodies_are_cut_and_bytes_are_flipped(between):
    client, orders, _ = between
    client.request("PUT", "/bucket/k~1", b"x" * 5000)
    orders.rule("b", "flip-byte")
    body = client.request("GET", "/bucket/k~1").body
    assert len(body) == 5000 and sum(one != ord("x") for one in body) == 1
    orders.rule("b", "cut-body", seed=3)
    try:
        answer = client.request("GET", "/bucket/k~1")
        assert answer.truncated and len(answer.body) < 5000
    except ConnectionResetError:
        pass


def test_a_store_that_keeps_half_says_200_without_an_etag(between):
    client, orders, _ = between
    orders.rule("b", "cut-body")
    for number in range(20):
        try:
            if client.request("PUT", f"/bucket/k~{number}", b"12345678").status == 200:
                break
        except OSError:
            continue
    assert list(Store.objects.values()) == [b"1234"]


def test_200_with_an_error_for_writes_and_not_for_reads(between):
    client, orders, _ = between
    client.request("PUT", "/bucket/k~1", b"body")
    orders.rule("b", "ok-with-error")
    answer = client.request("PUT", "/bucket/k~2", b"body")
    assert answer.status == 200 and b"<Error>" in answer.body
    assert client.request("GET", "/bucket/k~1").body == b"body"


def test_an_old_object_of_the_same_key_comes_back_whole_and_in_ranges(between):
    client, orders, _ = between
    client.request("PUT", "/bucket/k~1", b"older", headers=[("x-amz-meta-a", "1")])
    client.request("PUT", "/bucket/k~2", b"newer")
    orders.rule("b", "old-object")
    answer = client.request("GET", "/bucket/k~2")
    assert (answer.status, answer.body, answer.header("x-amz-meta-a")) == (200, b"older", "1")
    answer = client.request("GET", "/bucket/k~2", headers=[("Range", "bytes=1-2")])
    assert (answer.status, answer.body, answer.header("Content-Range")) == (206, b"ld", "bytes 1-2/5")


def test_if_match_is_checked_for_the_store_also_with_an_older_object(between):
    client, orders, _ = between
    client.request("PUT", "/bucket/k~1", b"older", headers=[("x-amz-meta-a", "1")])
    client.request("PUT", "/bucket/k~2", b"newer")
    right = [("If-Match", f'"{hashlib.md5(b"newer").hexdigest()}"')]
    assert client.request("GET", "/bucket/k~2", headers=right).body == b"newer"
    assert client.request("GET", "/bucket/k~1", headers=right).status == 412
    orders.rule("b", "old-object")
    assert client.request("GET", "/bucket/k~2", headers=right).status == 412
    assert client.request("GET", "/bucket/k~2").body == b"older"


def test_flipped_bytes_of_answers_are_noted(between, tmp_path):
    client, orders, _ = between
    client.request("PUT", "/bucket/k~1", bytes(1000))
    orders.rule("b", "flip-byte")
    whole = client.request("GET", "/bucket/k~1").body
    part = client.request("GET", "/bucket/k~1", headers=[("Range", "bytes=900-999")]).body
    flips = [json.loads(line) for line in (tmp_path / "flips").read_text().splitlines()]
    assert [(each["ranged"], each["conditional"], each["key"]) for each in flips] == [
        (False, False, "k~1"), (True, False, "k~1")]  # fmt: skip
    assert whole[flips[0]["at"]] == flips[0]["mask"] and part[flips[1]["at"] - 900] == flips[1]["mask"]


@pytest.mark.parametrize("kind, minutes", [("store-clock-forward", 20), ("store-clock-back", -20)])
def test_a_store_whose_clock_is_wrong_refuses_what_is_signed_or_only_says_so(between, kind, minutes):
    client, orders, _ = between
    orders.rule("b", kind, seed=0)
    answer = client.request("PUT", "/bucket/k~1", b"body")
    assert answer.status == 403 and b"RequestTimeTooSkewed" in answer.body and not Store.objects
    orders.rule("b", kind, seed=1)
    answer = client.request("PUT", "/bucket/k~1", b"body")
    assert answer.status == 200 and Store.objects
    told = parsedate_to_datetime(answer.header("Date")).timestamp()
    assert abs(told - time.time() - minutes * 60) < 30
