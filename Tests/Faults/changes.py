"""What clients change: they write, copy, tag and delete, and enter into the history what they were told."""

import contextlib
import hashlib
import time

from model import ANY, FOREVER, Operation, tags_text
from record import NotSent
from values import PART_BYTES, size_of

PAUSE_SECONDS = (0.05, 0.25)  # after a failure
MAXIMUM_UNKNOWN = 10  # writes to one key of which nobody knows whether they happened
COMPLETE_ATTEMPTS = 3


class Changes:
    """Part of a Client."""

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
        if self.chance.random() < 0.15:
            operation.tags = tags_text({"mark": self.mark()})
            words = [*words, ("x-amz-tagging", operation.tags)]
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
            with self.record.lock:
                self.record.markers.setdefault(key, []).append(operation.version)

    def undelete(self, bucket, key):
        """Removes a delete marker."""
        with self.record.lock:
            markers = list(self.record.markers.get(key, ()))
        if markers:
            version = self.chance.choice(markers)
            operation = Operation(key, "delete-version", time.monotonic(), version=version, versioned=True)
            self.change(operation, "undelete", "DELETE", self.target(key, f"versionId={version}"))

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
            versioned=bucket.versioned, source=source, note=f"copy of {'/'.join(source)}", tags=ANY,
        )  # fmt: skip
        headers = [("x-amz-copy-source", f"/{source[1]}/{source[2]}")]
        if len(bucket.backends) < len(source_bucket.backends):
            # The source's replica-count may be more than this bucket's policy can keep.
            headers.append(("x-amz-tagging-directive", "REPLACE"))
            operation.tags = ""
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
        with contextlib.suppress(NotSent):
            if upload := self.begin_upload(key):
                for number, part in enumerate(value.part_bodies, 1):
                    answer = self.ask("upload part", "PUT", self.part_target(key, number, upload), part)
                    if not answer or answer.status != 200:
                        return self.abort(key, upload)
                self.complete(bucket, key, value, upload)

    def multipart_copy(self, bucket, key):
        """An object whose last part is copied from another one, or from a range of it."""
        source_bucket = self.chance.choice(self.buckets)
        source = (self.tenant, source_bucket.name, self.chance.choice(source_bucket.key_names))
        wanted = self.record.last_seen.get(source)
        found = self.record.values.of_etag(wanted) if wanted else None
        if not found or not found.body:
            return
        headers = [("x-amz-copy-source", f"/{source[1]}/{source[2]}"), ("x-amz-copy-source-if-match", f'"{wanted}"')]
        tail, first = found.body, 0
        if ranged := self.chance.random() < 0.7:
            first = self.chance.randrange(len(tail))
            last = self.chance.randrange(first, len(tail))
            tail = tail[first : last + 1]
            headers.append(("x-amz-copy-source-range", f"bytes={first}-{last}"))
        value = self.record.values.make(*key, self.number, PART_BYTES, (PART_BYTES, len(tail)), tail)
        with contextlib.suppress(NotSent):
            if not (upload := self.begin_upload(key)):
                return
            answer = self.ask("upload part", "PUT", self.part_target(key, 1, upload), value.part_bodies[0])
            if not answer or answer.status != 200:
                return self.abort(key, upload)
            answer = self.ask("copy part", "PUT", self.part_target(key, 2, upload), headers=headers)
            if not answer or answer.status != 200 or answer.truncated or b"<Error>" in answer.body:
                return self.abort(key, upload)
            told = answer.xml.findtext("ETag").strip('"')
            if told != hashlib.md5(tail).hexdigest():
                # Nobody who does not compare it would know: what was copied is what the store's wire made of the source.
                self.record.flipped_part("/".join(key), source[2], first, tail, told, ranged)
                return self.abort(key, upload)
            self.complete(bucket, key, value, upload)

    def begin_upload(self, key):
        begun = self.ask("create upload", "POST", self.target(key, "uploads"))
        return begun.xml.findtext("UploadId") if begun and begun.status == 200 and not begun.truncated else None

    def part_target(self, key, number, upload):
        return self.target(key, f"partNumber={number}&uploadId={upload}")

    def abort(self, key, upload):
        self.ask("abort upload", "DELETE", self.target(key, f"uploadId={upload}"))

    def complete(self, bucket, key, value, upload):
        etags = [hashlib.md5(part).hexdigest() for part in value.part_bodies]
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

    def mark(self):
        self.marks += 1
        return f"{self.number}-{self.marks}"

    def retag(self, bucket, key):
        """Writes tags; where it can be, they ask for another number of replicas, so that copies of objects that stay are made
        and removed."""
        tags = {"mark": self.mark()}
        if len(bucket.backends) > bucket.replicas:
            tags["replica-count"] = str(self.chance.choice((bucket.replicas, len(bucket.backends))))
        version = self.known_version(key) if bucket.versioned and self.chance.random() < 0.3 else None
        words = "".join(f"<Tag><Key>{name}</Key><Value>{value}</Value></Tag>" for name, value in tags.items())
        operation = Operation(
            key, "tag", time.monotonic(), version=version or ANY, versioned=bucket.versioned, tags=tags_text(tags),
            note=f"client {self.number}",
        )  # fmt: skip
        query = f"tagging&versionId={version}" if version else "tagging"
        document = f"<Tagging><TagSet>{words}</TagSet></Tagging>".encode()
        self.change(operation, "tag", "PUT", self.target(key, query), document)

    def replicas_wanted(self, bucket, key, version=None):
        """Returns the number of replicas that the tag of an object asks for, or its bucket's policy."""
        query = f"tagging&versionId={version}" if version else "tagging"
        answer = self.ask("tags", "GET", self.target(key, query))
        assert answer is not None and answer.status == 200, answer
        tags = tags_of(answer)
        return int(tags.get("replica-count", bucket.replicas))


def tags_of(answer):
    return {each.findtext("Key"): each.findtext("Value") for each in answer.xml.iter("Tag")}
