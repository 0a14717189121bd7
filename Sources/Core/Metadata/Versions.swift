/// What a PUT brings into the database once its bytes are durable on `present`.
package struct NewVersion: Sendable {
    /// Its `sequence` is ignored; its `lastModified` is moved on when the key has a later one.
    package var version: ObjectVersion
    package var present: [Replica]
    /// Each becomes a `replicate` job in the same transaction.
    package var pending: [Replica]
    /// Where bytes may be that nobody needs; each becomes a `remove-replica` job in the same transaction.
    package var removing: [Replica]
    /// Whether the objects of `present` say all of `version` themselves; else the worker writes a record of it.
    package var isDescribed: Bool

    package init(
        version: ObjectVersion, present: [Replica], pending: [Replica], removing: [Replica] = [],
        isDescribed: Bool = false
    ) {
        self.version = version
        self.present = present
        self.pending = pending
        self.removing = removing
        self.isDescribed = isDescribed
    }
}

/// What a DELETE of a key did.
package struct Deletion: Sendable {
    /// The version that died: it was the current one of an unversioned bucket, or the null version of a suspended one.
    package var removed: ObjectVersion?
    /// The marker that is current now; never in an unversioned bucket.
    package var marker: ObjectVersion?
}

/// Versions and the pointer to the current one of each key.
///
/// `objects` holds a row for each key whose current version
/// is an object, with what a listing shows. The newest live version of a key, by `sequence`, is the current one.
/// Source: Amazon S3 User Guide, "How S3 Versioning works".
extension SQLConnection {
    /// Makes a version visible: one winner among all writers of the key.
    ///
    /// `unless` sees the current version and throws when a condition of the request fails. On an unversioned bucket the
    /// previous version dies, on a suspended one the null version does, and the new one is null. Throws `NoSuchBucket`
    /// when the bucket is gone. Returns the version as stored.
    package func commitPut(
        _ new: NewVersion, unless: (_ current: ObjectVersion?) throws(S3Error) -> Void
    ) throws(S3Error) -> ObjectVersion {
        var version = new.version
        let versioning = try versioning(bucketID: version.bucketID)
        let latest = try latestVersion(bucketID: version.bucketID, key: version.key)
        try unless(latest.flatMap { $0.isDeleteMarker ? nil : $0 })
        _ = try succeed(latest, with: &version, versioning)
        try point(to: version)
        for replica in new.present {
            try insertReplica(replica, of: version.sequence, bucketID: version.bucketID, state: .present)
        }
        for replica in new.pending {
            try insertReplica(replica, of: version.sequence, bucketID: version.bucketID, state: .pending)
            try insertJob(
                kind: .replicate, bucketID: version.bucketID, versionID: version.id, backendID: replica.backendID,
                notBefore: version.lastModified)
        }
        for replica in new.removing {
            // A copy that is still to be made there has another key.
            guard !new.pending.contains(where: { $0.backendID == replica.backendID }) else {
                try removeStray(at: replica, at: version.lastModified)
                continue
            }
            try insertReplica(replica, of: version.sequence, bucketID: version.bucketID, state: .removing)
            try insertJob(
                kind: .removeReplica, bucketID: version.bucketID, versionID: version.id, backendID: replica.backendID,
                notBefore: version.lastModified)
        }
        let isAsDescribed =
            new.isDescribed && version.lastModified == new.version.lastModified && version.isNull == new.version.isNull
        if !isAsDescribed {
            // Not its own time: what is adopted is old, and would go before everything that waits.
            try touchRecord(of: version.id, bucketID: version.bucketID, at: .now())
        }
        return version
    }

    /// Removes the key from sight: its current version dies on an unversioned bucket, a delete marker hides it on
    /// others.
    ///
    /// Replicas of what died become jobs. `unless` and the errors are as for `commitPut`.
    package func commitDelete(
        bucketID: Int64, key: ObjectKey, at time: Timestamp = .now(),
        unless: (_ current: ObjectVersion?) throws(S3Error) -> Void
    ) throws(S3Error) -> Deletion {
        let versioning = try versioning(bucketID: bucketID)
        let latest = try latestVersion(bucketID: bucketID, key: key)
        try unless(latest.flatMap { $0.isDeleteMarker ? nil : $0 })
        guard versioning != .unversioned else {
            try noteDeletion(bucketID: bucketID, key: key)
            guard let latest else { return Deletion() }
            try unpoint(bucketID: bucketID, key: key)
            try retire(latest, at: time)
            return Deletion(removed: latest)
        }
        var marker = ObjectVersion(
            id: VersionID(at: time), sequence: 0, bucketID: bucketID, key: key, isDeleteMarker: true, sizeBytes: 0,
            eTag: "", lastModified: time, storageClass: "STANDARD", headers: [])
        let removed = try succeed(latest, with: &marker, versioning)
        try unpoint(bucketID: bucketID, key: key)
        try touchRecord(of: marker.id, bucketID: bucketID, at: time)
        return Deletion(removed: removed, marker: marker)
    }

    /// Removes one version for good; the newest of those that are left becomes current.
    ///
    /// `unless` sees the version that is to die. Returns it, nil when there is none; throws `NoSuchBucket`.
    package func commitDelete(
        bucketID: Int64, key: ObjectKey, version reference: VersionReference, at time: Timestamp = .now(),
        unless: (_ version: ObjectVersion?) throws(S3Error) -> Void
    ) throws(S3Error) -> ObjectVersion? {
        _ = try versioning(bucketID: bucketID)
        let version = try version(bucketID: bucketID, key: key, reference)
        try unless(version)
        // What an import has not come to yet is a null version.
        if reference == .null { try noteDeletion(bucketID: bucketID, key: key) }
        guard let version else { return nil }
        try retire(version, at: time)
        let latest = try latestVersion(bucketID: bucketID, key: key)
        // An older version than the current one changes nothing that a listing shows.
        if let latest, latest.sequence > version.sequence { return version }
        if let latest, !latest.isDeleteMarker {
            try point(to: latest)
        } else {
            try unpoint(bucketID: bucketID, key: key)
        }
        return version
    }

    /// Inserts `version` as the newest of its key; returns what dies for it.
    private func succeed(
        _ latest: ObjectVersion?, with version: inout ObjectVersion, _ versioning: BucketVersioning
    ) throws(S3Error) -> ObjectVersion? {
        if let latest, version.lastModified <= latest.lastModified {
            version.lastModified = Timestamp(milliseconds: latest.lastModified.milliseconds + 1)
        }
        version.isNull = versioning != .enabled
        let dying: ObjectVersion? =
            switch versioning {
            case .unversioned: latest
            case .enabled: nil
            case .suspended: try self.version(bucketID: version.bucketID, key: version.key, .null)
            }
        // First, because a key has one null version at most.
        if let dying { try retire(dying, at: version.lastModified) }
        version.sequence = try insertVersion(version)
        return dying
    }

    /// Returns the key's newest live version, an object or a delete marker.
    package func latestVersion(bucketID: Int64, key: ObjectKey) throws(S3Error) -> ObjectVersion? {
        // hot: MetadataBenchmark
        try first(
            """
            SELECT sequence, id, is_delete_marker, size_bytes, etag, last_modified, storage_class, checksum_algorithm,
                checksum, headers, is_null, tags
            FROM versions WHERE bucket_id = $1 AND key = $2 AND state = 'live' ORDER BY sequence DESC LIMIT 1
            """, .int(bucketID), .bytes(key.bytes)
        ) { (row) throws(S3Error) in try objectVersion(row, bucketID: bucketID, key: key) }
    }

    /// Returns the live version of that name, an object or a delete marker.
    package func version(
        bucketID: Int64, key: ObjectKey, _ reference: VersionReference
    ) throws(S3Error) -> ObjectVersion? {
        switch reference {
        case .null:
            return try first(
                """
                SELECT sequence, id, is_delete_marker, size_bytes, etag, last_modified, storage_class,
                    checksum_algorithm, checksum, headers, is_null, tags
                FROM versions WHERE bucket_id = $1 AND key = $2 AND state = 'live' AND is_null = 1
                """, .int(bucketID), .bytes(key.bytes)
            ) { (row) throws(S3Error) in try objectVersion(row, bucketID: bucketID, key: key) }
        case .id(let id):
            // A null version answers to `null` only: its id was never told to anybody.
            return try first(
                """
                SELECT sequence, id, is_delete_marker, size_bytes, etag, last_modified, storage_class,
                    checksum_algorithm, checksum, headers, is_null, tags
                FROM versions WHERE id = $1 AND bucket_id = $2 AND key = $3 AND state = 'live' AND is_null = 0
                """, .bytes(id.bytes), .int(bucketID), .bytes(key.bytes)
            ) { (row) throws(S3Error) in try objectVersion(row, bucketID: bucketID, key: key) }
        }
    }

    /// Returns what a GET without a version id sees: nil when the key has no version or a delete marker is current.
    package func currentVersion(bucketID: Int64, key: ObjectKey) throws(S3Error) -> ObjectVersion? {
        // hot: MetadataBenchmark
        try first(
            """
            SELECT v.sequence, v.id, v.is_delete_marker, v.size_bytes, v.etag, v.last_modified, v.storage_class,
                v.checksum_algorithm, v.checksum, v.headers, v.is_null, v.tags
            FROM objects o JOIN versions v ON v.sequence = o.sequence WHERE o.bucket_id = $1 AND o.key = $2
            """, .int(bucketID), .bytes(key.bytes)
        ) { (row) throws(S3Error) in try objectVersion(row, bucketID: bucketID, key: key) }
    }

    /// Returns the version, live or dead.
    package func version(id: VersionID) throws(S3Error) -> ObjectVersion? {
        try first(
            """
            SELECT sequence, id, is_delete_marker, size_bytes, etag, last_modified, storage_class, checksum_algorithm,
                checksum, headers, is_null, tags, bucket_id, key
            FROM versions WHERE id = $1
            """, .bytes(id.bytes)
        ) { (row) throws(S3Error) in
            try objectVersion(row, bucketID: row.int(12), key: ObjectKey(stored: row.bytes(13)))
        }
    }

    /// Gives a live version that has no checksum the one of its whole content, and has that written down.
    package func setChecksum(versionID: VersionID, _ checksum: ObjectChecksum) throws(S3Error) {
        let changed = try first(
            """
            UPDATE versions SET checksum_algorithm = $2, checksum = $3
            WHERE id = $1 AND state = 'live' AND checksum IS NULL RETURNING sequence, bucket_id, key
            """, .bytes(versionID.bytes), .text(checksum.algorithm.rawValue), .bytes(checksum.stored)
        ) { (sequence: $0.int(0), bucketID: $0.int(1), key: $0.bytes(2)) }
        guard let changed else { return }
        try run(
            """
            UPDATE objects SET checksum_algorithm = $4, checksum_type = $5
            WHERE bucket_id = $1 AND key = $2 AND sequence = $3
            """, .int(changed.bucketID), .bytes(changed.key), .int(changed.sequence),
            .text(checksum.algorithm.rawValue), .text(checksum.type.rawValue))
        try touchRecord(of: versionID, bucketID: changed.bucketID, at: .now())
    }

    /// Tells whether the version exists and clients can see it.
    package func isLive(_ id: VersionID) throws(S3Error) -> Bool {
        try has("SELECT 1 FROM versions WHERE id = $1 AND state = 'live'", .bytes(id.bytes))
    }

    /// Returns the key's newest versions, newest first, with those that are dead but not yet removed from backends.
    package func versions(
        bucketID: Int64, key: ObjectKey, limit: Int
    ) throws(S3Error) -> [(version: ObjectVersion, isLatest: Bool, isLive: Bool)] {
        let live = try all(
            """
            SELECT sequence, id, is_delete_marker, size_bytes, etag, last_modified, storage_class, checksum_algorithm,
                checksum, headers, is_null, tags
            FROM versions WHERE bucket_id = $1 AND key = $2 AND state = 'live' ORDER BY sequence DESC LIMIT $3
            """, .int(bucketID), .bytes(key.bytes), .int(Int64(limit))
        ) { (row) throws(S3Error) in try objectVersion(row, bucketID: bucketID, key: key) }
        let dead = try all(
            """
            SELECT sequence, id, is_delete_marker, size_bytes, etag, last_modified, storage_class, checksum_algorithm,
                checksum, headers, is_null, tags
            FROM versions WHERE bucket_id = $1 AND key = $2 AND state = 'dead' ORDER BY sequence DESC LIMIT $3
            """, .int(bucketID), .bytes(key.bytes), .int(Int64(limit))
        ) { (row) throws(S3Error) in try objectVersion(row, bucketID: bucketID, key: key) }
        let latest = live.first?.sequence
        let all = live.map { ($0, $0.sequence == latest, true) } + dead.map { ($0, false, false) }
        return Array(all.sorted { $0.0.sequence > $1.0.sequence }.prefix(limit))
    }

    /// Counts what is in a bucket; for people, as it reads all of it.
    package func objectCounts(bucketID: Int64) throws(S3Error) -> (objects: Int64, bytes: Int64) {
        try first(
            "SELECT COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM objects WHERE bucket_id = $1",
            .int(bucketID)
        ) { (objects: $0.int(0), bytes: $0.int(1)) } ?? (0, 0)
    }

    private func versioning(bucketID: Int64) throws(S3Error) -> BucketVersioning {
        let versioning: BucketVersioning? = try first(
            "SELECT versioning FROM buckets WHERE id = $1 AND is_removed = 0", .int(bucketID)
        ) { (row) throws(S3Error) in try row.word(0) }
        guard let versioning else { throw S3Error(.noSuchBucket) }
        return versioning
    }

    func insertVersion(_ version: ObjectVersion) throws(S3Error) -> Int64 {
        let sequence = try first(
            """
            INSERT INTO versions (
                id, bucket_id, key, state, is_delete_marker, size_bytes, etag, last_modified, storage_class,
                checksum_algorithm, checksum, headers, is_null, tags)
            VALUES ($1, $2, $3, 'live', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING sequence
            """,
            .bytes(version.id.bytes), .int(version.bucketID), .bytes(version.key.bytes),
            SQLValue(version.isDeleteMarker), .int(version.sizeBytes), .text(version.eTag),
            SQLValue(version.lastModified), .text(version.storageClass), SQLValue(version.checksum?.algorithm.rawValue),
            SQLValue(version.checksum?.stored), .bytes(HeaderList.encoded(version.headers)), SQLValue(version.isNull),
            SQLValue(TagList.encoded(version.tags))
        ) { $0.int(0) }
        guard let sequence else { throw S3Error(.internalError, cause: "an inserted version has no sequence") }
        return sequence
    }

    func point(to version: ObjectVersion) throws(S3Error) {
        try run(
            """
            INSERT INTO objects (
                bucket_id, key, sequence, size_bytes, etag, last_modified, storage_class, checksum_algorithm,
                checksum_type)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (bucket_id, key) DO UPDATE SET
                sequence = excluded.sequence, size_bytes = excluded.size_bytes, etag = excluded.etag,
                last_modified = excluded.last_modified, storage_class = excluded.storage_class,
                checksum_algorithm = excluded.checksum_algorithm, checksum_type = excluded.checksum_type
            """,
            .int(version.bucketID), .bytes(version.key.bytes), .int(version.sequence), .int(version.sizeBytes),
            .text(version.eTag), SQLValue(version.lastModified), .text(version.storageClass),
            SQLValue(version.checksum?.algorithm.rawValue), SQLValue(version.checksum?.type.rawValue))
    }

    /// Ends a version's life: its replicas become `removing`, each with a job; without any, its row goes at once.
    private func retire(_ version: ObjectVersion, at time: Timestamp) throws(S3Error) {
        try run("UPDATE versions SET state = 'dead' WHERE sequence = $1", .int(version.sequence))
        let replicas = try run(
            "UPDATE replicas SET state = 'removing' WHERE version_sequence = $1", .int(version.sequence))
        let hasStrays = try has(
            "SELECT 1 FROM strays WHERE version_sequence = $1 LIMIT 1", .int(version.sequence))
        guard replicas > 0 || hasStrays else {
            try run("DELETE FROM versions WHERE sequence = $1", .int(version.sequence))
            try touchKnownRecord(of: version.id, at: time)
            return
        }
        try touchRecord(of: version.id, bucketID: version.bucketID, at: time.adding(seconds: RecordDelay.deathSeconds))
        // A leased one is left to its worker, who will find the version dead.
        try run(
            "DELETE FROM jobs WHERE version_id = $1 AND kind IN ('replicate', 'move') AND state <> 'leased'",
            .bytes(version.id.bytes))
        for replica in try self.replicas(of: version.id) {
            try insertJob(
                kind: .removeReplica, bucketID: version.bucketID, versionID: version.id, backendID: replica.backendID,
                notBefore: time)
        }
    }

    func unpoint(bucketID: Int64, key: ObjectKey) throws(S3Error) {
        try run("DELETE FROM objects WHERE bucket_id = $1 AND key = $2", .int(bucketID), .bytes(key.bytes))
    }

    /// Reads columns 0...11 in the order that every statement about versions has.
    func objectVersion(
        _ row: any SQLStatement, bucketID: Int64, key: ObjectKey
    ) throws(S3Error) -> ObjectVersion {
        var checksum: ObjectChecksum?
        if !row.isNull(7) { checksum = ObjectChecksum(algorithm: try row.word(7), stored: row.bytes(8)) }
        return ObjectVersion(
            id: try row.versionID(1), sequence: row.int(0), bucketID: bucketID, key: key, isDeleteMarker: row.flag(2),
            sizeBytes: row.int(3), eTag: row.text(4), lastModified: row.time(5), storageClass: row.text(6),
            checksum: checksum, headers: try HeaderList.decoded(row.bytes(9)), isNull: row.flag(10),
            tags: try TagList.decoded(row.optionalBytes(11)))
    }
}
