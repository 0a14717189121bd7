package enum SweepKind: String, Sendable {
    /// Listings against rows.
    case reconcile
    /// Content against checksums.
    case scrub
}

/// How far one comparison of one backend is.
package struct Sweep: Sendable, Hashable {
    package var kind: SweepKind
    package var backendID: Int64
    /// Counts the times it began at the beginning; what an older run says is not believed.
    package var run: Int64
    package var startedAt: Timestamp
    package var finishedAt: Timestamp?
    package var leaseOwner: String?
    package var leaseUntil: Timestamp?
    /// Everything up to this place was looked at in this run.
    package var cursorBucket: String
    package var cursorKey: [UInt8]
    /// Bytes that may be read now; below 0 after an object that was larger.
    package var creditBytes: Int64
    package var creditedAt: Timestamp
    package var looked: Int64
    package var lookedBytes: Int64
    package var found: Int64
    /// Why it stopped, nil while it is well.
    package var failure: String?
}

extension SQLConnection {
    package func sweeps() throws(S3Error) -> [Sweep] {
        try all(
            """
            SELECT kind, backend_id, run, started_at, finished_at, lease_owner, lease_until, cursor_bucket, cursor_key,
                credit_bytes, credited_at, looked, looked_bytes, found, failure
            FROM sweeps ORDER BY kind, backend_id
            """, row: sweep)
    }

    package func sweep(_ kind: SweepKind, backendID: Int64) throws(S3Error) -> Sweep? {
        try first(
            """
            SELECT kind, backend_id, run, started_at, finished_at, lease_owner, lease_until, cursor_bucket, cursor_key,
                credit_bytes, credited_at, looked, looked_bytes, found, failure
            FROM sweeps WHERE kind = $1 AND backend_id = $2
            """, .text(kind.rawValue), .int(backendID), row: sweep)
    }

    /// Takes a sweep away from other workers; nil while one of them is at it.
    package func claimSweep(
        _ kind: SweepKind, backendID: Int64, owner: String, now: Timestamp, until: Timestamp
    ) throws(S3Error) -> Sweep? {
        try run(
            """
            INSERT INTO sweeps (
                kind, backend_id, run, started_at, finished_at, cursor_bucket, cursor_key, credit_bytes, credited_at,
                looked, looked_bytes, found)
            VALUES ($1, $2, 0, $3, $3, '', $4, 0, $3, 0, 0, 0) ON CONFLICT DO NOTHING
            """, .text(kind.rawValue), .int(backendID), SQLValue(Timestamp(milliseconds: 0)), .bytes([]))
        let taken = try run(
            """
            UPDATE sweeps SET lease_owner = $3, lease_until = $4
            WHERE kind = $1 AND backend_id = $2 AND (lease_owner IS NULL OR lease_owner = $3 OR lease_until <= $5)
            """, .text(kind.rawValue), .int(backendID), .text(owner), SQLValue(until), SQLValue(now))
        return taken == 1 ? try sweep(kind, backendID: backendID) : nil
    }

    /// Writes down how far it is; false when another worker has it.
    package func saveSweep(_ sweep: Sweep) throws(S3Error) -> Bool {
        try run(
            """
            UPDATE sweeps SET run = $3, started_at = $4, finished_at = $5, lease_until = $6, cursor_bucket = $7,
                cursor_key = $8, credit_bytes = $9, credited_at = $10, looked = $11, looked_bytes = $12, found = $13,
                failure = $14
            WHERE kind = $1 AND backend_id = $2 AND lease_owner = $15
            """, .text(sweep.kind.rawValue), .int(sweep.backendID), .int(sweep.run), SQLValue(sweep.startedAt),
            SQLValue(sweep.finishedAt?.milliseconds), SQLValue(sweep.leaseUntil?.milliseconds),
            .text(sweep.cursorBucket), .bytes(sweep.cursorKey), .int(sweep.creditBytes), SQLValue(sweep.creditedAt),
            .int(sweep.looked), .int(sweep.lookedBytes), .int(sweep.found), SQLValue(sweep.failure),
            SQLValue(sweep.leaseOwner)) == 1
    }

    package func releaseSweep(_ sweep: Sweep) throws(S3Error) {
        try run(
            """
            UPDATE sweeps SET lease_owner = NULL, lease_until = NULL
            WHERE kind = $1 AND backend_id = $2 AND lease_owner = $3
            """, .text(sweep.kind.rawValue), .int(sweep.backendID), SQLValue(sweep.leaseOwner))
    }

    private func sweep(_ row: any SQLStatement) throws(S3Error) -> Sweep {
        Sweep(
            kind: try row.word(0), backendID: row.int(1), run: row.int(2), startedAt: row.time(3),
            finishedAt: row.optionalTime(4), leaseOwner: row.optionalText(5), leaseUntil: row.optionalTime(6),
            cursorBucket: row.text(7), cursorKey: row.bytes(8), creditBytes: row.int(9), creditedAt: row.time(10),
            looked: row.int(11), lookedBytes: row.int(12), found: row.int(13), failure: row.optionalText(14))
    }
}
