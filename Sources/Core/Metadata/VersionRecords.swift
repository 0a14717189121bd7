/// When records are looked at: at once, but for deaths.
///
/// A loss of the database takes what a worker that runs had not looked at and written by then: this, and one
/// `worker-poll-interval`.
package enum RecordDelay {
    /// After a version's death its bytes are usually gone within this time, and then nothing has to be written down.
    package static let deathSeconds: Int64 = 2
}

/// One version whose record has to be looked at.
package struct DueRecord: Sendable, Hashable {
    package var versionID: VersionID
    package var bucketID: Int64
    package var revision: Int64
    package var attempts: Int
    /// Identifies the claim: another claim or change has another one.
    package var claimedUntil: Timestamp
}

/// One record object that is, or may be, on a backend.
package struct RecordPlace: Sendable, Hashable {
    package var versionID: VersionID
    package var revision: Int64
    package var backendID: Int64
    package var physicalBucket: String
    package var isWritten: Bool

    package init(versionID: VersionID, revision: Int64, backendID: Int64, physicalBucket: String, isWritten: Bool) {
        self.versionID = versionID
        self.revision = revision
        self.backendID = backendID
        self.physicalBucket = physicalBucket
        self.isWritten = isWritten
    }

    package var physicalKey: [UInt8] { RecoveryKey.record(versionID, revision: revision) }
}

/// Which versions need a record, and where those records are.
extension SQLConnection {
    // MARK: What needs one

    /// Says that a version has changed, or died, in a way that its objects do not tell; the worker then writes that down.
    func touchRecord(of id: VersionID, bucketID: Int64, at time: Timestamp) throws(S3Error) {
        try run(
            """
            INSERT INTO records (version_id, bucket_id, revision, due_at) VALUES ($1, $2, 1, $3)
            ON CONFLICT (version_id) DO UPDATE SET
                revision = records.revision + 1, due_at = excluded.due_at, attempts = 0
            """, .bytes(id.bytes), .int(bucketID), SQLValue(time))
    }

    /// Says that nothing is left of a version: what was written about it, if anything, is to be removed.
    func touchKnownRecord(of id: VersionID, at time: Timestamp) throws(S3Error) {
        let forgotten = try run(
            """
            DELETE FROM records WHERE version_id = $1
            AND NOT EXISTS (SELECT 1 FROM record_places WHERE version_id = $1)
            """, .bytes(id.bytes))
        guard forgotten == 0 else { return }
        try run(
            "UPDATE records SET revision = revision + 1, due_at = $2, attempts = 0 WHERE version_id = $1",
            .bytes(id.bytes), SQLValue(time))
    }

    /// Looks again at a record, as it is.
    package func askForRecord(of id: VersionID, at time: Timestamp) throws(S3Error) {
        try run(
            "UPDATE records SET due_at = $2 WHERE version_id = $1 AND due_at IS NULL", .bytes(id.bytes), SQLValue(time))
    }

    // MARK: Work

    /// Takes up to `limit` records that are due, away from other workers until `until`.
    package func claimRecords(limit: Int, now: Timestamp, until: Timestamp) throws(S3Error) -> [DueRecord] {
        let due = try all(
            """
            SELECT version_id, bucket_id, revision, attempts FROM records
            WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at LIMIT $2
            """, SQLValue(now), .int(Int64(limit))
        ) { (row) throws(S3Error) in
            DueRecord(
                versionID: try row.versionID(0), bucketID: row.int(1), revision: row.int(2),
                attempts: Int(row.int(3)), claimedUntil: until)
        }
        for record in due {
            try run(
                "UPDATE records SET due_at = $2 WHERE version_id = $1", .bytes(record.versionID.bytes), SQLValue(until))
        }
        return due
    }

    /// Tells whether the record is the one that was claimed, unchanged.
    package func holdsRecord(_ record: DueRecord) throws(S3Error) -> Bool {
        try has(
            "SELECT 1 FROM records WHERE version_id = $1 AND revision = $2", .bytes(record.versionID.bytes),
            .int(record.revision))
    }

    /// Ends a claim: all is as it should be.
    ///
    /// A record that changed meanwhile stays due.
    package func settleRecord(_ record: DueRecord) throws(S3Error) {
        try run(
            "UPDATE records SET due_at = NULL, attempts = 0 WHERE version_id = $1 AND revision = $2 AND due_at = $3",
            .bytes(record.versionID.bytes), .int(record.revision), SQLValue(record.claimedUntil))
    }

    /// Gives a claim back until `time`.
    package func retryRecord(_ record: DueRecord, at time: Timestamp) throws(S3Error) {
        try run(
            """
            UPDATE records SET due_at = $4, attempts = attempts + 1
            WHERE version_id = $1 AND revision = $2 AND due_at = $3
            """, .bytes(record.versionID.bytes), .int(record.revision), SQLValue(record.claimedUntil), SQLValue(time))
    }

    /// Forgets a version of which nothing is left anywhere; kept when it changed meanwhile or a record is still there.
    package func forgetRecord(_ record: DueRecord) throws(S3Error) {
        try run(
            """
            DELETE FROM records WHERE version_id = $1 AND revision = $2
            AND NOT EXISTS (SELECT 1 FROM record_places WHERE version_id = $1)
            """, .bytes(record.versionID.bytes), .int(record.revision))
    }

    /// Tells whether a record is due.
    package func hasDueRecord(at now: Timestamp) throws(S3Error) -> Bool {
        try has("SELECT 1 FROM records WHERE due_at IS NOT NULL AND due_at <= $1 LIMIT 1", SQLValue(now))
    }

    // MARK: Places

    package func recordPlaces(of id: VersionID) throws(S3Error) -> [RecordPlace] {
        try all(
            """
            SELECT version_id, revision, backend_id, physical_bucket, is_written FROM record_places
            WHERE version_id = $1 ORDER BY version_id, revision, backend_id, physical_bucket
            """, .bytes(id.bytes), row: recordPlace)
    }

    /// Returns up to `limit` places in one physical bucket behind (`versionID`, `revision`), in the order of their keys.
    package func recordPlaces(
        backendID: Int64, physicalBucket: String, after: RecordPlace?, limit: Int
    ) throws(S3Error) -> [RecordPlace] {
        try all(
            """
            SELECT version_id, revision, backend_id, physical_bucket, is_written FROM record_places
            WHERE backend_id = $1 AND physical_bucket = $2 AND (version_id, revision) > ($3, $4)
            ORDER BY version_id, revision LIMIT $5
            """, .int(backendID), .text(physicalBucket), .bytes(after?.versionID.bytes ?? []),
            .int(after?.revision ?? -1), .int(Int64(limit)), row: recordPlace)
    }

    package func hasRecordPlace(_ place: RecordPlace) throws(S3Error) -> Bool {
        try has(
            """
            SELECT 1 FROM record_places
            WHERE version_id = $1 AND revision = $2 AND backend_id = $3 AND physical_bucket = $4
            """, .bytes(place.versionID.bytes), .int(place.revision), .int(place.backendID),
            .text(place.physicalBucket))
    }

    /// Writes down that a record object is there, or is about to be; what is known to be there stays so.
    package func insertRecordPlace(_ place: RecordPlace) throws(S3Error) {
        try run(
            """
            INSERT INTO record_places (version_id, revision, backend_id, physical_bucket, is_written)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (version_id, revision, backend_id, physical_bucket) DO UPDATE SET
                is_written = CASE WHEN excluded.is_written = 1 THEN 1 ELSE record_places.is_written END
            """, .bytes(place.versionID.bytes), .int(place.revision), .int(place.backendID),
            .text(place.physicalBucket), SQLValue(place.isWritten))
    }

    package func deleteRecordPlace(_ place: RecordPlace) throws(S3Error) {
        try run(
            """
            DELETE FROM record_places
            WHERE version_id = $1 AND revision = $2 AND backend_id = $3 AND physical_bucket = $4
            """, .bytes(place.versionID.bytes), .int(place.revision), .int(place.backendID),
            .text(place.physicalBucket))
    }

    private func recordPlace(_ row: any SQLStatement) throws(S3Error) -> RecordPlace {
        RecordPlace(
            versionID: try row.versionID(0), revision: row.int(1), backendID: row.int(2), physicalBucket: row.text(3),
            isWritten: row.flag(4))
    }

    // MARK: Sweeps

    package func hasRecordSweep() throws(S3Error) -> Bool {
        try has("SELECT 1 FROM record_sweeps ORDER BY bucket_id LIMIT 1")
    }

    /// Has every record of a bucket looked at again, because where they may be has changed.
    package func requestRecordSweep(bucketID: Int64) throws(S3Error) {
        try run(
            """
            INSERT INTO record_sweeps (bucket_id, after_version) VALUES ($1, $2)
            ON CONFLICT (bucket_id) DO UPDATE SET after_version = excluded.after_version
            """, .int(bucketID), .bytes([]))
    }

    /// Makes the next `limit` records of the swept buckets due; false when there is nothing to sweep.
    package func sweepRecords(limit: Int, at now: Timestamp) throws(S3Error) -> Bool {
        let sweep = try first("SELECT bucket_id, after_version FROM record_sweeps ORDER BY bucket_id LIMIT 1") {
            (bucketID: $0.int(0), after: $0.bytes(1))
        }
        guard let sweep else { return false }
        let ids = try all(
            """
            SELECT version_id FROM records WHERE bucket_id = $1 AND version_id > $2 ORDER BY version_id LIMIT $3
            """, .int(sweep.bucketID), .bytes(sweep.after), .int(Int64(limit))
        ) { $0.bytes(0) }
        for id in ids {
            try run(
                "UPDATE records SET due_at = $2 WHERE version_id = $1 AND due_at IS NULL", .bytes(id), SQLValue(now))
        }
        if ids.count < limit {
            try run("DELETE FROM record_sweeps WHERE bucket_id = $1", .int(sweep.bucketID))
        } else if let last = ids.last {
            try run(
                "UPDATE record_sweeps SET after_version = $2 WHERE bucket_id = $1", .int(sweep.bucketID), .bytes(last))
        }
        return true
    }
}
