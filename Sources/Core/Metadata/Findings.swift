package enum FindingKind: String, Sendable, CaseIterable {
    /// The row says that the bytes are there, and they are not.
    case missing
    /// The object has another size than the version.
    case size
    /// Ours by name and proof, and no row speaks of it.
    case orphaned
    /// Ours, of a version that lives, at a place where no row has it or policy does not allow it.
    case misplaced
    /// Not ours, or its description was changed: never touched.
    case foreign
    /// A native multipart upload that nobody goes on with.
    case upload
    /// A record or document in the recovery bucket that was replaced.
    case leftover
    /// A physical bucket that we made, and of which no row speaks, or only one that says it is gone.
    case bucket
    /// The store does not list in the order of bytes: it cannot be compared.
    case unordered
}

/// One thing that is not as it should be, at one place.
package struct Finding: Sendable, Hashable {
    package var id: Int64 = 0
    package var kind: FindingKind
    package var backendID: Int64
    package var physicalBucket: String
    /// Empty when it is about the bucket.
    package var physicalKey: [UInt8]
    package var bucketID: Int64?
    package var versionID: VersionID?
    package var sizeBytes: Int64?
    /// For people.
    package var detail: String
    package var firstSeen = Timestamp(milliseconds: 0)
    package var lastSeen = Timestamp(milliseconds: 0)
    /// In how many runs it was seen.
    package var runs: Int64 = 0

    package init(
        kind: FindingKind, backendID: Int64, physicalBucket: String, physicalKey: [UInt8], bucketID: Int64? = nil,
        versionID: VersionID? = nil, sizeBytes: Int64? = nil, detail: String
    ) {
        self.kind = kind
        self.backendID = backendID
        self.physicalBucket = physicalBucket
        self.physicalKey = physicalKey
        self.bucketID = bucketID
        self.versionID = versionID
        self.sizeBytes = sizeBytes
        self.detail = detail
    }
}

extension SQLConnection {
    /// Notes a finding of a run; returns it with when, and in how many runs, it was seen.
    package func note(_ finding: Finding, run number: Int64, at now: Timestamp) throws(S3Error) -> Finding {
        let seen = try first(
            """
            INSERT INTO findings (
                kind, backend_id, physical_bucket, physical_key, bucket_id, version_id, size_bytes, detail, first_seen,
                last_seen, run, runs)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, 1)
            ON CONFLICT (backend_id, physical_bucket, physical_key, kind) DO UPDATE SET
                bucket_id = excluded.bucket_id, version_id = excluded.version_id, size_bytes = excluded.size_bytes,
                detail = excluded.detail, last_seen = excluded.last_seen,
                runs = findings.runs + CASE WHEN findings.run = excluded.run THEN 0 ELSE 1 END, run = excluded.run
            RETURNING id, first_seen, last_seen, runs
            """, .text(finding.kind.rawValue), .int(finding.backendID), .text(finding.physicalBucket),
            .bytes(finding.physicalKey), SQLValue(finding.bucketID), SQLValue(finding.versionID?.bytes),
            SQLValue(finding.sizeBytes), .text(finding.detail), SQLValue(now), .int(number)
        ) { (id: $0.int(0), first: $0.time(1), last: $0.time(2), runs: $0.int(3)) }
        guard let seen else { throw S3Error(.internalError, cause: "a finding was not noted") }
        var noted = finding
        noted.id = seen.id
        noted.firstSeen = seen.first
        noted.lastSeen = seen.last
        noted.runs = seen.runs
        return noted
    }

    /// Forgets what a run over one physical bucket did not find again.
    package func forgetFindings(backendID: Int64, physicalBucket: String, notOf run: Int64) throws(S3Error) {
        try self.run(
            "DELETE FROM findings WHERE backend_id = $1 AND physical_bucket = $2 AND run <> $3", .int(backendID),
            .text(physicalBucket), .int(run))
    }

    /// Forgets what a run over a whole backend did not find again.
    package func forgetFindings(backendID: Int64, notOf run: Int64) throws(S3Error) {
        try self.run("DELETE FROM findings WHERE backend_id = $1 AND run <> $2", .int(backendID), .int(run))
    }

    package func forgetFinding(id: Int64) throws(S3Error) { try run("DELETE FROM findings WHERE id = $1", .int(id)) }

    /// Returns up to `limit` findings with larger ids than `after`, of one backend or of all.
    package func findings(backendID: Int64?, after: Int64 = 0, limit: Int) throws(S3Error) -> [Finding] {
        try all(
            """
            SELECT id, kind, backend_id, physical_bucket, physical_key, bucket_id, version_id, size_bytes, detail,
                first_seen, last_seen, runs
            FROM findings WHERE id > $1 AND ($2 IS NULL OR backend_id = $2) ORDER BY id LIMIT $3
            """, .int(after), SQLValue(backendID), .int(Int64(limit))
        ) { (row) throws(S3Error) in
            var finding = Finding(
                kind: try row.word(1), backendID: row.int(2), physicalBucket: row.text(3), physicalKey: row.bytes(4),
                bucketID: row.optionalInt(5), versionID: row.isNull(6) ? nil : try row.versionID(6),
                sizeBytes: row.optionalInt(7), detail: row.text(8))
            finding.id = row.int(0)
            finding.firstSeen = row.time(9)
            finding.lastSeen = row.time(10)
            finding.runs = row.int(11)
            return finding
        }
    }

    /// Counts findings; for people.
    package func findingCount() throws(S3Error) -> Int64 {
        try first("SELECT COUNT(*) FROM findings") { $0.int(0) } ?? 0
    }
}
