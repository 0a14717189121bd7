/// Where each version's bytes are. The primary key keeps one replica for a version and backend.
extension SQLConnection {
    /// Returns all replicas of a version, by backend.
    package func replicas(of id: VersionID) throws(S3Error) -> [Replica] {
        try all(
            """
            SELECT r.backend_id, r.physical_bucket, r.physical_key, r.state
            FROM versions v JOIN replicas r ON r.version_sequence = v.sequence WHERE v.id = $1 ORDER BY r.backend_id
            """, .bytes(id.bytes)
        ) { (row) throws(S3Error) in
            Replica(
                versionID: id, backendID: row.int(0), physicalBucket: row.text(1), physicalKey: row.bytes(2),
                state: try row.word(3))
        }
    }

    /// Returns the current version, its present replicas, by backend, and the `configurationGeneration` of that moment:
    /// all that a GET needs, in one statement.
    package func currentVersionWithReplicas(
        bucketID: Int64, key: ObjectKey
    ) throws(S3Error) -> (version: ObjectVersion, replicas: [Replica], generation: Int64)? {
        // hot: MetadataBenchmark
        let statement = try statement(
            """
            SELECT v.sequence, v.id, v.is_delete_marker, v.size_bytes, v.etag, v.last_modified, v.storage_class,
                v.checksum_algorithm, v.checksum, v.headers, v.is_null, v.tags, r.backend_id, r.physical_bucket,
                r.physical_key, (SELECT generation FROM configuration WHERE only_row = 1)
            FROM objects o JOIN versions v ON v.sequence = o.sequence
            LEFT JOIN replicas r ON r.version_sequence = v.sequence AND r.state = 'present'
            WHERE o.bucket_id = $1 AND o.key = $2 ORDER BY r.backend_id
            """)
        defer { statement.finish() }
        try statement.start([.int(bucketID), .bytes(key.bytes)])
        guard try statement.next() else { return nil }
        let version = try objectVersion(statement, bucketID: bucketID, key: key)
        let generation = statement.int(15)
        var replicas: [Replica] = []
        while !statement.isNull(12) {
            replicas.append(
                Replica(
                    versionID: version.id, backendID: statement.int(12), physicalBucket: statement.text(13),
                    physicalKey: statement.bytes(14), state: .present))
            guard try statement.next() else { break }
        }
        return (version, replicas, generation)
    }

    /// Returns the live version of that name and its present replicas; none for a delete marker.
    package func versionWithReplicas(
        bucketID: Int64, key: ObjectKey, _ reference: VersionReference
    ) throws(S3Error) -> (version: ObjectVersion, replicas: [Replica])? {
        guard let version = try version(bucketID: bucketID, key: key, reference) else { return nil }
        return (version, try replicas(of: version.id).filter { $0.state == .present })
    }

    /// Moves a replica to `state`; false when there is none or the move is not allowed: a replica that is being removed
    /// never becomes anything else, none becomes pending again, and one of a dead version is only removed.
    @discardableResult
    package func setReplica(
        versionID: VersionID, backendID: Int64, state: ReplicaState
    ) throws(S3Error) -> Bool {
        guard let sequence = try sequence(of: versionID) else { return false }
        switch state {
        case .removing:
            return try run(
                "UPDATE replicas SET state = 'removing' WHERE version_sequence = $1 AND backend_id = $2",
                .int(sequence),
                .int(backendID)) == 1
        case .present:
            guard try isLive(versionID) else { return false }
            return try makePresent(versionID, sequence, backendID)
        case .damaged:
            guard try isLive(versionID) else { return false }
            return try run(
                """
                UPDATE replicas SET state = 'damaged'
                WHERE version_sequence = $1 AND backend_id = $2 AND state <> 'removing'
                """, .int(sequence), .int(backendID)) == 1
        case .pending:
            // Its place may have been given up.
            return false
        }
    }

    private func makePresent(_ id: VersionID, _ sequence: Int64, _ backendID: Int64) throws(S3Error) -> Bool {
        let isNew =
            try run(
                """
                UPDATE replicas SET state = 'present'
                WHERE version_sequence = $1 AND backend_id = $2 AND state IN ('pending', 'damaged')
                """, .int(sequence), .int(backendID)) == 1
        guard isNew else {
            return try has(
                "SELECT 1 FROM replicas WHERE version_sequence = $1 AND backend_id = $2 AND state = 'present'",
                .int(sequence), .int(backendID))
        }
        let version = try first("SELECT bucket_id, size_bytes FROM versions WHERE sequence = $1", .int(sequence)) {
            (bucketID: $0.int(0), sizeBytes: $0.int(1))
        }
        guard let version else { throw S3Error(.internalError, cause: "a replica without its version") }
        try endCopy(versionID: id, backendID: backendID)
        try appendLedger(.present, bucketID: version.bucketID, versionID: id, backendID: backendID)
        try countProgress(backendID: backendID, sizeBytes: version.sizeBytes)
        return true
    }

    /// Writes down in which physical bucket a replica's bytes are, or are about to be; false when there is no such
    /// replica, or one that is present already.
    package func setReplica(
        versionID: VersionID, backendID: Int64, physicalBucket: String
    ) throws(S3Error) -> Bool {
        guard
            let version = try first(
                "SELECT sequence, bucket_id FROM versions WHERE id = $1", .bytes(versionID.bytes),
                row: { (sequence: $0.int(0), bucketID: $0.int(1)) })
        else { return false }
        let isSet =
            try run(
                """
                UPDATE replicas SET physical_bucket = $3
                WHERE version_sequence = $1 AND backend_id = $2 AND state <> 'present'
                """, .int(version.sequence), .int(backendID), .text(physicalBucket)) == 1
        if isSet {
            try appendLedger(.granted, bucketID: version.bucketID, versionID: versionID, backendID: backendID)
        }
        return isSet
    }

    /// Adds a replica that the version does not have yet; false when the version has no row, or a replica there, or is
    /// dead and the replica is not `removing`.
    package func insertReplica(_ replica: Replica) throws(S3Error) -> Bool {
        guard let version = try version(id: replica.versionID) else { return false }
        let sequence = version.sequence
        if replica.state != .removing, try !isLive(replica.versionID) { return false }
        let isThere = try has(
            "SELECT 1 FROM replicas WHERE version_sequence = $1 AND backend_id = $2", .int(sequence),
            .int(replica.backendID))
        guard !isThere else { return false }
        try insertReplica(replica, of: sequence, bucketID: version.bucketID, state: replica.state)
        return true
    }

    /// Tells whether any version has, or is about to have, bytes in that physical bucket.
    package func hasReplicas(backendID: Int64, physicalBucket: String) throws(S3Error) -> Bool {
        try has(
            """
            SELECT 1 FROM replicas WHERE backend_id = $1 AND physical_bucket = $2
            UNION ALL SELECT 1 FROM strays WHERE backend_id = $1 AND physical_bucket = $2 LIMIT 1
            """, .int(backendID), .text(physicalBucket))
    }

    /// Forgets a replica whose bytes are gone, or whose backend is lost; with the last one of a dead version the
    /// version's row goes, too.
    package func deleteReplica(versionID: VersionID, backendID: Int64) throws(S3Error) {
        let version = try first(
            "SELECT sequence, bucket_id, key FROM versions WHERE id = $1", .bytes(versionID.bytes)
        ) { (sequence: $0.int(0), bucketID: $0.int(1), key: ObjectKey(stored: $0.bytes(2))) }
        try endCopy(versionID: versionID, backendID: backendID)
        guard let version else { return }
        let sequence = version.sequence
        let place = try first(
            """
            DELETE FROM replicas WHERE version_sequence = $1 AND backend_id = $2 RETURNING physical_bucket, physical_key
            """, .int(sequence), .int(backendID)
        ) { (bucket: $0.text(0), key: $0.bytes(1)) }
        let physicalBucket = place?.bucket
        // Without a physical bucket nothing was ever sent.
        if physicalBucket?.isEmpty == false, try strays(of: versionID, backendID: backendID).isEmpty {
            try appendLedger(
                try isLost(backendID) ? .dropped : .removed, bucketID: version.bucketID, versionID: versionID,
                backendID: backendID)
        }
        if let physicalBucket, !physicalBucket.isEmpty {
            try retireMapping(backendID: backendID, physicalName: physicalBucket, at: .now())
        }
        if let place, !PhysicalKey.isKey(place.key, of: version.key, versionID) {
            // Its record names that place.
            try touchRecord(of: versionID, bucketID: version.bucketID, at: .now())
        }
        try deleteIfNothingIsLeft(of: versionID, sequence)
    }

    func deleteIfNothingIsLeft(of id: VersionID, _ sequence: Int64) throws(S3Error) {
        let isGone =
            try run(
                """
                DELETE FROM versions WHERE sequence = $1 AND state = 'dead'
                AND NOT EXISTS (SELECT 1 FROM replicas WHERE version_sequence = $1)
                AND NOT EXISTS (SELECT 1 FROM strays WHERE version_sequence = $1)
                """, .int(sequence)) == 1
        if isGone { try touchKnownRecord(of: id, at: .now()) }
    }

    func insertReplica(
        _ replica: Replica, of sequence: Int64, bucketID: Int64, state: ReplicaState
    ) throws(S3Error) {
        try run(
            """
            INSERT INTO replicas (version_sequence, backend_id, physical_bucket, physical_key, state)
            VALUES ($1, $2, $3, $4, $5)
            """, .int(sequence), .int(replica.backendID), .text(replica.physicalBucket), .bytes(replica.physicalKey),
            .text(state.rawValue))
        // Where nothing was sent yet, there is nothing to tell.
        guard state == .present || !replica.physicalBucket.isEmpty else { return }
        try appendLedger(
            state == .present ? .present : .granted, bucketID: bucketID, versionID: replica.versionID,
            backendID: replica.backendID)
    }

    private func sequence(of id: VersionID) throws(S3Error) -> Int64? {
        try first("SELECT sequence FROM versions WHERE id = $1", .bytes(id.bytes)) { $0.int(0) }
    }
}
