/// What the rules ask of one version.
package struct LifecycleVersionRow: Sendable, Hashable {
    package var key: ObjectKey
    package var sequence: Int64
    package var id: VersionID
    package var isDeleteMarker: Bool
    package var sizeBytes: Int64
    package var lastModified: Timestamp
    package var tags: [Tag]
}

/// What the rules ask of one upload in parts.
package struct LifecycleUploadRow: Sendable, Hashable {
    package var id: VersionID
    package var key: ObjectKey
    package var initiatedAt: Timestamp
}

/// The versions of a key above one of them.
package struct NewerVersions: Sendable, Hashable {
    /// When the next newer one was written; nil for the newest.
    package var since: Timestamp?
    /// How many there are, counted as far as asked for.
    package var count: Int
}

/// Pages of versions and uploads, in the order of keys: each costs what it returns.
extension SQLConnection {
    /// Greater than every key, which has 1,024 bytes at most.
    private var pastAllKeys: [UInt8] { [UInt8](repeating: 0xFF, count: 1025) }

    /// Returns the first living versions of the keys that begin with `prefix` and are not less than `key`: by key, then
    /// from the newest version to the oldest.
    package func lifecycleVersions(
        bucketID: Int64, from key: [UInt8], prefix: [UInt8], limit: Int
    ) throws(S3Error) -> [LifecycleVersionRow] {
        try all(
            """
            SELECT key, sequence, id, is_delete_marker, size_bytes, last_modified, tags FROM versions
            WHERE bucket_id = $1 AND key >= $2 AND key < $3 AND state = 'live' ORDER BY key, sequence DESC LIMIT $4
            """, .int(bucketID), .bytes(key), .bytes(KeyRange.successor(ofPrefix: prefix) ?? pastAllKeys),
            .int(Int64(limit)), row: lifecycleVersion)
    }

    /// Returns the living versions of `key` that are older than `sequence`, the newest first.
    package func lifecycleVersions(
        bucketID: Int64, of key: [UInt8], olderThan sequence: Int64, limit: Int
    ) throws(S3Error) -> [LifecycleVersionRow] {
        try all(
            """
            SELECT key, sequence, id, is_delete_marker, size_bytes, last_modified, tags FROM versions
            WHERE bucket_id = $1 AND key = $2 AND state = 'live' AND sequence < $3 ORDER BY sequence DESC LIMIT $4
            """, .int(bucketID), .bytes(key), .int(sequence), .int(Int64(limit)), row: lifecycleVersion)
    }

    /// Counts the living versions of `key` from `sequence` on, up to `limit`.
    package func newerVersions(
        bucketID: Int64, key: [UInt8], from sequence: Int64, limit: Int
    ) throws(S3Error) -> NewerVersions {
        let times = try all(
            """
            SELECT last_modified FROM versions WHERE bucket_id = $1 AND key = $2 AND state = 'live' AND sequence >= $3
            ORDER BY sequence LIMIT $4
            """, .int(bucketID), .bytes(key), .int(sequence), .int(Int64(limit))
        ) { $0.time(0) }
        return NewerVersions(since: times.first, count: times.count)
    }

    /// Tells whether the key has a living version that is older.
    package func hasOlderVersion(bucketID: Int64, key: [UInt8], than sequence: Int64) throws(S3Error) -> Bool {
        try has(
            """
            SELECT 1 FROM versions WHERE bucket_id = $1 AND key = $2 AND state = 'live' AND sequence < $3
            ORDER BY sequence DESC LIMIT 1
            """, .int(bucketID), .bytes(key), .int(sequence))
    }

    /// Returns the first uploads behind (`key`, `id`) whose keys begin with `prefix`, by key and id.
    package func lifecycleUploads(
        bucketID: Int64, after key: [UInt8], _ id: [UInt8], prefix: [UInt8], limit: Int
    ) throws(S3Error) -> [LifecycleUploadRow] {
        try all(
            """
            SELECT id, key, initiated_at FROM uploads WHERE bucket_id = $1 AND (key, id) > ($2, $3) AND key < $4
            ORDER BY key, id LIMIT $5
            """, .int(bucketID), .bytes(key), .bytes(id),
            .bytes(KeyRange.successor(ofPrefix: prefix) ?? pastAllKeys), .int(Int64(limit)), row: lifecycleUpload)
    }

    /// Returns the upload of that id, whatever its state.
    package func lifecycleUpload(id: VersionID) throws(S3Error) -> (bucketID: Int64, row: LifecycleUploadRow)? {
        try first("SELECT id, key, initiated_at, bucket_id FROM uploads WHERE id = $1", .bytes(id.bytes)) {
            (row) throws(S3Error) in (bucketID: row.int(3), row: try lifecycleUpload(row))
        }
    }

    // MARK: Jobs

    /// Asks for an `expire` job about the version or upload.
    ///
    /// It is no backend's, so the first one stands in its row: one job a version, whoever asks.
    package func insertExpireJob(bucketID: Int64, versionID: VersionID, at time: Timestamp) throws(S3Error) {
        guard let backendID = try backendOfExpireJobs() else { return }
        try insertJob(
            kind: .expire, bucketID: bucketID, versionID: versionID, backendID: backendID, notBefore: time)
    }

    /// Counts the `expire` jobs that wait, up to `limit`.
    package func waitingExpireJobs(limit: Int) throws(S3Error) -> Int {
        guard let backendID = try backendOfExpireJobs() else { return 0 }
        return try all(
            "SELECT 1 FROM jobs WHERE backend_id = $1 AND kind = 'expire' AND state = 'ready' LIMIT $2",
            .int(backendID), .int(Int64(limit))
        ) { _ in () }.count
    }

    private func backendOfExpireJobs() throws(S3Error) -> Int64? {
        try first("SELECT id FROM backends WHERE id > 0 AND is_removed = 0 AND state <> 'lost' ORDER BY id LIMIT 1") {
            $0.int(0)
        }
    }

    // MARK: Rows

    private func lifecycleVersion(_ row: any SQLStatement) throws(S3Error) -> LifecycleVersionRow {
        LifecycleVersionRow(
            key: ObjectKey(stored: row.bytes(0)), sequence: row.int(1), id: try row.versionID(2),
            isDeleteMarker: row.flag(3), sizeBytes: row.int(4), lastModified: row.time(5),
            tags: try TagList.decoded(row.optionalBytes(6)))
    }

    private func lifecycleUpload(_ row: any SQLStatement) throws(S3Error) -> LifecycleUploadRow {
        LifecycleUploadRow(
            id: try row.versionID(0), key: ObjectKey(stored: row.bytes(1)), initiatedAt: row.time(2))
    }
}
