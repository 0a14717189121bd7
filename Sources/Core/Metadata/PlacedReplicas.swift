/// A replica with what its version says of the bytes.
package struct PlacedReplica: Sendable, Hashable {
    package var replica: Replica
    package var bucketID: Int64
    package var sizeBytes: Int64
}

/// The replicas of one physical bucket in the order of their keys: what a backend's listing is compared with.
extension SQLConnection {
    /// Returns the present replicas of the oldest and of the newest versions on a backend, up to `count` of each.
    package func objects(on backendID: Int64, oldestAndNewest count: Int) throws(S3Error) -> [Replica] {
        let oldest = try all(
            """
            SELECT v.id, r.physical_bucket, r.physical_key
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE r.backend_id = $1 AND r.state = 'present' AND v.state = 'live' ORDER BY r.version_sequence LIMIT $2
            """, .int(backendID), .int(Int64(count))
        ) { (row) throws(S3Error) in try placed(row, on: backendID) }
        let newest = try all(
            """
            SELECT v.id, r.physical_bucket, r.physical_key
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE r.backend_id = $1 AND r.state = 'present' AND v.state = 'live'
            ORDER BY r.version_sequence DESC LIMIT $2
            """, .int(backendID), .int(Int64(count))
        ) { (row) throws(S3Error) in try placed(row, on: backendID) }
        return oldest + newest.filter { !oldest.contains($0) }
    }

    private func placed(_ row: any SQLStatement, on backendID: Int64) throws(S3Error) -> Replica {
        Replica(
            versionID: try row.versionID(0), backendID: backendID, physicalBucket: row.text(1),
            physicalKey: row.bytes(2), state: .present)
    }

    /// Returns up to `limit` replicas behind `after`.
    package func placedReplicas(
        backendID: Int64, physicalBucket: String, after: [UInt8], limit: Int
    ) throws(S3Error) -> [PlacedReplica] {
        try all(
            """
            SELECT v.id, r.backend_id, r.physical_bucket, r.physical_key, r.state, v.bucket_id, v.size_bytes
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE r.backend_id = $1 AND r.physical_bucket = $2 AND r.physical_key > $3
            ORDER BY r.physical_key LIMIT $4
            """, .int(backendID), .text(physicalBucket), .bytes(after), .int(Int64(limit)), row: placed)
    }

    /// Returns the replica at that place.
    package func placedReplica(
        backendID: Int64, physicalBucket: String, physicalKey: [UInt8]
    ) throws(S3Error) -> PlacedReplica? {
        try first(
            """
            SELECT v.id, r.backend_id, r.physical_bucket, r.physical_key, r.state, v.bucket_id, v.size_bytes
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE r.backend_id = $1 AND r.physical_bucket = $2 AND r.physical_key = $3
            """, .int(backendID), .text(physicalBucket), .bytes(physicalKey), row: placed)
    }

    /// Returns the first physical bucket behind `after` in which that backend has, or is to have, a replica.
    package func physicalBucket(backendID: Int64, after: String) throws(S3Error) -> String? {
        try first(
            """
            SELECT physical_bucket FROM replicas WHERE backend_id = $1 AND physical_bucket > $2
            ORDER BY physical_bucket LIMIT 1
            """, .int(backendID), .text(after)
        ) { $0.text(0) }
    }

    /// Tells whether anything is under way that may still write, or speak of, an object of that version there: an upload,
    /// the clearing of one, or a job.
    package func isUnderWay(_ id: VersionID, backendID: Int64) throws(S3Error) -> Bool {
        if try has("SELECT 1 FROM uploads WHERE id = $1", .bytes(id.bytes)) { return true }
        if try uploadPlace(id, backendID: backendID) != nil { return true }
        return try has(
            "SELECT 1 FROM jobs WHERE version_id = $1 AND backend_id = $2 LIMIT 1", .bytes(id.bytes), .int(backendID))
    }

    /// Has an object removed of which no row speaks: it becomes a replica that is being removed, of the version it says
    /// it is of, or of a dead one that is made for it; the job decides anew.
    ///
    /// Where the version has a replica on that backend at another place, it becomes a stray.
    ///
    /// False when it is the place of a replica by now.
    package func adoptForRemoval(
        _ replica: Replica, bucketID: Int64, key: ObjectKey, sizeBytes: Int64, at now: Timestamp
    ) throws(S3Error) -> Bool {
        var removed = replica
        removed.state = .removing
        if try version(id: replica.versionID) == nil {
            try run(
                """
                INSERT INTO versions (
                    id, bucket_id, key, state, is_delete_marker, size_bytes, etag, last_modified, storage_class,
                    headers, is_null)
                VALUES ($1, $2, $3, 'dead', 0, $4, '', $5, 'STANDARD', $6, 0)
                """, .bytes(replica.versionID.bytes), .int(bucketID), .bytes(key.bytes), .int(sizeBytes),
                SQLValue(now), .bytes([]))
        }
        guard try !isPlaceKnown(backendID: removed.backendID, removed.physicalBucket, removed.physicalKey) else {
            return false
        }
        guard try insertReplica(removed) else { return try removeStray(at: removed, at: now) }
        try insertJob(
            kind: .removeReplica, bucketID: bucketID, versionID: replica.versionID, backendID: replica.backendID,
            notBefore: now)
        return true
    }

    private func placed(_ row: any SQLStatement) throws(S3Error) -> PlacedReplica {
        PlacedReplica(
            replica: Replica(
                versionID: try row.versionID(0), backendID: row.int(1), physicalBucket: row.text(2),
                physicalKey: row.bytes(3), state: try row.word(4)),
            bucketID: row.int(5), sizeBytes: row.int(6))
    }
}
