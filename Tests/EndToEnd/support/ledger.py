"""The ledger as a third party checks it: written from docs/PROTOCOL.md, with nothing of the gateway's."""

import hashlib
import sqlite3

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
COLUMNS = "sequence, recorded_at, event, tenant_id, bucket_id, version_id, backend_id, details, hash"


def ulid(value):
    number = int.from_bytes(value, "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(25, -1, -1))


def row_hash(row, previous):
    sequence, recorded_at, event, tenant, bucket, version, backend, details = row[:8]
    fields = [
        "s3gw-ledger-1",
        sequence,
        recorded_at,
        previous.hex(),
        event,
        tenant,
        bucket,
        ulid(version) if version is not None else None,
        backend,
    ]
    text = "".join(("" if field is None else str(field)) + "\n" for field in fields)
    return hashlib.sha256(text.encode() + details).digest()


def rows(database):
    connection = sqlite3.connect(database, timeout=10)
    try:
        return connection.execute(f"SELECT {COLUMNS} FROM ledger ORDER BY sequence").fetchall()
    finally:
        connection.close()


def is_whole(database):
    previous = bytes(32)
    for number, row in enumerate(rows(database), start=1):
        if row[0] != number or row[8] != row_hash(row, previous):
            return False
        previous = row[8]
    return True


class Forger:
    """Somebody who can write to the database, triggers or not."""

    def __init__(self, database):
        self.connection = sqlite3.connect(database, timeout=10, isolation_level=None)
        for table in ("ledger", "ledger_heads"):
            for change in ("update", "delete"):
                self.connection.execute(f"DROP TRIGGER IF EXISTS {table}_refuses_{change}")

    def run(self, sql, *values):
        return self.connection.execute(sql, values).fetchall()

    def append(self, event, bucket, version, backend, at):
        """Adds a row as the gateway would: only what it tells is a lie."""
        sequence, previous = self.run("SELECT sequence, hash FROM ledger ORDER BY sequence DESC LIMIT 1")[0]
        row = (sequence + 1, at, event, None, bucket, version, backend, b"")
        self.run(
            f"INSERT INTO ledger ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *row, row_hash(row, previous)
        )

    def chain_anew(self):
        """Makes every hash right again."""
        previous = bytes(32)
        for row in self.run(f"SELECT {COLUMNS} FROM ledger ORDER BY sequence"):
            previous = row_hash(row, previous)
            self.run("UPDATE ledger SET hash = ? WHERE sequence = ?", previous, row[0])

    def close(self):
        self.connection.close()
