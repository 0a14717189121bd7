"""The clients of one run: each a thread that writes, reads, lists, copies and deletes, and writes down all it heard."""

import contextlib
import hashlib
import random
import socket
import threading
import time
import http.client
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from support.rawclient import RawClient

import xml.etree.ElementTree as ElementTree

from model import ANY, FOREVER, Operation
from values import PART_BYTES, size_of
from world import BUCKETS

CLIENT_SECONDS = 20
PAUSE_SECONDS = (0.05, 0.25)  # after a failure
MAXIMUM_UNKNOWN = 10  # writes to one key of which nobody knows whether they happened
COMPLETE_ATTEMPTS = 3
WORK = (
    ("put", 26), ("get", 30), ("range", 5), ("head", 5), ("delete", 6), ("list", 6), ("create", 5), ("replace", 6),
    ("copy", 6), ("multipart", 2), ("get_version", 5), ("delete_version", 3), ("trespass", 2),
    ("retag", 5),
)  # fmt: skip
CHANGES = {"put", "delete", "replace", "copy", "multipart"}
CLEAR = {
    (403, "RequestTimeTooSkewed"), (403, "AccessDenied"), (404, "NoSuchKey"), (404, "NoSuchVersion"),
    (404, "NoSuchUpload"), (404, "NoSuchBucket"), (409, "ConditionalRequestConflict"), (409, "OperationAborted"),
    (412, "PreconditionFailed"), (416, "InvalidRange"), (500, "InternalError"), (503, "ServiceUnavailable"),
    (502, "ServiceUnavailable"), (504, "ServiceUnavailable"),
    (503, "SlowDown"), (507, "InsufficientStorage"),
}  # fmt: skip


@dataclass
class Record:
    """What all clients of a run share."""

    values: object
    history: list = field(default_factory=list)
    violations: list = field(default_factory=list)
    refusals: list = field(default_factory=list)  # (request id, status, code, who answered)
    versions: dict = field(default_factory=dict)  # (key, version id) -> ETag of an acknowledged version
    version_deletes: dict = field(default_factory=dict)  # (key, version id) -> [first call, answer or FOREVER]
    last_seen: dict = field(default_factory=dict)  # key -> ETag
    unknown: dict = field(default_factory=dict)  # key -> count
    counts: dict = field(default_factory=dict)  # (work, outcome) -> count
    lock: threading.Lock = field(default_factory=threading.Lock)

    def violated(self, promise, words):
        with self.lock:
            self.violations.append((promise, words))

    def count(self, work, outcome):
        with self.lock:
            self.counts[work, outcome] = self.counts.get((work, outcome), 0) + 1


class NotSent(Exception):
    """The request never left."""


class Patient(RawClient):
    """A RawClient that waits no longer than a fault run can."""

    def connect(self):
        try:
            connection = socket.create_connection(self.address, timeout=CLIENT_SECONDS)
        except OSError as error:
            raise NotSent from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class Client(threading.Thread):
    """`work` may be called by hand too: the checker reads everything back with one."""

    def __init__(self, number, tenant, world, record, seed, until=0.0):
        super().__init__(name=f"client-{number}", daemon=True)
        self.number, self.tenant, self.world, self.record, self.until = number, tenant, world, record, until
        self.chance = random.Random(f"{seed}-{number}")
        address = ("127.0.0.1", world.nginx.http_port)
        self.raw = Patient(address, world.credentials(tenant), world.settings["region"])
        self.buckets = [bucket for bucket in BUCKETS if bucket.tenant == tenant]
        self.failed = False

    def run(self):
        names, weights = zip(*WORK)
        while time.monotonic() < self.until:
            self.failed = False
            name = self.chance.choices(names, weights)[0]
            bucket = self.chance.choice(self.buckets)
            key = (self.tenant, bucket.name, self.chance.choice(bucket.key_names))
            if bucket.still and name in CHANGES:
                name = "retag" if key in self.record.last_seen else "create"
            try:
                getattr(self, name)(bucket, key)
            except Exception as error:  # a client that stops would hide what follows
                self.record.violated("the driver works", f"{name} {'/'.join(key)}: {error!r}")
            if self.failed:
                time.sleep(self.chance.uniform(*PAUSE_SECONDS))

    # Sending.

    def ask(self, work, method, target, body=b"", headers=(), payload="hex"):
        """Returns the Answer, or None when there was none; raises NotSent. Every refusal must be clear."""
        skew = self.world.client_skew
        when = datetime.now(timezone.utc) + timedelta(seconds=skew) if skew else None
        request = self.raw.build(method, target, body, list(headers), payload, when=when)
        try:
            answer = self.raw.exchange(request.bytes(), method)
        except NotSent:
            self.failed = True
            self.record.count(work, "not sent")
            raise
        except (OSError, http.client.HTTPException):
            answer = None
        if answer is None or answer.truncated or answer.status >= 500:
            self.failed = True
        outcome = "no answer" if answer is None else "cut" if answer.truncated else str(answer.status)
        self.record.count(work, outcome)
        if answer is not None and answer.status >= 400 and not answer.truncated:
            self.check_refusal(method, target, answer)
        return answer

    def check_refusal(self, method, target, answer):
        identity = answer.header("x-amz-request-id")
        if not identity:
            self.record.violated("a failure is clear", f"{method} {target}: {answer.status} without a request id")
            return
        if method == "HEAD":
            return
        try:
            code = answer.code
        except (AssertionError, ElementTree.ParseError) as error:
            self.record.violated("a failure is clear", f"{method} {target}: {answer.status} {answer.body!r} {error}")
            return
        if (answer.status, code) not in CLEAR:
            self.record.violated("a failure is clear", f"{method} {target}: {answer.status} {answer.body!r}")
        if code == "NoSuchBucket" and not target.startswith("/not-mine"):
            bucket = target.split("/")[1].partition("?")[0]
            if bucket in {each.name for each in self.buckets}:
                self.record.violated("no acknowledged write is lost", f"{method} {target}: the bucket is gone")
        with self.record.lock:
            self.record.refusals.append((identity, answer.status, code, answer.xml.findtext("HostId")))

    @staticmethod
    def target(key, query=""):
        return f"/{key[1]}/{key[2]}" + (f"?{query}" if query else "")

    # Operations that change a key.

    def change(self, operation, work, method, target, body=b"", headers=(), payload="hex"):
        """Sends a change; returns the Answer when it was done, else None. The history has it in any case but a refusal."""
        record = self.record
        with record.lock:
            if record.unknown.get(operation.key, 0) >= MAXIMUM_UNKNOWN:
                return None
            record.unknown[operation.key] = record.unknown.get(operation.key, 0) + 1
            record.history.append(operation)
        try:
            answer = self.ask(work, method, target, body, headers, payload)
        except NotSent:
            self.forget(operation)
            return None
        return self.settle(operation, answer)

    def settle(self, operation, answer):
        """Enters what an answer says of `operation`; returns the answer when it was done."""
        end = time.monotonic()
        if answer is None or answer.truncated or answer.status >= 500:
            operation.note = "no answer" if answer is None else f"{answer.status}"
            return None
        if 200 <= answer.status < 300:
            if b"<Error>" in answer.body:
                operation.note = "200 with an error"
                return None
            self.known(operation)
            operation.end, operation.certain = end, True
            return answer
        conditional = operation.condition and answer.status in (404, 412)
        if conditional:
            self.known(operation)
            operation.kind, operation.end, operation.certain = "refused", end, True
        else:
            self.forget(operation)
        return None

    def known(self, operation):
        with self.record.lock:
            self.record.unknown[operation.key] -= 1

    def forget(self, operation):
        with self.record.lock:
            self.record.unknown[operation.key] -= 1
            self.record.history.remove(operation)

    def put(self, bucket, key, condition=(), work="put"):
        value = self.record.values.make(*key, self.number, size_of(self.chance))
        operation = Operation(
            key, "put", time.monotonic(), etags=(value.etag,), version=ANY if bucket.versioned else "null",
            versioned=bucket.versioned, condition=condition, note=f"client {self.number}",
        )  # fmt: skip
        headers = {"none": [("If-None-Match", "*")], "match": [("If-Match", f'"{condition[-1:] and condition[-1]}"')]}
        words = headers[condition[0]] if condition else []
        payload = self.chance.choice(("hex", "hex", "unsigned", "chunked"))
        answer = self.change(operation, work, "PUT", self.target(key), value.body, words, payload)
        if answer:
            self.written(bucket, operation, answer, value.etag)

    def written(self, bucket, operation, answer, etag):
        record, key = self.record, operation.key
        told = (answer.header("ETag") or "").strip('"')
        if told and told != etag:
            record.violated("never wrong bytes", f"{'/'.join(key)}: the ETag {told} was told for {etag}")
        record.last_seen[key] = etag
        if bucket.versioned:
            operation.version = answer.header("x-amz-version-id")
            with record.lock:
                record.versions[key, operation.version] = etag

    def create(self, bucket, key):
        self.put(bucket, key, ("none",), "create")

    def replace(self, bucket, key):
        if etag := self.record.last_seen.get(key):
            self.put(bucket, key, ("match", etag), "replace")

    def delete(self, bucket, key):
        operation = Operation(key, "delete", time.monotonic(), versioned=bucket.versioned)
        answer = self.change(operation, "delete", "DELETE", self.target(key))
        if answer and bucket.versioned:
            operation.version = answer.header("x-amz-version-id")

    def delete_version(self, bucket, key):
        if not bucket.versioned or not (version := self.known_version(key)):
            return
        operation = Operation(key, "delete-version", time.monotonic(), version=version, versioned=True)
        with self.record.lock:
            times = self.record.version_deletes.setdefault((key, version), [operation.call, FOREVER])
        if self.change(operation, "delete version", "DELETE", self.target(key, f"versionId={version}")):
            times[1] = min(times[1], operation.end)

    def known_version(self, key):
        with self.record.lock:
            known = [version for other, version in self.record.versions if other == key]
        return self.chance.choice(known) if known else None

    def copy(self, bucket, key):
        source_bucket = self.chance.choice(self.buckets)
        source = (self.tenant, source_bucket.name, self.chance.choice(source_bucket.key_names))
        if source == key:
            return
        operation = Operation(
            key, "put", time.monotonic(), etags=(), version=ANY if bucket.versioned else "null",
            versioned=bucket.versioned, source=source, note=f"copy of {'/'.join(source)}",
        )  # fmt: skip
        headers = [("x-amz-copy-source", f"/{source[1]}/{source[2]}")]
        if len(bucket.backends) < len(source_bucket.backends):
            # The source's replica-count may be more than this bucket's policy can keep.
            headers.append(("x-amz-tagging-directive", "REPLACE"))
        answer = self.change(operation, "copy", "PUT", self.target(key), headers=headers)
        if not answer:
            return
        etag = answer.xml.findtext("ETag").strip('"')
        value = self.record.values.of_etag(etag)
        if not value or value.md5 != etag or value.tenant not in ("", self.tenant):
            self.record.violated("never wrong bytes", f"{'/'.join(key)}: a copy has the ETag {etag} that nobody wrote")
            return
        operation.etags = (etag,)
        self.written(bucket, operation, answer, etag)
        read = Operation(source, "read", operation.call, operation.end, True, self.record.values.etags_of(etag))
        with self.record.lock:
            self.record.history.append(read)

    def multipart(self, bucket, key):
        tail = self.chance.choice((1, 1000, 200_000))
        value = self.record.values.make(*key, self.number, PART_BYTES + tail, (PART_BYTES, tail))
        try:
            begun = self.ask("create upload", "POST", self.target(key, "uploads"))
            if not begun or begun.status != 200:
                return
            upload = begun.xml.findtext("UploadId")
            for number, part in enumerate((value.body[:PART_BYTES], value.body[PART_BYTES:]), 1):
                query = f"partNumber={number}&uploadId={upload}"
                answer = self.ask("upload part", "PUT", self.target(key, query), part)
                if not answer or answer.status != 200:
                    self.ask("abort upload", "DELETE", self.target(key, f"uploadId={upload}"))
                    return
        except NotSent:
            return
        etags = [hashlib.md5(part).hexdigest() for part in (value.body[:PART_BYTES], value.body[PART_BYTES:])]
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1)
        )
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        operation = Operation(
            key, "put", time.monotonic(), etags=(value.etag,), version=ANY if bucket.versioned else "null",
            versioned=bucket.versioned, note=f"client {self.number}, parts",
        )  # fmt: skip
        query = f"uploadId={upload}"
        answer = self.change(operation, "complete", "POST", self.target(key, query), document)
        attempts = 1
        while answer is None and operation in self.record.history and attempts < COMPLETE_ATTEMPTS:
            attempts += 1
            time.sleep(self.chance.uniform(*PAUSE_SECONDS))
            try:
                again = self.ask("complete again", "POST", self.target(key, query), document)
            except NotSent:
                continue
            if again is not None and again.status < 300:
                answer = self.settle(operation, again)
            elif again is not None and again.status == 404:
                break  # ended by an earlier attempt, or aborted: nobody can tell
        if answer:
            self.written(bucket, operation, answer, value.etag)

    def retag(self, bucket, key):
        """Asks for another number of replicas, so that copies are made and removed of objects that stay."""
        if len(bucket.backends) <= bucket.replicas:
            return
        count = self.chance.choice((bucket.replicas, len(bucket.backends)))
        document = f"<Tagging><TagSet><Tag><Key>replica-count</Key><Value>{count}</Value></Tag></TagSet></Tagging>"
        with contextlib.suppress(NotSent):
            self.ask("tag", "PUT", self.target(key, "tagging"), document.encode())

    def replicas_wanted(self, bucket, key, version=None):
        """Returns the number of replicas that the tag of an object asks for, or its bucket's policy."""
        query = f"tagging&versionId={version}" if version else "tagging"
        answer = self.ask("tags", "GET", self.target(key, query))
        assert answer is not None and answer.status == 200, answer
        tags = {each.findtext("Key"): each.findtext("Value") for each in answer.xml.iter("Tag")}
        return int(tags.get("replica-count", bucket.replicas))

    # Operations that look.

    def saw(self, key, call, etag, version=ANY):
        operation = Operation(key, "read", call, time.monotonic(), True, (etag,), version)
        with self.record.lock:
            self.record.history.append(operation)
        if etag:
            self.record.last_seen[key] = etag

    def look(self, work, method, key, headers=(), query=""):
        call = time.monotonic()
        try:
            return call, self.ask(work, method, self.target(key, query), headers=headers)
        except NotSent:
            return call, None

    def get(self, bucket, key):
        call, answer = self.look("get", "GET", key)
        if answer is not None:
            self.read(bucket, key, call, answer)

    def head(self, bucket, key):
        call, answer = self.look("head", "HEAD", key)
        if answer is not None:
            self.read(bucket, key, call, answer, is_head=True)

    def range(self, bucket, key):
        first = self.chance.choice((0, 10, 4_000, 60_000))
        last = first + self.chance.choice((0, 99, 70_000))
        call, answer = self.look("range", "GET", key, [("Range", f"bytes={first}-{last}")])
        if answer is None or answer.status == 416:
            return
        self.read(bucket, key, call, answer, (first, last + 1))

    def read(self, bucket, key, call, answer, part=None, is_head=False):
        if answer.status == 404:
            self.saw(key, call, None)
        if answer.status not in (200, 206):
            return
        etag = answer.header("ETag").strip('"')
        if not is_head:
            self.check_body(key, etag, answer, part)
        if not answer.truncated:
            self.saw(key, call, etag, answer.header("x-amz-version-id") if bucket.versioned else ANY)

    def check_body(self, key, etag, answer, part=None):
        if answer.truncated:
            return  # a cut connection is a failure that the client sees: it throws away what came
        value = self.record.values.of_etag(etag)
        name = "/".join(key)
        if not value:
            self.record.violated("never wrong bytes", f"{name}: the ETag {etag} was never written")
            return
        if value.tenant not in ("", self.tenant):
            self.record.violated("tenants are apart", f"{name}: a value of {value.tenant} was read by {self.tenant}")
        wanted = value.body[part[0] : part[1]] if part and answer.status == 206 else value.body
        if answer.body != wanted:
            other = self.record.values.of_body(answer.body)
            words = "another value" if other else f"nobody's: {first_difference(answer.body, wanted)}"
            kind = "a range" if part else "a body"
            self.record.violated(
                "never wrong bytes", f"{name}: {kind} under ETag {etag} is {words}, {len(wanted)} bytes belong there"
            )

    def get_version(self, bucket, key):
        if not bucket.versioned or not (version := self.known_version(key)):
            return
        call, answer = self.look("get version", "GET", key, query=f"versionId={version}")
        end = time.monotonic()
        if answer is None or answer.status not in (200, 404):
            return
        deleted = self.record.version_deletes.get((key, version), [FOREVER, FOREVER])
        name = f"{'/'.join(key)} version {version}"
        if answer.status == 404:
            if deleted[0] > end:
                self.record.violated("no acknowledged write is lost", f"{name} is gone")
            return
        if deleted[1] < call:
            self.record.violated("read after write", f"{name} was deleted and is there")
        etag = answer.header("ETag").strip('"')
        if etag != self.record.versions[key, version]:
            self.record.violated("never wrong bytes", f"{name} has the ETag {etag}")
        self.check_body(key, etag, answer)

    def list(self, bucket, key):
        call = time.monotonic()
        try:
            answer = self.ask("list", "GET", f"/{bucket.name}?list-type=2&prefix={self.tenant}-{bucket.name}%2F")
        except NotSent:
            return
        if answer is None or answer.status != 200 or answer.truncated:
            return
        listed = {each.findtext("Key"): each.findtext("ETag").strip('"') for each in answer.xml.iter("Contents")}
        for name in listed.keys() - set(bucket.key_names):
            self.record.violated("never wrong bytes", f"{bucket.name} lists {name}, which nobody wrote")
        for name in bucket.key_names:
            self.saw((self.tenant, bucket.name, name), call, listed.get(name))

    def versions(self, bucket):
        """Enters what a listing of all versions shows; returns {(key name, version id): ETag, None for a marker}."""
        call = time.monotonic()
        answer = self.ask("list versions", "GET", f"/{bucket.name}?versions")
        assert answer is not None and answer.status == 200 and not answer.truncated, answer
        listed = {}
        for each in answer.xml:
            if each.tag in ("Version", "DeleteMarker"):
                etag = (each.findtext("ETag") or "").strip('"') or None
                listed[each.findtext("Key"), each.findtext("VersionId")] = etag
        for name in bucket.key_names:
            oldest_first = [(version, etag) for (key, version), etag in listed.items() if key == name][::-1]
            operation = Operation(
                (self.tenant, bucket.name, name), "versions", call, time.monotonic(), True,
                listing=tuple(oldest_first), versioned=True,
            )  # fmt: skip
            with self.record.lock:
                self.record.history.append(operation)
        return listed

    def trespass(self, bucket, key):
        """Asks for what belongs to the other tenant, by its right name."""
        mine = {each.name for each in BUCKETS if each.tenant == self.tenant}
        theirs = [each for each in BUCKETS if each.name not in mine]
        target = self.chance.choice(theirs)
        name = self.chance.choice(target.key_names)
        method = self.chance.choice(("GET", "PUT", "DELETE"))
        try:
            answer = self.ask("trespass", method, f"/{target.name}/{name}", b"intruder" if method == "PUT" else b"")
        except NotSent:
            return
        if answer is not None and answer.status < 400:
            self.record.violated("tenants are apart", f"{self.tenant}: {method} /{target.name}/{name}: {answer.status}")


def first_difference(one, other):
    for at, (mine, theirs) in enumerate(zip(one, other)):
        if mine != theirs:
            return f"{len(one)} bytes that differ at {at}"
    return f"{len(one)} bytes"
