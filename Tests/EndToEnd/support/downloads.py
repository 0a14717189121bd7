"""Large contents without large memory: made, hashed and downloaded piece by piece."""

import hashlib
import http.client
import os
from dataclasses import dataclass

PIECE_BYTES = 1 << 20


def write_content(path, size_bytes):
    """Writes a file of which no two MiB are the same; returns its SHA-256."""
    base = os.urandom(PIECE_BYTES)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(0, size_bytes, PIECE_BYTES):
            piece = (number.to_bytes(8, "big") + base[8:])[: size_bytes - number]
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def digest_of(path, first=0, last=None):
    """SHA-256 of the bytes `first` to `last` of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(first)
        left = (os.path.getsize(path) if last is None else last + 1) - first
        while left > 0 and (piece := file.read(min(left, PIECE_BYTES))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


@dataclass
class Download:
    status: int
    promised: int
    received: int
    sha256: str

    @property
    def is_whole(self):
        return self.received == self.promised


def download(raw, target, headers=()):
    """A signed GET whose body is only hashed; a body that ends early is no error here."""
    request = raw.build("GET", target, headers=headers)
    digest, received = hashlib.sha256(), 0
    with raw.connect() as connection:
        connection.sendall(request.bytes())
        response = http.client.HTTPResponse(connection, method="GET")
        response.begin()
        promised = int(response.getheader("Content-Length"))
        try:
            while piece := response.read(PIECE_BYTES):
                digest.update(piece)
                received += len(piece)
        except (http.client.IncompleteRead, ConnectionError):
            pass
        return Download(response.status, promised, received, digest.hexdigest())
