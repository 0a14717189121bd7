"""The clients of one run: each a thread that writes, reads, lists, copies and deletes, and writes down all it heard."""

import http.client
import random
import threading
import time
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta, timezone

from changes import PAUSE_SECONDS, Changes
from looks import Looks
from record import NotSent, Patient
from world import BUCKETS

WORK = (
    ("put", 26), ("get", 30), ("range", 5), ("head", 5), ("delete", 6), ("list", 6), ("create", 5), ("replace", 6),
    ("copy", 6), ("multipart", 2), ("get_version", 5), ("delete_version", 3), ("trespass", 2),
    ("retag", 5), ("tags", 4), ("part", 4), ("multipart_copy", 2), ("undelete", 1),
)  # fmt: skip
CHANGES = {"put", "delete", "replace", "copy", "multipart", "multipart_copy"}
CLEAR = {
    (403, "RequestTimeTooSkewed"), (403, "AccessDenied"), (404, "NoSuchKey"), (404, "NoSuchVersion"),
    (404, "NoSuchUpload"), (404, "NoSuchBucket"), (409, "ConditionalRequestConflict"), (409, "OperationAborted"),
    (412, "PreconditionFailed"), (416, "InvalidRange"), (416, "InvalidPartNumber"),
    (500, "InternalError"), (502, "ServiceUnavailable"), (503, "ServiceUnavailable"), (504, "ServiceUnavailable"),
    (503, "SlowDown"), (507, "InsufficientStorage"),
}  # fmt: skip


class Client(Changes, Looks, threading.Thread):
    """`work` may be called by hand too: the checker reads everything back with one."""

    def __init__(self, number, tenant, world, record, seed, until=0.0):
        super().__init__(name=f"client-{number}", daemon=True)
        self.number, self.tenant, self.world, self.record, self.until = number, tenant, world, record, until
        self.chance = random.Random(f"{seed}-{number}")
        address = ("127.0.0.1", world.nginx.http_port)
        self.raw = Patient(address, world.credentials(tenant), world.settings["region"])
        self.buckets = [bucket for bucket in BUCKETS if bucket.tenant == tenant]
        self.failed = False
        self.marks = 0

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
