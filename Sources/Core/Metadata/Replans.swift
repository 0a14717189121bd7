/// A bucket whose versions are looked at again, because policy or the backends have changed.
package struct Replan: Sendable, Hashable {
    package var bucketID: Int64
    /// Grows with every request: what was begun for an older one is begun anew.
    package var round: Int64
    /// The sequence of the last version that was looked at.
    package var cursor: Int64
    /// When the next look is due.
    package var lookAt: Timestamp
    package var askedAt: Timestamp
    /// When the last version of that time was looked at; nil before.
    package var doneAt: Timestamp?
}

/// How far the worker is with a bucket.
package struct ReplanProgress: Sendable, Hashable {
    package var bucketID: Int64
    package var askedAt: Timestamp
    /// Versions that were looked at since then.
    package var looked: Int64
    /// Those of them for which policy leaves too few places.
    package var short: Int64
    /// Whether all were looked at; a finished row stays for `Replan.tailSeconds`.
    package var isDone: Bool
}

extension Replan {
    /// A write that began before the change, and so was placed by the old policy, may become visible this much later.
    ///
    /// Until then new versions of the bucket are looked at, too.
    package static let tailSeconds: Int64 = 900
    /// Between two looks for such versions.
    package static let tailPauseSeconds: Int64 = 5
}

/// Looking again at every version of a bucket.
///
/// A request is part of the transaction that changes policy, tags or backends. Versions are looked at in the order of
/// their sequence, so that those written meanwhile come last.
extension SQLConnection {
    /// Has every version of the bucket looked at by today's policy and backends; one that runs begins anew.
    package func requestReplan(bucketID: Int64, at time: Timestamp) throws(S3Error) {
        try run(
            """
            INSERT INTO replans (bucket_id, round, cursor, looked, short, asked_at, look_at)
            SELECT id, 1, 0, 0, 0, $2, $2 FROM buckets WHERE id = $1 AND is_removed = 0
            ON CONFLICT (bucket_id) DO UPDATE SET round = replans.round + 1, cursor = 0, looked = 0, short = 0,
                asked_at = excluded.asked_at, look_at = excluded.look_at, done_at = NULL
            """, .int(bucketID), SQLValue(time))
    }

    /// As `requestReplan` for every bucket of the tenant.
    package func requestReplan(tenantID: Int64, at time: Timestamp) throws(S3Error) {
        try run(
            """
            INSERT INTO replans (bucket_id, round, cursor, looked, short, asked_at, look_at)
            SELECT id, 1, 0, 0, 0, $2, $2 FROM buckets WHERE tenant_id = $1 AND is_removed = 0
            ON CONFLICT (bucket_id) DO UPDATE SET round = replans.round + 1, cursor = 0, looked = 0, short = 0,
                asked_at = excluded.asked_at, look_at = excluded.look_at, done_at = NULL
            """, .int(tenantID), SQLValue(time))
    }

    /// As `requestReplan` for every bucket.
    package func requestReplanOfAll(at time: Timestamp) throws(S3Error) {
        try run(
            """
            INSERT INTO replans (bucket_id, round, cursor, looked, short, asked_at, look_at)
            SELECT id, 1, 0, 0, 0, $1, $1 FROM buckets WHERE is_removed = 0
            ON CONFLICT (bucket_id) DO UPDATE SET round = replans.round + 1, cursor = 0, looked = 0, short = 0,
                asked_at = excluded.asked_at, look_at = excluded.look_at, done_at = NULL
            """, SQLValue(time))
    }

    /// Returns every bucket that was asked for lately, by id; for people, as it reads the whole table.
    package func replanProgress() throws(S3Error) -> [ReplanProgress] {
        try all("SELECT bucket_id, asked_at, looked, short, done_at FROM replans ORDER BY bucket_id") {
            ReplanProgress(
                bucketID: $0.int(0), askedAt: $0.time(1), looked: $0.int(2), short: $0.int(3), isDone: !$0.isNull(4))
        }
    }

    /// Returns the bucket that has waited longest for a look.
    package func dueReplan(at now: Timestamp) throws(S3Error) -> Replan? {
        try first(
            """
            SELECT bucket_id, round, cursor, look_at, asked_at, done_at FROM replans WHERE look_at <= $1
            ORDER BY look_at, bucket_id LIMIT 1
            """, SQLValue(now)
        ) {
            Replan(
                bucketID: $0.int(0), round: $0.int(1), cursor: $0.int(2), lookAt: $0.time(3), askedAt: $0.time(4),
                doneAt: $0.optionalTime(5))
        }
    }

    /// Writes down how far the look has come; false when it was asked for again, or another worker was faster.
    package func advance(
        _ replan: Replan, to cursor: Int64, looked: Int, short: Int, lookAt: Timestamp, doneAt: Timestamp?
    ) throws(S3Error) -> Bool {
        try run(
            """
            UPDATE replans SET cursor = $4, looked = looked + $5, short = short + $6, look_at = $7, done_at = $8
            WHERE bucket_id = $1 AND round = $2 AND cursor = $3
            """, .int(replan.bucketID), .int(replan.round), .int(replan.cursor), .int(cursor), .int(Int64(looked)),
            .int(Int64(short)), SQLValue(lookAt), SQLValue(doneAt?.milliseconds)) == 1
    }

    package func deleteReplan(_ replan: Replan) throws(S3Error) {
        try run(
            "DELETE FROM replans WHERE bucket_id = $1 AND round = $2", .int(replan.bucketID), .int(replan.round))
    }

    /// Returns up to `limit` live versions with bytes whose sequence is above `after`, in its order.
    package func liveVersions(bucketID: Int64, after: Int64, limit: Int) throws(S3Error) -> [ObjectVersion] {
        try all(
            """
            SELECT sequence, id, is_delete_marker, size_bytes, etag, last_modified, storage_class, checksum_algorithm,
                checksum, headers, is_null, tags, key
            FROM versions WHERE bucket_id = $1 AND state = 'live' AND is_delete_marker = 0 AND sequence > $2
            ORDER BY sequence LIMIT $3
            """, .int(bucketID), .int(after), .int(Int64(limit))
        ) { (row) throws(S3Error) in
            try objectVersion(row, bucketID: bucketID, key: ObjectKey(stored: row.bytes(12)))
        }
    }

    /// Tells whether other backends are away than those that versions were last looked at for.
    func hasOtherBackendsAway(_ away: Set<Int64>) throws(S3Error) -> Bool {
        let known = try all("SELECT backend_id FROM backends_away ORDER BY backend_id") { $0.int(0) }
        return Set(known) != away
    }

    func setBackendsAway(_ away: Set<Int64>) throws(S3Error) {
        try run("DELETE FROM backends_away")
        for id in away.sorted() { try run("INSERT INTO backends_away (backend_id) VALUES ($1)", .int(id)) }
    }
}
