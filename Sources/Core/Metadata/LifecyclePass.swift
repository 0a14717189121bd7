package enum LifecycleStage: String, Sendable { case versions, uploads }

/// Where a look at all buckets with rules stands.
package struct LifecyclePosition: Sendable, Hashable {
    package var bucketID: Int64
    package var stage: LifecycleStage
    /// All before this key was looked at.
    package var key: [UInt8]
    /// Of the versions of `key` those with lower sequences are left, in stage `versions`.
    package var sequence: Int64
    /// Of the uploads of `key` those with greater ids are left, in stage `uploads`; 16 bytes, or none.
    package var uploadID: [UInt8]

    private init(bucketID: Int64, stage: LifecycleStage, key: [UInt8], sequence: Int64, uploadID: [UInt8]) {
        self.bucketID = bucketID
        self.stage = stage
        self.key = key
        self.sequence = sequence
        self.uploadID = uploadID
    }

    /// Before the first version, or upload, of the first key that is not less than `key`.
    package init(bucketID: Int64, stage: LifecycleStage, from key: [UInt8]) {
        self.init(bucketID: bucketID, stage: stage, key: key, sequence: .max, uploadID: [])
    }

    package static func after(_ row: LifecycleVersionRow, bucketID: Int64) -> LifecyclePosition {
        Self(bucketID: bucketID, stage: .versions, key: row.key.bytes, sequence: row.sequence, uploadID: [])
    }

    package static func after(_ row: LifecycleUploadRow, bucketID: Int64) -> LifecyclePosition {
        Self(bucketID: bucketID, stage: .uploads, key: row.key.bytes, sequence: .max, uploadID: row.id.bytes)
    }

    /// Whether no version of `key` was looked at yet.
    package var isBeforeKey: Bool { sequence == .max }

    fileprivate init(_ row: any SQLStatement, from column: Int) throws(S3Error) {
        self.init(
            bucketID: row.int(column), stage: try row.word(column + 1), key: row.bytes(column + 2),
            sequence: row.int(column + 3), uploadID: row.bytes(column + 4))
    }
}

/// The one look at all buckets with rules, and the claim on it.
package struct LifecyclePass: Sendable, Hashable {
    package var begunAt: Timestamp
    /// Nil while it is not at its end.
    package var finishedAt: Timestamp?
    package var fence: Int64
    package var leaseOwner: String?
    package var leaseUntil: Timestamp?
    package var position: LifecyclePosition
    /// Versions and uploads that were looked at.
    package var looked: Int64
    /// Those of them that a rule ends: each has become a job.
    package var found: Int64

    /// Whether it is time to go on, or to begin anew, `intervalMilliseconds` after the last beginning.
    ///
    /// A beginning in the future was written down by a clock that was ahead.
    package func isDue(at now: Timestamp, intervalMilliseconds: Int64) -> Bool {
        guard finishedAt != nil else { return true }
        return begunAt > now || now.milliseconds - begunAt.milliseconds >= intervalMilliseconds
    }
}

extension SQLConnection {
    /// Returns nil before the first look.
    package func lifecyclePass() throws(S3Error) -> LifecyclePass? {
        try first(
            """
            SELECT begun_at, finished_at, fence, lease_owner, lease_until, looked, found, bucket_id, stage, key, sequence,
                upload_id
            FROM lifecycle_pass WHERE only_row = 1
            """
        ) { (row) throws(S3Error) in
            LifecyclePass(
                begunAt: row.time(0), finishedAt: row.optionalTime(1), fence: row.int(2),
                leaseOwner: row.optionalText(3), leaseUntil: row.optionalTime(4),
                position: try LifecyclePosition(row, from: 7), looked: row.int(5), found: row.int(6))
        }
    }

    /// Takes the look away from other workers when it is due: goes on where it stood, or begins anew.
    ///
    /// Nil when it is not due, or while another worker is at it. A lease that ends after `longestLease` was taken by a clock
    /// that was ahead, and counts as over.
    package func claimLifecyclePass(
        owner: String, now: Timestamp, until: Timestamp, longestLease: Timestamp, intervalMilliseconds: Int64
    ) throws(S3Error) -> LifecyclePass? {
        try run(
            """
            INSERT INTO lifecycle_pass (
                only_row, begun_at, finished_at, fence, bucket_id, stage, key, sequence, upload_id, looked, found)
            VALUES (1, 0, 0, 0, 0, 'versions', $1, 0, $1, 0, 0) ON CONFLICT DO NOTHING
            """, .bytes([]))
        guard var pass = try lifecyclePass(), pass.isDue(at: now, intervalMilliseconds: intervalMilliseconds) else {
            return nil
        }
        if let lease = pass.leaseUntil, pass.leaseOwner != nil, lease > now, lease <= longestLease { return nil }
        if pass.finishedAt != nil {
            pass.begunAt = now
            pass.finishedAt = nil
            pass.position = LifecyclePosition(bucketID: 0, stage: .versions, from: [])
            (pass.looked, pass.found) = (0, 0)
        }
        (pass.leaseOwner, pass.leaseUntil) = (owner, until)
        let fence = pass.fence
        pass.fence += 1
        guard try store(pass, over: fence) else { return nil }
        return pass
    }

    /// Writes down how far it is; false when another worker has claimed it since, and then nothing may be done with it.
    package func saveLifecyclePass(_ pass: LifecyclePass) throws(S3Error) -> Bool { try store(pass, over: pass.fence) }

    private func store(_ pass: LifecyclePass, over fence: Int64) throws(S3Error) -> Bool {
        try run(
            """
            UPDATE lifecycle_pass SET begun_at = $2, finished_at = $3, fence = $4, lease_owner = $5, lease_until = $6,
                bucket_id = $7, stage = $8, key = $9, sequence = $10, upload_id = $11, looked = $12, found = $13
            WHERE only_row = 1 AND fence = $1
            """, .int(fence), SQLValue(pass.begunAt), SQLValue(pass.finishedAt?.milliseconds), .int(pass.fence),
            SQLValue(pass.leaseOwner), SQLValue(pass.leaseUntil?.milliseconds), .int(pass.position.bucketID),
            .text(pass.position.stage.rawValue), .bytes(pass.position.key), .int(pass.position.sequence),
            .bytes(pass.position.uploadID), .int(pass.looked), .int(pass.found)) == 1
    }
}
