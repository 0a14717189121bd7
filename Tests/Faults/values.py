"""What clients write: bytes that say who wrote them where, so that any byte read back can be held against the writer."""

import hashlib
import itertools
import random
import threading
from dataclasses import dataclass

EMPTY_MD5 = hashlib.md5(b"").hexdigest()
SIZES = ((0, 1), (300, 6), (5_000, 6), (70_000, 5), (300_000, 2), (1_500_000, 1))  # bytes, weight
PART_BYTES = 5 << 20


@dataclass(frozen=True)
class Value:
    tenant: str
    etag: str
    md5: str
    body: bytes
    part_sizes: tuple = ()

    @property
    def part_bodies(self):
        """Returns the parts that it was made of; what was written in one piece is its only part."""
        ends = list(itertools.accumulate(self.part_sizes)) or [len(self.body)]
        return [self.body[end - size : end] for size, end in zip(self.part_sizes or (len(self.body),), ends)]


def size_of(chance):
    return chance.choices([size for size, _ in SIZES], [weight for _, weight in SIZES])[0]


class Values:
    """Every value that was ever sent, by what a reader may see of it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.by_md5 = {}
        self.by_etag = {}
        self.sequence = 0

    def make(self, tenant, bucket, key, client, size, part_sizes=(), tail=b""):
        """Returns a new value of `size` bytes, and then `tail`."""
        with self.lock:
            self.sequence += 1
            number = self.sequence
        body = b""
        if size:
            mark = f"{tenant}/{bucket}/{key} client {client} value {number}\n".encode()
            body = (mark + random.Random(number).randbytes(max(size - len(mark), 0)))[: max(size, len(mark))]
        body += tail
        md5 = hashlib.md5(body).hexdigest()
        etag = md5
        if part_sizes:
            digests, at = b"", 0
            for part in part_sizes:
                digests += hashlib.md5(body[at : at + part]).digest()
                at += part
            etag = f"{hashlib.md5(digests).hexdigest()}-{len(part_sizes)}"
        value = Value(tenant if body else "", etag, md5, body, part_sizes)
        with self.lock:
            self.by_md5[md5] = value
            self.by_etag[etag] = value
            # A copy of an object made of parts is an object of one piece, whose ETag is its MD5.
            self.by_etag.setdefault(md5, value)
        return value

    def of_body(self, body):
        with self.lock:
            return self.by_md5.get(hashlib.md5(body).hexdigest())

    def of_etag(self, etag):
        with self.lock:
            return self.by_etag.get(etag)

    def etags_of(self, md5):
        """Returns every ETag under which content of this MD5 may be stored."""
        with self.lock:
            return tuple({md5, *(value.etag for value in self.by_etag.values() if value.md5 == md5)})
