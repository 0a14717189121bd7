/// One object of an adopted bucket that is not one of ours by what it says of itself.
package struct FoundStranger: Sendable {
    package var backendID: Int64
    package var physicalBucket: String
    package var physicalKey: [UInt8]
    /// The logical key under which it would be adopted.
    package var key: [UInt8]
    package var sizeBytes: Int64
    /// Nil when the store does not say; then it counts as old.
    package var lastModified: Timestamp?

    package init(
        backendID: Int64, physicalBucket: String, physicalKey: [UInt8], key: [UInt8], sizeBytes: Int64,
        lastModified: Timestamp?
    ) {
        self.backendID = backendID
        self.physicalBucket = physicalBucket
        self.physicalKey = physicalKey
        self.key = key
        self.sizeBytes = sizeBytes
        self.lastModified = lastModified
    }
}

/// Adopted buckets while the database is rebuilt: their objects say nothing of themselves, and so the newest record of a
/// version says which of them is its original.
extension SQLConnection {
    package func noteStranger(_ found: FoundStranger) throws(S3Error) {
        try run(
            """
            INSERT INTO rebuild_strangers (backend_id, physical_bucket, physical_key, key, size_bytes, modified)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
            """, .int(found.backendID), .text(found.physicalBucket), .bytes(found.physicalKey), .bytes(found.key),
            .int(found.sizeBytes), SQLValue(found.lastModified ?? Timestamp(milliseconds: 0)))
    }

    /// Notes where one revision of a record says that its version lies.
    package func notePlace(
        of id: VersionID, revision: Int64, backendID: Int64, physicalBucket: String, physicalKey: [UInt8]
    ) throws(S3Error) {
        try run(
            """
            INSERT INTO rebuild_places (version_id, revision, backend_id, physical_bucket, physical_key)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
            """, .bytes(id.bytes), .int(revision), .int(backendID), .text(physicalBucket), .bytes(physicalKey))
    }

    /// Gives each version its original, where the newest record says it is; what is left of the strangers is nobody's.
    package func claimOriginals() throws(S3Error) {
        try run(
            """
            INSERT INTO rebuild_objects (version_id, backend_id, physical_bucket, physical_key, size_bytes)
            SELECT p.version_id, p.backend_id, p.physical_bucket, p.physical_key, s.size_bytes
            FROM rebuild_places p
            JOIN rebuild_versions v ON v.id = p.version_id AND v.revision = p.revision
            JOIN rebuild_strangers s ON s.backend_id = p.backend_id AND s.physical_bucket = p.physical_bucket
                AND s.physical_key = p.physical_key
            WHERE true ON CONFLICT DO NOTHING
            """)
        try run(
            """
            DELETE FROM rebuild_strangers WHERE EXISTS (
                SELECT 1 FROM rebuild_places p
                JOIN rebuild_objects o ON o.version_id = p.version_id AND o.backend_id = p.backend_id
                    AND o.physical_bucket = p.physical_bucket AND o.physical_key = p.physical_key
                WHERE p.backend_id = rebuild_strangers.backend_id
                    AND p.physical_bucket = rebuild_strangers.physical_bucket
                    AND p.physical_key = rebuild_strangers.physical_key)
            """)
    }

    /// Has no later import adopt what an import that is wholly written down has left alone: clients wrote or deleted it.
    ///
    /// Returns how many strangers there are, and how many of them are in buckets of which an import may have adopted
    /// more than was written down.
    package func restoreShadows() throws(S3Error) -> (strangers: Int64, unadopted: Int64) {
        try run(
            """
            INSERT INTO import_shadows (bucket_id, key)
            SELECT i.bucket_id, s.key FROM rebuild_strangers s
            JOIN imports i ON i.backend_id = s.backend_id AND i.physical_bucket = s.physical_bucket
            WHERE i.recorded_at IS NOT NULL AND s.modified <= i.finished_at ON CONFLICT DO NOTHING
            """)
        // From the beginning: not all that was adopted before that position was written down.
        try run("UPDATE imports SET position = NULL WHERE state = 'running'")
        let unadopted = try first(
            """
            SELECT COUNT(*) FROM rebuild_strangers s
            JOIN imports i ON i.backend_id = s.backend_id AND i.physical_bucket = s.physical_bucket
            WHERE i.recorded_at IS NULL
            """
        ) { $0.int(0) }
        return (try first("SELECT COUNT(*) FROM rebuild_strangers") { $0.int(0) } ?? 0, unadopted ?? 0)
    }
}
