"""The fault proxy: stands between the gateway and its stores, breaks what it is told to, and writes down what went by.

A process of its own, so that its work and the clients' do not share one interpreter. Started by `ProxyProcess`; each
backend has a port; orders come as lines of JSON on a unix socket: {"backend": NAME, "rule": RULE or null}. A RULE is
{"kind": one of KINDS, "rate": 0..1, "seed": int}; null heals. The record is one line of JSON for each request that
carries an object's bytes or asks for a copy: {"backend", "method", "target", "bytes", "start": the body's first bytes}.
The flips are one line of JSON for each byte of an answer that was made another one: {"backend", "key", "at": its offset in
the object, "mask": what it was XORed with, "ranged": a part was asked for, "conditional": with If-Match}.

The proxy and a store behind it are one store that checks `If-Match`, which rclone alone does not.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import socket
import struct
import sys
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import unquote

from support import sigv4

RECORDED_BYTES = 120
REMEMBERED_OBJECTS = 400
REMEMBERED_BYTES = 400_000
HEAD_LIMIT = 64 * 1024
STORE_SECONDS = 90
SLOW_SECONDS = (0.2, 1.2)
CLOCK_STEPS = {"store-clock-forward": timedelta(minutes=20), "store-clock-back": timedelta(minutes=-20)}
SIGNED_SECONDS = 15 * 60  # a signature may be this old, or this young

KINDS = (
    "refuse",  # no connection
    "hang",  # takes the request and says nothing until it is healed
    "slow",  # answers late, and the body in drips
    "error-500",
    "error-503",
    "cut-body",  # an answer's body, or a request's, ends in the middle; or the store keeps half of it and says nothing
    "flip-byte",  # one byte of a body is another one, on the way there or back
    "ok-with-error",  # 200 and an error document; done or not done
    "commit-reset",  # done, and then the connection is reset without an answer
    "old-object",  # another, older object of the same key comes back
    "store-clock-forward",  # the store's clock is twenty minutes ahead: it refuses what is signed, or only says so
    "store-clock-back",
)

ERRORS = {"error-500": ("500 Internal Server Error", "InternalError"), "error-503": ("503 Slow Down", "SlowDown")}


@dataclass
class Message:
    """One HTTP/1.1 message, whole; `first` is the start line's words."""

    first: list
    headers: list
    body: bytes = b""

    def get(self, name):
        return next((value for other, value in self.headers if other.lower() == name), None)

    def bytes(self, body=None):
        body = self.body if body is None else body
        lines = [" ".join(self.first), *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Closed(Exception):
    """The other side is gone."""


async def read_head(reader):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
        raise Closed from error
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return Message(first.split(" ", 2), [(name, value.strip()) for name, _, value in pairs])


async def read_body(reader, message, until_close):
    try:
        if (message.get("transfer-encoding") or "").lower() == "chunked":
            pieces = []
            while size := int((await reader.readline()).split(b";")[0], 16):
                pieces.append(await reader.readexactly(size))
                await reader.readexactly(2)
            while (await reader.readline()).strip():
                pass
            message.headers = [(name, value) for name, value in message.headers if name.lower() != "transfer-encoding"]
            message.body = b"".join(pieces)
            message.headers.append(("Content-Length", str(len(message.body))))
        elif (length := message.get("content-length")) is not None:
            message.body = await reader.readexactly(int(length))
        elif until_close:
            message.body = await reader.read(-1)
            message.headers.append(("Content-Length", str(len(message.body))))
    except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
        message.body = getattr(error, "partial", b"")
        raise Closed from error
    return message


def error_document(status, code):
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>injected</Message></Error>'
    words = ["HTTP/1.1", *status.split(" ", 1)]
    length = str(len(body))
    return Message(words, [("Content-Type", "application/xml"), ("Content-Length", length)], body.encode())


def reset(writer):
    """Closes with RST instead of FIN."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Exchange:
    """What one request is about."""

    def __init__(self, request):
        self.request = request
        self.method = request.first[0]
        path, _, self.query = request.first[1].partition("?")
        self.bucket, _, self.key = unquote(path[1:]).partition("/")
        self.logical = self.key.partition("~")[0]
        self.is_copy = request.get("x-amz-copy-source") is not None
        self.is_complete = self.method == "POST" and "uploadId=" in self.query
        self.changes = self.method in ("PUT", "POST", "DELETE")
        self.wanted_tag = request.get("if-match")
        self.is_plain_put = self.method == "PUT" and not self.query and not self.is_copy
        self.is_object = bool(self.key) and not self.bucket.startswith("s3gw-probe-")


class Backend:
    def __init__(self, name, record, flips, port, store_port, region, *credentials):
        self.name, self.port, self.store_port, self.record, self.flips = name, port, store_port, record, flips
        self.region, self.credentials = region, credentials
        self.rule = None
        self.chance = random.Random(0)
        self.healed = asyncio.Event()
        self.server = None
        self.writers = set()
        self.objects = OrderedDict()  # (bucket, key) -> (headers, body) of what was stored through us
        self.counts = {}

    async def listen(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, limit=HEAD_LIMIT)

    async def obey(self, rule):
        self.rule = rule
        if rule and rule["kind"] == "refuse":
            self.server.close()
            for writer in list(self.writers):
                reset(writer)
        elif not self.server.is_serving():
            await self.listen()
        if rule:
            self.chance = random.Random(rule["seed"])
            self.healed.clear()
        else:
            self.healed.set()

    def chosen(self, exchange):
        """Returns the kind of fault that this request meets, or None."""
        rule = self.rule
        if not rule or rule["kind"] == "refuse" or self.chance.random() >= rule["rate"]:
            return None
        kind = rule["kind"]
        meets = {
            "ok-with-error": exchange.is_object and (exchange.is_copy or exchange.is_complete or exchange.request.body),
            "commit-reset": exchange.changes,
            "old-object": exchange.is_object and exchange.method in ("GET", "HEAD"),
            "flip-byte": exchange.is_object and (exchange.method == "GET" or exchange.request.body),
            "cut-body": exchange.is_object and (exchange.method == "GET" or exchange.request.body),
        }.get(kind, True)
        if not meets:
            return None
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return kind

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            while True:
                request = await read_head(reader)
                if (request.get("expect") or "").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    request.headers = [(name, value) for name, value in request.headers if name.lower() != "expect"]
                exchange = Exchange(request)
                try:
                    await read_body(reader, request, until_close=False)
                finally:
                    self.note(exchange)  # whatever arrived has left the gateway
                kind = self.chosen(exchange)
                answer = await self.answer(exchange, kind, writer)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (Closed, ConnectionError, OSError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def answer(self, exchange, kind, writer):
        """Returns the bytes of the answer, or None when the connection has been ended."""
        request = exchange.request
        if kind == "hang":
            await self.healed.wait()
            reset(writer)
            return None
        if kind == "slow":
            await asyncio.sleep(self.chance.uniform(*SLOW_SECONDS))
        if kind in ("error-500", "error-503"):
            return error_document(*ERRORS[kind]).bytes(b"" if exchange.method == "HEAD" else None)
        if kind == "cut-body" and request.body:
            if exchange.is_plain_put and self.chance.random() < 0.5:
                return await self.keep_half(exchange)
            reset(writer)  # the store sees nothing of a body that never came whole
            return None
        if kind == "flip-byte" and request.body:
            if exchange.method == "POST":
                # S3 holds a body against its signed hash; rclone does that for objects only, by their Content-MD5.
                return error_document("400 Bad Request", "XAmzContentSHA256Mismatch").bytes()
            request.body = self.flipped(request.body)
        if kind == "ok-with-error" and self.chance.random() < 0.5:
            return error_document("200 OK", "InternalError").bytes()
        if kind == "old-object" and (old := self.older(exchange)):
            return old
        if kind in CLOCK_STEPS:
            return await self.at_another_time(exchange, CLOCK_STEPS[kind])
        response = await self.forward(exchange)
        if kind == "ok-with-error":
            return error_document("200 OK", "InternalError").bytes()
        if kind == "commit-reset":
            reset(writer)
            return None
        return await self.reply(exchange, kind, response, writer)

    async def reply(self, exchange, kind, response, writer):
        body = b"" if exchange.method == "HEAD" else response.body
        if kind == "flip-byte" and body and response.first[1] in ("200", "206") and exchange.method == "GET":
            body = self.flipped(body, exchange, response)
        whole = response.bytes(body)
        if kind == "cut-body" and len(body) > 1:
            writer.write(whole[: len(whole) - len(body) + self.chance.randrange(len(body))])
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            (reset if self.chance.random() < 0.5 else lambda each: each.close())(writer)
            return None
        if kind == "slow" and len(body) > 1000:
            step = len(body) // 4 + 1
            head = whole[: len(whole) - len(body)]
            writer.write(head)
            for start in range(0, len(body), step):
                writer.write(body[start : start + step])
                await writer.drain()
                await asyncio.sleep(0.1)
            return b""
        return whole

    async def keep_half(self, exchange):
        """A store that truncates: it keeps half of the object and answers 200 without an ETag."""
        request = exchange.request
        half = request.body[: len(request.body) // 2]
        signer = sigv4.Signer(sigv4.Credentials(*self.credentials), self.region)
        digest = hashlib.sha256(half).hexdigest()
        headers = [(name, value) for name, value in request.headers if name.lower().startswith("x-amz-meta-")]
        headers += [("Host", request.get("host")), ("x-amz-date", signer.timestamp), ("x-amz-content-sha256", digest)]
        value, _ = sigv4.authorization(signer, "PUT", request.first[1], headers, digest)
        headers += [("Authorization", value), ("Content-Length", str(len(half)))]
        response = await self.forward(Exchange(Message(request.first, headers, half)))
        if response.first[1] != "200":
            return response.bytes()
        return Message(["HTTP/1.1", "200", "OK"], [("Content-Length", "0")]).bytes()

    def flipped(self, body, exchange=None, response=None):
        """Returns `body` with one bit changed; that of an answer is noted first."""
        at, mask = self.chance.randrange(len(body)), 1 << self.chance.randrange(8)
        if exchange:
            # Content-Range: bytes FIRST-LAST/TOTAL; rclone has it in a 200.
            part = response.get("content-range")
            first = int(part.split(" ")[1].partition("-")[0]) if part else 0
            line = {"backend": self.name, "key": exchange.key, "at": first + at, "mask": mask}
            line |= {"ranged": part is not None, "conditional": exchange.wanted_tag is not None}
            self.flips.write(json.dumps(line) + "\n")
            self.flips.flush()
        return body[:at] + bytes([body[at] ^ mask]) + body[at + 1 :]

    async def at_another_time(self, exchange, step):
        """A store whose clock is wrong: one refuses what it takes for signed too early or too late, another does not look."""
        now = datetime.now(timezone.utc) + step
        looks = self.rule["seed"] % 2 == 0
        signed = exchange.request.get("x-amz-date")
        if looks and signed:
            signed = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        if looks and signed and abs((now - signed).total_seconds()) > SIGNED_SECONDS:
            answer = error_document("403 Forbidden", "RequestTimeTooSkewed")
            body = b"" if exchange.method == "HEAD" else None
        else:
            answer = await self.forward(exchange)
            body = b"" if exchange.method == "HEAD" else None
        kept = []
        for name, value in answer.headers:
            if name.lower() == "last-modified":
                value = format_datetime(parsedate_to_datetime(value) + step, usegmt=True)
            if name.lower() != "date":
                kept.append((name, value))
        answer.headers = [*kept, ("Date", format_datetime(now, usegmt=True))]
        return answer.bytes(body)

    async def forward(self, exchange):
        """Sends the request on to the store and returns its answer, whole."""
        request = exchange.request
        sent = Message(request.first, [*request.headers], request.body)
        sent.headers = [(name, value) for name, value in sent.headers if name.lower() != "connection"]
        sent.headers.append(("Connection", "close"))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.store_port, limit=HEAD_LIMIT)
        try:
            async with asyncio.timeout(STORE_SECONDS):
                writer.write(sent.bytes())
                await writer.drain()
                response = await read_head(reader)
                while response.first[1] == "100":
                    response = await read_head(reader)
                if exchange.method != "HEAD" and response.first[1] not in ("204", "304"):
                    await read_body(reader, response, until_close=True)
        except TimeoutError as error:
            raise Closed from error
        finally:
            writer.close()
        response.headers = [(name, value) for name, value in response.headers if name.lower() != "connection"]
        self.remember(exchange, response)
        if exchange.wanted_tag and response.first[1] in ("200", "206"):
            if self.fails(exchange, response.get("etag")):
                return error_document("412 Precondition Failed", "PreconditionFailed")
            self.counts["conditional"] = self.counts.get("conditional", 0) + exchange.is_object
        return response

    @staticmethod
    def fails(exchange, tag):
        """Whether the object under `tag` is not the one that a read wants (RFC 9110 13.1.1)."""
        return exchange.method in ("GET", "HEAD") and exchange.wanted_tag not in (None, "*", tag)

    def note(self, exchange):
        request = exchange.request
        if exchange.is_object and exchange.changes and (request.body or exchange.is_copy):
            line = {
                "backend": self.name,
                "method": exchange.method,
                "target": request.first[1],
                "bucket": exchange.bucket,
                "key": exchange.key,
                "bytes": len(request.body),
                "copy": exchange.is_copy,
                "start": request.body[:RECORDED_BYTES].decode("latin-1"),
            }
            self.record.write(json.dumps(line) + "\n")
            self.record.flush()

    # Older objects.

    def remember(self, exchange, response):
        request = exchange.request
        if exchange.is_plain_put and response.first[1] == "200" and len(request.body) <= REMEMBERED_BYTES:
            kept = [(name, value) for name, value in request.headers if name.lower().startswith("x-amz-meta-")]
            self.objects[exchange.bucket, exchange.key] = (kept, request.body)
            while len(self.objects) > REMEMBERED_OBJECTS:
                self.objects.popitem(last=False)

    def older(self, exchange):
        """Returns the answer with another version of the same key, best one of the same size; None without one."""
        others = [
            (key, value)
            for (bucket, key), value in self.objects.items()
            if bucket == exchange.bucket and key != exchange.key and key.partition("~")[0] == exchange.logical
        ]
        if not others:
            return None
        wanted = self.objects.get((exchange.bucket, exchange.key))
        same = [each for each in others if wanted and len(each[1][1]) == len(wanted[1])]
        _, (headers, body) = self.chance.choice(same or others)
        etag = hashlib.md5(body).hexdigest()
        if self.fails(exchange, f'"{etag}"'):
            return error_document("412 Precondition Failed", "PreconditionFailed").bytes()
        status, extra = ["HTTP/1.1", "200", "OK"], []
        if field := exchange.request.get("range"):
            first, _, last = field.partition("=")[2].partition("-")
            first, last = int(first), min(int(last or len(body) - 1), len(body) - 1)
            if first > last:
                return None
            extra = [("Content-Range", f"bytes {first}-{last}/{len(body)}")]
            body = body[first : last + 1]
            status = ["HTTP/1.1", "206", "Partial Content"]
        head = [("Content-Length", str(len(body))), ("ETag", f'"{etag}"'), *extra, *headers]
        return Message(status, head, body).bytes(b"" if exchange.method == "HEAD" else None)


async def main(settings):
    with open(settings["record"], "a") as record, open(settings["flips"], "a") as flips:
        backends = {name: Backend(name, record, flips, *words) for name, words in settings["backends"].items()}
        for backend in backends.values():
            await backend.listen()

        async def obey(reader, writer):
            while line := await reader.readline():
                order = json.loads(line)
                if "rule" in order:
                    await backends[order["backend"]].obey(order["rule"])
                    answer = {}
                else:
                    answer = {name: backend.counts for name, backend in backends.items()}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
            writer.close()

        control = await asyncio.start_unix_server(obey, settings["control"])
        print("the fault proxy listens", flush=True)
        async with control:
            await control.serve_forever()


class Control:
    """The driver's side: gives orders, each obeyed before the call returns."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw")

    def ask(self, order):
        self.file.write(json.dumps(order) + "\n")
        self.file.flush()
        return json.loads(self.file.readline())

    def rule(self, backend, kind, rate=1.0, seed=0):
        self.ask({"backend": backend, "rule": {"kind": kind, "rate": rate, "seed": seed}})

    def heal(self, backend):
        self.ask({"backend": backend, "rule": None})

    def counts(self):
        """Returns {backend: {kind: requests that met it}}."""
        return self.ask({})

    def close(self):
        self.file.close()
        self.socket.close()


if __name__ == "__main__":
    os.umask(0o077)
    asyncio.run(main(json.loads(sys.argv[1])))
