"""What the clients of one run share: what they asked, what they heard, and what was wrong with it."""

import socket
import threading
from dataclasses import dataclass, field

from support.rawclient import RawClient

CLIENT_SECONDS = 20


@dataclass
class Record:
    """What all clients of a run share."""

    values: object
    history: list = field(default_factory=list)
    violations: list = field(default_factory=list)
    refusals: list = field(default_factory=list)  # (request id, status, code, who answered)
    versions: dict = field(default_factory=dict)  # (key, version id) -> ETag of an acknowledged version
    version_deletes: dict = field(default_factory=dict)  # (key, version id) -> [first call, answer or FOREVER]
    markers: dict = field(default_factory=dict)  # key -> [version id of a delete marker]
    doubts: list = field(default_factory=list)  # Doubt: wrong bytes that only a flipped one may explain
    last_seen: dict = field(default_factory=dict)  # key -> ETag
    unknown: dict = field(default_factory=dict)  # key -> count
    counts: dict = field(default_factory=dict)  # (work, outcome) -> count
    lock: threading.Lock = field(default_factory=threading.Lock)

    def violated(self, promise, words):
        with self.lock:
            self.violations.append((promise, words))

    def flipped_part(self, name, source, first, wanted, told, ranged):
        """Enters that a copied part has the MD5 `told`, not that of `wanted`, which is at `first` of the object `source`."""
        with self.lock:
            self.doubts.append(Doubt(name, source, (), ranged, (first, wanted, told)))

    def count(self, work, outcome):
        with self.lock:
            self.counts[work, outcome] = self.counts.get((work, outcome), 0) + 1


@dataclass(frozen=True)
class Doubt:
    """Bytes that were read and that were not the version's; `differences` are (offset in the object, XOR)."""

    name: str  # TENANT/BUCKET/KEY
    key: str  # whose bytes were read
    differences: tuple
    ranged: bool  # a range was asked for
    part: tuple = ()  # (its offset, the bytes that belong there, the MD5 that was told instead of theirs): a part's copy


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
