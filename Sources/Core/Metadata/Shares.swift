/// Shares: another tenant may read a bucket, as the source of copies, under the name `OWNER:BUCKET`.
extension SQLConnection {
    /// Lets a tenant read a bucket; false when it could already.
    package func share(bucketID: Int64, with tenantID: Int64, at time: Timestamp) throws(S3Error) -> Bool {
        let isNew =
            try run(
                """
                INSERT INTO bucket_shares (bucket_id, tenant_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
                """, .int(bucketID), .int(tenantID), SQLValue(time)) == 1
        if isNew { try bumpConfigurationGeneration() }
        return isNew
    }

    /// Takes the share back; false when there was none.
    package func unshare(bucketID: Int64, with tenantID: Int64) throws(S3Error) -> Bool {
        let isGone =
            try run(
                "DELETE FROM bucket_shares WHERE bucket_id = $1 AND tenant_id = $2", .int(bucketID), .int(tenantID))
            == 1
        if isGone { try bumpConfigurationGeneration() }
        return isGone
    }

    /// Returns the ids of the tenants that a bucket is shared with.
    package func shares(bucketID: Int64) throws(S3Error) -> [Int64] {
        try all("SELECT tenant_id FROM bucket_shares WHERE bucket_id = $1 ORDER BY tenant_id", .int(bucketID)) {
            $0.int(0)
        }
    }

    /// Returns the bucket that `owner` calls `name`, when it is shared with the tenant; nil otherwise, whatever the reason.
    package func sharedBucket(
        _ name: BucketName, of owner: String, with tenantID: Int64
    ) throws(S3Error) -> Bucket? {
        try first(
            """
            SELECT b.id, b.tenant_id, b.name, b.region, b.locations, b.versioning, b.created_at, b.tags,
                b.lifecycle_revision
            FROM tenants t
            JOIN buckets b ON b.tenant_id = t.id AND b.name = $2 AND b.is_removed = 0
            JOIN bucket_shares s ON s.bucket_id = b.id AND s.tenant_id = $3
            WHERE t.name = $1 AND t.is_removed = 0
            """, .text(owner), .bytes(name.bytes), .int(tenantID), row: bucket)
    }
}
