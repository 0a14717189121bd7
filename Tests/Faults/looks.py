"""How clients look: they read whole objects, ranges, parts and listings, and hold what they see against what was written."""

import time

from changes import tags_of
from model import ANY, FOREVER, Operation, tags_text
from record import Doubt, NotSent
from world import BUCKETS

DOUBTFUL_BYTES = 4  # more than these were not flipped on the way, but are something else


class Looks:
    """Part of a Client."""

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
        self.read(bucket, key, call, answer, lambda _: (first, last + 1))

    def part(self, bucket, key):
        """Reads one part of an object by its number, of one that was made of parts if there is any."""
        mine = {(self.tenant, each.name): each for each in self.buckets}
        seen = [other for other, etag in list(self.record.last_seen.items()) if "-" in etag and other[:2] in mine]
        if seen:
            key = self.chance.choice(sorted(seen))
            bucket = mine[key[:2]]
        number = self.chance.choice((1, 2))
        call, answer = self.look("part", "GET", key, query=f"partNumber={number}")
        if answer is None or answer.status == 416:
            return

        def bounds(value):
            # A copy of an object made of parts is an object of one piece.
            is_made_of_parts = "-" in answer.header("ETag")
            sizes = [len(each) for each in value.part_bodies] if is_made_of_parts else [len(value.body)]
            return sum(sizes[: number - 1]), sum(sizes[:number])

        self.read(bucket, key, call, answer, bounds, is_compared=True)

    def tags(self, bucket, key):
        version = self.known_version(key) if bucket.versioned and self.chance.random() < 0.3 else None
        call, answer = self.look("tags", "GET", key, query=f"tagging&versionId={version}" if version else "tagging")
        if answer is None or answer.truncated or answer.status != 200:
            if not version and answer is not None and answer.status == 404:
                self.saw(key, call, None)
            return
        operation = Operation(
            key, "tags", call, time.monotonic(), True, version=version or ANY, tags=tags_text(tags_of(answer)),
            versioned=bucket.versioned,
        )  # fmt: skip
        with self.record.lock:
            self.record.history.append(operation)

    def read(self, bucket, key, call, answer, part=None, is_head=False, is_compared=False):
        """Enters what was read; `part` gives (first, end) of the bytes that were asked for of a value.

        With `is_compared` the gateway holds these bytes against a checksum, however they were read.
        """
        if answer.status == 404:
            self.saw(key, call, None)
        if answer.status not in (200, 206):
            return
        if of_stores := [name for name, _ in answer.headers if name.lower().startswith("x-amz-meta-")]:
            self.record.violated("never wrong bytes", f"{'/'.join(key)}: nobody wrote {of_stores}")
        etag = answer.header("ETag").strip('"')
        if not is_head:
            self.check_body(key, etag, answer, part, is_compared)
        if not answer.truncated:
            self.saw(key, call, etag, answer.header("x-amz-version-id") if bucket.versioned else ANY)

    def check_body(self, key, etag, answer, part=None, is_compared=False):
        if answer.truncated:
            return  # a cut connection is a failure that the client sees: it throws away what came
        value = self.record.values.of_etag(etag)
        name = "/".join(key)
        if not value:
            self.record.violated("never wrong bytes", f"{name}: the ETag {etag} was never written")
            return
        if value.tenant not in ("", self.tenant):
            self.record.violated("tenants are apart", f"{name}: a value of {value.tenant} was read by {self.tenant}")
        first, end = part(value) if part and answer.status == 206 else (0, len(value.body))
        wanted, end = value.body[first:end], min(end, len(value.body))
        told = answer.header("Content-Range")
        if answer.status == 206 and told != f"bytes {first}-{end - 1}/{len(value.body)}":
            self.record.violated("never wrong bytes", f"{name}: {told} was told for {first}-{end - 1}/{len(value.body)}")
        if answer.body != wanted:
            differences = differences_of(answer.body, wanted, first)
            if differences and not is_compared:
                with self.record.lock:
                    self.record.doubts.append(Doubt(name, key[2], differences, answer.status == 206))
                return
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


def differences_of(one, other, first):
    """Returns ((offset, XOR), ...) of the bytes that differ, `first` is the offset of both; () when they are too many."""
    if len(one) != len(other):
        return ()
    found = tuple((first + at, mine ^ theirs) for at, (mine, theirs) in enumerate(zip(one, other)) if mine != theirs)
    return found if len(found) <= DOUBTFUL_BYTES else ()
