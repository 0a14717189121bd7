/// What a rebuild has found out about one version, before it knows which versions live.
package struct FoundVersion: Sendable {
    package var id: VersionID
    package var bucketID: Int64
    package var key: ObjectKey
    package var lastModified: Timestamp
    package var isNull: Bool
    package var isLive: Bool
    /// Of the record that says so; 0 for what the object itself says.
    package var revision: Int64
    /// Whether the newest word about it is whole, so that no record has to be written.
    package var isWhole: Bool
    /// The fields of its description; empty for a dead one.
    package var fields: [HeaderField]

    package init(
        id: VersionID, bucketID: Int64, key: ObjectKey, lastModified: Timestamp, isNull: Bool, isLive: Bool,
        revision: Int64, isWhole: Bool, fields: [HeaderField]
    ) {
        self.id = id
        self.bucketID = bucketID
        self.key = key
        self.lastModified = lastModified
        self.isNull = isNull
        self.isLive = isLive
        self.revision = revision
        self.isWhole = isWhole
        self.fields = fields
    }
}

/// One object of a version on one backend.
package struct FoundObject: Sendable {
    package var versionID: VersionID
    package var backendID: Int64
    package var physicalBucket: String
    package var physicalKey: [UInt8]
    package var sizeBytes: Int64

    package init(
        versionID: VersionID, backendID: Int64, physicalBucket: String, physicalKey: [UInt8], sizeBytes: Int64
    ) {
        self.versionID = versionID
        self.backendID = backendID
        self.physicalBucket = physicalBucket
        self.physicalKey = physicalKey
        self.sizeBytes = sizeBytes
    }
}

/// A database that is being rebuilt: what was found is collected in tables of its own, and then becomes versions in the
/// order in which they were written.
extension SQLConnection {
    package func createRebuildTables() throws(S3Error) {
        let bytes = dialect.bytes
        try script(
            """
            CREATE TABLE rebuild_versions (
                id \(bytes) PRIMARY KEY, bucket_id BIGINT NOT NULL, key \(bytes) NOT NULL, modified BIGINT NOT NULL,
                is_null BIGINT NOT NULL, is_live BIGINT NOT NULL, revision BIGINT NOT NULL, is_whole BIGINT NOT NULL,
                fields \(bytes) NOT NULL)\(dialect.clustered);
            CREATE INDEX rebuild_order ON rebuild_versions (modified, id);
            CREATE INDEX rebuild_nulls ON rebuild_versions (bucket_id, key, modified, id)
                WHERE is_null = 1 AND is_live = 1;
            CREATE TABLE rebuild_objects (
                version_id \(bytes) NOT NULL, backend_id BIGINT NOT NULL, physical_bucket \(dialect.text) NOT NULL,
                physical_key \(bytes) NOT NULL, size_bytes BIGINT NOT NULL, PRIMARY KEY (version_id, backend_id, physical_bucket, physical_key)
                )\(dialect.clustered);
            CREATE TABLE rebuild_places (
                version_id \(bytes) NOT NULL, revision BIGINT NOT NULL, backend_id BIGINT NOT NULL,
                physical_bucket \(dialect.text) NOT NULL, physical_key \(bytes) NOT NULL,
                PRIMARY KEY (backend_id, physical_bucket, physical_key, version_id, revision))\(dialect.clustered);
            CREATE TABLE rebuild_strangers (
                backend_id BIGINT NOT NULL, physical_bucket \(dialect.text) NOT NULL, physical_key \(bytes) NOT NULL,
                key \(bytes) NOT NULL, size_bytes BIGINT NOT NULL, modified BIGINT NOT NULL,
                PRIMARY KEY (backend_id, physical_bucket, physical_key))\(dialect.clustered);
            """)
    }

    package func dropRebuildTables() throws(S3Error) {
        try script(
            """
            DROP TABLE rebuild_versions; DROP TABLE rebuild_objects;
            DROP TABLE rebuild_places; DROP TABLE rebuild_strangers;
            """)
    }

    /// Notes what somebody says of a version; the newest revision holds, and among equals what is whole.
    package func noteVersion(_ found: FoundVersion) throws(S3Error) {
        try run(
            """
            INSERT INTO rebuild_versions (id, bucket_id, key, modified, is_null, is_live, revision, is_whole, fields)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (id) DO UPDATE SET
                bucket_id = excluded.bucket_id, key = excluded.key, modified = excluded.modified,
                is_null = excluded.is_null, is_live = excluded.is_live, revision = excluded.revision,
                is_whole = excluded.is_whole, fields = excluded.fields
            WHERE excluded.revision > rebuild_versions.revision
                OR (excluded.revision = rebuild_versions.revision AND excluded.is_whole > rebuild_versions.is_whole)
            """, .bytes(found.id.bytes), .int(found.bucketID), .bytes(found.key.bytes), SQLValue(found.lastModified),
            SQLValue(found.isNull), SQLValue(found.isLive), .int(found.revision), SQLValue(found.isWhole),
            .bytes(HeaderList.encoded(found.fields)))
    }

    /// Notes an object; a version may have several on one backend.
    package func noteObject(_ found: FoundObject) throws(S3Error) {
        try run(
            """
            INSERT INTO rebuild_objects (version_id, backend_id, physical_bucket, physical_key, size_bytes)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
            """, .bytes(found.versionID.bytes), .int(found.backendID), .text(found.physicalBucket),
            .bytes(found.physicalKey), .int(found.sizeBytes))
    }

    /// Returns up to `limit` versions behind (`lastModified`, `id`), in the order in which they were written.
    package func foundVersions(after last: FoundVersion?, limit: Int) throws(S3Error) -> [FoundVersion] {
        try all(
            """
            SELECT id, bucket_id, key, modified, is_null, is_live, revision, is_whole, fields FROM rebuild_versions
            WHERE (modified, id) > ($1, $2) ORDER BY modified, id LIMIT $3
            """, .int(last?.lastModified.milliseconds ?? .min), .bytes(last?.id.bytes ?? []), .int(Int64(limit))
        ) { (row) throws(S3Error) in
            FoundVersion(
                id: try row.versionID(0), bucketID: row.int(1), key: ObjectKey(stored: row.bytes(2)),
                lastModified: row.time(3), isNull: row.flag(4), isLive: row.flag(5), revision: row.int(6),
                isWhole: row.flag(7), fields: try HeaderList.decoded(row.bytes(8)))
        }
    }

    /// Tells whether a newer null version of the same key lives: a key has one.
    package func hasNewerNull(_ found: FoundVersion) throws(S3Error) -> Bool {
        try has(
            """
            SELECT 1 FROM rebuild_versions WHERE bucket_id = $1 AND key = $2 AND is_null = 1 AND is_live = 1
            AND (modified, id) > ($3, $4) LIMIT 1
            """, .int(found.bucketID), .bytes(found.key.bytes), SQLValue(found.lastModified), .bytes(found.id.bytes))
    }

    /// Returns the objects of a version by backend, the newest copy on each first.
    package func foundObjects(of id: VersionID) throws(S3Error) -> [FoundObject] {
        try all(
            """
            SELECT backend_id, physical_bucket, physical_key, size_bytes FROM rebuild_objects
            WHERE version_id = $1 ORDER BY backend_id, physical_key DESC, physical_bucket
            """, .bytes(id.bytes)
        ) { row in
            FoundObject(
                versionID: id, backendID: row.int(0), physicalBucket: row.text(1), physicalKey: row.bytes(2),
                sizeBytes: row.int(3))
        }
    }

    /// Puts a live version back as the newest of its key.
    package func restoreVersion(
        _ version: ObjectVersion, parts: [VersionPart], objects: [FoundObject]
    ) throws(S3Error) {
        var version = version
        version.sequence = try insertVersion(version)
        try insertVersionParts(parts, of: version.sequence)
        try restoreReplicas(objects, of: version.sequence, state: .present)
        if version.isDeleteMarker {
            try unpoint(bucketID: version.bucketID, key: version.key)
        } else {
            try point(to: version)
        }
    }

    /// Puts a dead version back whose bytes are still there, with jobs that remove them.
    package func restoreDead(
        id: VersionID, bucketID: Int64, key: ObjectKey, objects: [FoundObject], at time: Timestamp
    ) throws(S3Error) {
        let sequence = try first(
            """
            INSERT INTO versions (
                id, bucket_id, key, state, is_delete_marker, size_bytes, etag, last_modified, storage_class, headers,
                is_null)
            VALUES ($1, $2, $3, 'dead', 0, $4, '', $5, 'STANDARD', $6, 0) RETURNING sequence
            """, .bytes(id.bytes), .int(bucketID), .bytes(key.bytes), .int(objects.first?.sizeBytes ?? 0),
            SQLValue(time), .bytes([])
        ) { $0.int(0) }
        guard let sequence else { throw S3Error(.internalError, cause: "an inserted version has no sequence") }
        try restoreReplicas(objects, of: sequence, state: .removing)
        for object in objects {
            try insertJob(
                kind: .removeReplica, bucketID: bucketID, versionID: id, backendID: object.backendID, notBefore: time)
        }
    }

    /// Of several objects on one backend the newest copy is the replica; the others are to be removed.
    private func restoreReplicas(
        _ objects: [FoundObject], of sequence: Int64, state: ReplicaState
    ) throws(S3Error) {
        var last: FoundObject?
        for object in objects {
            guard object.backendID != last?.backendID else {
                try removeStray(
                    at: Replica(
                        versionID: object.versionID, backendID: object.backendID,
                        physicalBucket: object.physicalBucket, physicalKey: object.physicalKey, state: .removing))
                continue
            }
            last = object
            try run(
                """
                INSERT INTO replicas (version_sequence, backend_id, physical_bucket, physical_key, state)
                VALUES ($1, $2, $3, $4, $5)
                """, .int(sequence), .int(object.backendID), .text(object.physicalBucket), .bytes(object.physicalKey),
                .text(state.rawValue))
        }
    }

    /// Puts back which record is where; the newest revision found holds.
    package func restoreRecord(_ place: RecordPlace, bucketID: Int64) throws(S3Error) {
        try run(
            """
            INSERT INTO records (version_id, bucket_id, revision) VALUES ($1, $2, $3)
            ON CONFLICT (version_id) DO UPDATE SET revision = excluded.revision
            WHERE excluded.revision > records.revision
            """, .bytes(place.versionID.bytes), .int(bucketID), .int(place.revision))
        try insertRecordPlace(place)
    }

    /// Has a version's record written anew, because its objects do not say all, or removed.
    package func restoreNeedOfRecord(_ found: FoundVersion, at time: Timestamp) throws(S3Error) {
        try touchRecord(of: found.id, bucketID: found.bucketID, at: time)
    }

    /// Has records looked at whose versions were not found at all.
    package func touchRecordsWithoutVersion(at time: Timestamp) throws(S3Error) {
        try run(
            """
            UPDATE records SET due_at = $1
            WHERE NOT EXISTS (SELECT 1 FROM versions WHERE versions.id = records.version_id)
            """, SQLValue(time))
    }

    /// Every mapping whose physical bucket may hold something, with its bucket.
    package func mappingsInUse() throws(S3Error) -> [BucketMapping] {
        try all(
            """
            SELECT bucket_id, backend_id, physical_name, scheme, counter, state FROM mappings
            WHERE state <> 'removed' ORDER BY backend_id, physical_name
            """
        ) { (row) throws(S3Error) in
            BucketMapping(
                bucketID: row.int(0), backendID: row.int(1), physicalName: row.text(2), scheme: Int(row.int(3)),
                counter: Int(row.int(4)), state: try row.word(5))
        }
    }

    /// Puts a bucket back of which only its objects tell; without a row of the ledger, which begins later.
    package func restoreFoundBucket(_ bucket: Bucket) throws(S3Error) -> Int64 {
        let id = try first(
            """
            INSERT INTO buckets (tenant_id, name, region, locations, versioning, created_at)
            VALUES ($1, $2, $3, '', $4, $5) RETURNING id
            """, .int(bucket.tenantID), .bytes(bucket.name.bytes), .text(bucket.region),
            .text(bucket.versioning.rawValue), SQLValue(bucket.createdAt)
        ) { $0.int(0) }
        guard let id else { throw S3Error(.internalError, cause: "an inserted bucket has no id") }
        return id
    }

    /// The first policy of such a bucket.
    package func restoreFoundPolicy(bucketID: Int64, json: [UInt8], at time: Timestamp) throws(S3Error) {
        try run(
            "INSERT INTO policies (bucket_id, version, json, created_at) VALUES ($1, 1, $2, $3)", .int(bucketID),
            .bytes(json), SQLValue(time))
    }

    /// A bucket with versions that have an id was versioned, also when no document says so.
    package func restoreVersioning() throws(S3Error) {
        try run(
            """
            UPDATE buckets SET versioning = $1 WHERE versioning = $2 AND EXISTS (
                SELECT 1 FROM versions v WHERE v.bucket_id = buckets.id AND v.state = 'live' AND v.is_null = 0)
            """, .text(BucketVersioning.enabled.rawValue), .text(BucketVersioning.unversioned.rawValue))
    }

    /// Continues counting behind every generation that a document has.
    package func restoreGeneration(_ generation: Int64) throws(S3Error) {
        try run("UPDATE configuration SET generation = $1 WHERE only_row = 1", .int(generation + 1))
    }

    /// Writes into the new ledger what is there now; the old ledger is lost with its database.
    package func beginLedger(at time: Timestamp) throws(S3Error) { try adoptIntoLedger(at: time) }

    /// Tells whether the database holds nothing but backends: only such a one may be replaced.
    package func isWithoutContent() throws(S3Error) -> Bool {
        if try has("SELECT 1 FROM tenants LIMIT 1") { return false }
        if try has("SELECT 1 FROM buckets LIMIT 1") { return false }
        return try !has("SELECT 1 FROM versions LIMIT 1")
    }

    /// Puts a backend back as the operator names it now: where it is and its credentials may have changed.
    package func restoreBackend(_ record: BackendRecord) throws(S3Error) {
        try run(
            """
            UPDATE backends SET endpoint = $2, signing_region = $3, addressing = $4, ca_file = $5, access_key_id = $6,
                sealed_secret = $7, kind = $8, abilities = $9
            WHERE name = $1 AND is_removed = 0
            """, .text(record.name), .text(record.endpoint), .text(record.signingRegion),
            .text(record.addressing.rawValue), SQLValue(record.caFile), SQLValue(record.accessKeyID),
            SQLValue(record.sealedSecret), .text(record.kind.rawValue), .text(record.abilities))
    }
}
