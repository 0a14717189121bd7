/// Logical buckets. A deleted bucket's row stays, hidden: versions, jobs and mappings refer to it.
extension SQLConnection {
    /// Throws `BucketAlreadyOwnedByYou` when the tenant has a bucket of this name.
    package func insertBucket(
        tenantID: Int64, name: BucketName, region: String, locations: [String], createdAt: Timestamp
    ) throws(S3Error) -> Bucket {
        let id = try first(
            """
            INSERT INTO buckets (tenant_id, name, region, locations, versioning, created_at)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id
            """, .int(tenantID), .bytes(name.bytes), .text(region), .text(TextList.joined(locations)),
            .text(BucketVersioning.unversioned.rawValue), SQLValue(createdAt)
        ) { $0.int(0) }
        guard let id else { throw S3Error(.bucketAlreadyOwnedByYou).detail("BucketName", name.text) }
        let bucket = Bucket(
            id: id, tenantID: tenantID, name: name, region: region, locations: locations, versioning: .unversioned,
            createdAt: createdAt)
        try appendLedger(
            .bucketCreated, tenantID: tenantID, bucketID: id, details: LedgerDetails.bucket(bucket), at: createdAt)
        // Its document is written because of that.
        try bumpConfigurationGeneration()
        return bucket
    }

    package func bucket(tenantID: Int64, name: BucketName) throws(S3Error) -> Bucket? {
        try first(
            """
            SELECT id, tenant_id, name, region, locations, versioning, created_at, tags, lifecycle_revision
            FROM buckets WHERE tenant_id = $1 AND name = $2 AND is_removed = 0
            """, .int(tenantID), .bytes(name.bytes), row: bucket)
    }

    /// Returns nil for a removed bucket.
    package func bucket(id: Int64) throws(S3Error) -> Bucket? {
        try first(
            """
            SELECT id, tenant_id, name, region, locations, versioning, created_at, tags, lifecycle_revision
            FROM buckets WHERE id = $1 AND is_removed = 0
            """, .int(id), row: bucket)
    }

    /// Returns every tenant's bucket of this name, by tenant.
    package func buckets(named name: BucketName) throws(S3Error) -> [Bucket] {
        try all(
            """
            SELECT id, tenant_id, name, region, locations, versioning, created_at, tags, lifecycle_revision
            FROM buckets WHERE name = $1 AND is_removed = 0 ORDER BY id
            """, .bytes(name.bytes), row: bucket)
    }

    /// Returns everybody's buckets, by name.
    package func allBuckets() throws(S3Error) -> [Bucket] {
        try all(
            """
            SELECT id, tenant_id, name, region, locations, versioning, created_at, tags, lifecycle_revision
            FROM buckets WHERE is_removed = 0 ORDER BY name
            """, row: bucket)
    }

    /// Returns up to `limit` buckets of a tenant whose names begin with `prefix` and are greater than `after`, by name.
    package func buckets(tenantID: Int64, prefix: [UInt8], after: [UInt8]?, limit: Int) throws(S3Error) -> [Bucket] {
        var start = prefix
        if let after, !after.lexicographicallyPrecedes(prefix) { start = after + [0] }
        return try all(
            """
            SELECT id, tenant_id, name, region, locations, versioning, created_at, tags, lifecycle_revision
            FROM buckets WHERE tenant_id = $1 AND is_removed = 0 AND name >= $2 ORDER BY name LIMIT $3
            """, .int(tenantID), .bytes(start), .int(Int64(limit)), row: bucket
        ).filter { $0.name.bytes.starts(with: prefix) }
    }

    /// Throws `NoSuchBucket` when the bucket is gone, `InvalidBucketState` for a way back to unversioned.
    package func setVersioning(bucketID: Int64, _ versioning: BucketVersioning) throws(S3Error) {
        guard versioning != .unversioned else { throw S3Error(.invalidBucketState) }
        let changed = try run(
            "UPDATE buckets SET versioning = $2 WHERE id = $1 AND is_removed = 0", .int(bucketID),
            .text(versioning.rawValue))
        guard changed == 1 else { throw S3Error(.noSuchBucket) }
        try bumpConfigurationGeneration()
    }

    /// Hides the bucket at once and ends its uploads; its mappings become `removing`, each with a `remove-bucket` job.
    ///
    /// Throws `NoSuchBucket`, or `BucketNotEmpty` while a live version is in it.
    package func deleteBucket(id: Int64, at time: Timestamp = .now()) throws(S3Error) {
        guard let bucket = try bucket(id: id) else { throw S3Error(.noSuchBucket) }
        guard try !has("SELECT 1 FROM versions WHERE bucket_id = $1 AND state = 'live' LIMIT 1", .int(id)) else {
            throw S3Error(.bucketNotEmpty).detail("BucketName", bucket.name.text)
        }
        try run("UPDATE buckets SET is_removed = 1 WHERE id = $1", .int(id))
        try appendLedger(.bucketDeleted, tenantID: bucket.tenantID, bucketID: id, at: time)
        try endUploads(bucketID: id, at: time)
        for mapping in try mappings(bucketID: id) where mapping.state == .creating || mapping.state == .ready {
            try setMapping(bucketID: id, backendID: mapping.backendID, counter: mapping.counter, state: .removing)
            try insertJob(
                kind: .removeBucket, bucketID: id, versionID: nil, backendID: mapping.backendID, notBefore: time)
        }
        try bumpConfigurationGeneration()
    }

    func bucket(_ row: any SQLStatement) throws(S3Error) -> Bucket {
        Bucket(
            id: row.int(0), tenantID: row.int(1), name: try BucketName(validating: row.bytes(2)), region: row.text(3),
            locations: TextList.split(row.text(4)), versioning: try row.word(5), createdAt: row.time(6),
            tags: try TagList.decoded(row.optionalBytes(7)), lifecycleRevision: row.optionalInt(8))
    }
}
