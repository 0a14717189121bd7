/// The adoption of one physical bucket, as far as it has come.
package struct ImportRecord: Sendable, Hashable {
    package enum State: String, Sendable { case running, done }

    package var id: Int64
    package var bucketID: Int64
    package var backendID: Int64
    package var physicalBucket: String
    /// The last physical key that was dealt with; nil before the first.
    package var position: [UInt8]?
    package var state: State
    package var adopted: Int64
    package var adoptedBytes: Int64
    /// Objects that were left alone: clients have written their keys, or the gateway has written them.
    package var skipped: Int64
    package var startedAt: Timestamp
    /// Whether the recovery buckets know everything that was adopted.
    package var isRecorded = false
}

extension BucketMapping {
    /// The scheme of physical buckets that were there before us: their names were not made, and what is in them without a
    /// row of ours belongs to somebody else.
    package static let adoptedScheme = 0

    /// True for an adopted physical bucket: never swept, never deleted, and nothing foreign in it is ever removed.
    package var isAdopted: Bool { scheme == Self.adoptedScheme }
}

extension SQLConnection {
    /// Begins the import, or returns the one of that place, to be gone on with; one that was done begins anew.
    ///
    /// Makes the mapping of the bucket. Throws `InvalidRequest` when the place is, or was, another bucket's, or the bucket
    /// has another physical bucket on that backend.
    package func beginImport(
        bucketID: Int64, backendID: Int64, physicalBucket: String, at time: Timestamp
    ) throws(S3Error) -> ImportRecord {
        if let mapping = try mapping(backendID: backendID, physicalName: physicalBucket) {
            guard mapping.bucketID == bucketID, mapping.isAdopted, mapping.state == .ready else {
                throw S3Error(.invalidRequest, "That physical bucket belongs, or belonged, to another bucket.")
            }
        } else {
            let counter = try mappings(bucketID: bucketID).filter { $0.backendID == backendID }.map(\.counter).max()
            let mapping = BucketMapping(
                bucketID: bucketID, backendID: backendID, physicalName: physicalBucket,
                scheme: BucketMapping.adoptedScheme, counter: (counter ?? -1) + 1, state: .ready)
            guard try insertMapping(mapping) else {
                throw S3Error(.invalidRequest, "The bucket has a physical bucket on that backend already.")
            }
        }
        try run(
            """
            INSERT INTO imports (bucket_id, backend_id, physical_bucket, state, started_at)
            VALUES ($1, $2, $3, 'running', $4)
            ON CONFLICT (backend_id, physical_bucket) DO UPDATE SET
                position = CASE imports.state WHEN 'done' THEN NULL ELSE imports.position END,
                adopted = CASE imports.state WHEN 'done' THEN 0 ELSE imports.adopted END,
                adopted_bytes = CASE imports.state WHEN 'done' THEN 0 ELSE imports.adopted_bytes END,
                skipped = CASE imports.state WHEN 'done' THEN 0 ELSE imports.skipped END,
                started_at = CASE imports.state WHEN 'done' THEN excluded.started_at ELSE imports.started_at END,
                finished_at = NULL, recorded_at = NULL, state = 'running'
            """, .int(bucketID), .int(backendID), .text(physicalBucket), SQLValue(time))
        guard let record = try importRecord(backendID: backendID, physicalBucket: physicalBucket) else {
            throw S3Error(.internalError, cause: "an import that was begun has no row")
        }
        return record
    }

    package func importRecord(backendID: Int64, physicalBucket: String) throws(S3Error) -> ImportRecord? {
        try first(
            """
            SELECT id, bucket_id, backend_id, physical_bucket, position, state, adopted, adopted_bytes, skipped,
                started_at, recorded_at
            FROM imports WHERE backend_id = $1 AND physical_bucket = $2
            """, .int(backendID), .text(physicalBucket)
        ) { (row) throws(S3Error) in
            ImportRecord(
                id: row.int(0), bucketID: row.int(1), backendID: row.int(2), physicalBucket: row.text(3),
                position: row.optionalBytes(4), state: try row.word(5), adopted: row.int(6), adoptedBytes: row.int(7),
                skipped: row.int(8), startedAt: row.time(9), isRecorded: !row.isNull(10))
        }
    }

    /// Moves the import on; false when another process has moved it meanwhile, and then nothing may be committed.
    package func advanceImport(
        _ record: ImportRecord, to position: [UInt8]?, adopted: Int64, bytes: Int64, skipped: Int64
    ) throws(S3Error) -> Bool {
        try run(
            """
            UPDATE imports SET position = $2, adopted = adopted + $3, adopted_bytes = adopted_bytes + $4,
                skipped = skipped + $5
            WHERE id = $1 AND state = 'running' AND position IS NOT DISTINCT FROM $6
            """, .int(record.id), SQLValue(position), .int(adopted), .int(bytes), .int(skipped),
            SQLValue(record.position)) == 1
    }

    /// Ends the import.
    package func finishImport(_ record: ImportRecord, at time: Timestamp) throws(S3Error) {
        try run(
            "UPDATE imports SET state = 'done', finished_at = $2 WHERE id = $1", .int(record.id), SQLValue(time))
    }

    /// The imports that have ended and of which every record is written since.
    package func importsToSettle() throws(S3Error) -> [Int64] {
        try all(
            """
            SELECT i.id FROM imports i WHERE i.state = 'done' AND i.recorded_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM records r WHERE r.bucket_id = i.bucket_id AND r.due_at IS NOT NULL)
            """
        ) { $0.int(0) }
    }

    /// Says of an import that the recovery buckets know all of it; the bucket's document then tells.
    package func settleImport(id: Int64, at time: Timestamp) throws(S3Error) {
        try run(
            "UPDATE imports SET recorded_at = $2 WHERE id = $1 AND state = 'done' AND recorded_at IS NULL", .int(id),
            SQLValue(time))
        try bumpConfigurationGeneration()
    }

    /// Remembers that a client deleted `key` while its bucket is imported.
    func noteDeletion(bucketID: Int64, key: ObjectKey) throws(S3Error) {
        guard try has("SELECT 1 FROM imports WHERE bucket_id = $1 AND state = 'running'", .int(bucketID)) else {
            return
        }
        try shadow(bucketID, key)
    }

    private func shadow(_ bucketID: Int64, _ key: ObjectKey) throws(S3Error) {
        try run(
            "INSERT INTO import_shadows (bucket_id, key) VALUES ($1, $2) ON CONFLICT DO NOTHING", .int(bucketID),
            .bytes(key.bytes))
    }

    /// Makes an object visible that is on a backend already, unless a client has written or deleted its key, or the
    /// place is that of a version we know.
    ///
    /// Returns nil when it is left alone.
    package func adopt(_ version: ObjectVersion, at replica: Replica) throws(S3Error) -> ObjectVersion? {
        let bucketID = version.bucketID
        guard try !isPlaceKnown(backendID: replica.backendID, replica.physicalBucket, replica.physicalKey),
            try self.version(id: version.id) == nil,
            try !has(
                "SELECT 1 FROM import_shadows WHERE bucket_id = $1 AND key = $2", .int(bucketID),
                .bytes(version.key.bytes))
        else { return nil }
        guard try latestVersion(bucketID: bucketID, key: version.key) == nil else {
            try shadow(bucketID, version.key)
            return nil
        }
        return try commitPut(NewVersion(version: version, present: [replica], pending: []), unless: { _ in })
    }

    /// Tells whether some version's bytes are, or were, at that place.
    package func isPlaceKnown(
        backendID: Int64, _ physicalBucket: String, _ physicalKey: [UInt8]
    ) throws(S3Error) -> Bool {
        try has(
            "SELECT 1 FROM replicas WHERE backend_id = $1 AND physical_bucket = $2 AND physical_key = $3",
            .int(backendID), .text(physicalBucket), .bytes(physicalKey))
    }

    /// Returns the logical key whose version's bytes are, or were, at that place; nil when no row speaks of it.
    package func keyOfPlace(
        backendID: Int64, _ physicalBucket: String, _ physicalKey: [UInt8]
    ) throws(S3Error) -> [UInt8]? {
        try first(
            """
            SELECT v.key FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE r.backend_id = $1 AND r.physical_bucket = $2 AND r.physical_key = $3
            """, .int(backendID), .text(physicalBucket), .bytes(physicalKey)
        ) { $0.bytes(0) }
    }
}
