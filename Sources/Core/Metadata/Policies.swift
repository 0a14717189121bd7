/// Policies of tenants and buckets. Every change appends a version; nothing is overwritten, so that it can be said
/// later which policy allowed what. The versions that are there already are looked at again.
extension SQLConnection {
    /// Returns the number of the new version, counted from 1 for each tenant.
    @discardableResult
    package func setPolicy(tenantID: Int64, json: [UInt8], at time: Timestamp) throws(S3Error) -> Int64 {
        try appendTenantPolicy(tenantID, json, time)
    }

    /// Returns the number of the new version, counted from 1 for each bucket.
    @discardableResult
    package func setPolicy(bucketID: Int64, json: [UInt8], at time: Timestamp) throws(S3Error) -> Int64 {
        try appendBucketPolicy(bucketID, json, time)
    }

    /// Returns the policy in force; nil when none was set or the last one was removed.
    package func policy(tenantID: Int64) throws(S3Error) -> (version: Int64, json: [UInt8])? {
        let newest = try first(
            "SELECT version, json FROM policies WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1", .int(tenantID)
        ) { (version: $0.int(0), json: $0.optionalBytes(1)) }
        guard let newest, let json = newest.json else { return nil }
        return (newest.version, json)
    }

    /// Returns the policy in force; nil when none was set or the last one was removed.
    package func policy(bucketID: Int64) throws(S3Error) -> (version: Int64, json: [UInt8])? {
        let newest = try first(
            "SELECT version, json FROM policies WHERE bucket_id = $1 ORDER BY version DESC LIMIT 1", .int(bucketID)
        ) { (version: $0.int(0), json: $0.optionalBytes(1)) }
        guard let newest, let json = newest.json else { return nil }
        return (newest.version, json)
    }

    /// Ends the tenant's policy; returns false when there was none.
    @discardableResult
    package func removePolicy(tenantID: Int64, at time: Timestamp) throws(S3Error) -> Bool {
        guard try policy(tenantID: tenantID) != nil else { return false }
        try appendTenantPolicy(tenantID, nil, time)
        return true
    }

    /// Ends the bucket's policy; returns false when there was none.
    @discardableResult
    package func removePolicy(bucketID: Int64, at time: Timestamp) throws(S3Error) -> Bool {
        guard try policy(bucketID: bucketID) != nil else { return false }
        try appendBucketPolicy(bucketID, nil, time)
        return true
    }

    @discardableResult
    private func appendTenantPolicy(_ id: Int64, _ json: [UInt8]?, _ time: Timestamp) throws(S3Error) -> Int64 {
        let last = try first(
            "SELECT version FROM policies WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1", .int(id)
        ) { $0.int(0) }
        let version = (last ?? 0) + 1
        try run(
            "INSERT INTO policies (tenant_id, version, json, created_at) VALUES ($1, $2, $3, $4)", .int(id),
            .int(version), SQLValue(json), SQLValue(time))
        try appendLedger(
            json == nil ? .policyRemoved : .policySet, tenantID: id,
            details: LedgerDetails.policy(version: version, json: json), at: time)
        try requestReplan(tenantID: id, at: time)
        try bumpConfigurationGeneration()
        return version
    }

    @discardableResult
    private func appendBucketPolicy(_ id: Int64, _ json: [UInt8]?, _ time: Timestamp) throws(S3Error) -> Int64 {
        let last = try first(
            "SELECT version FROM policies WHERE bucket_id = $1 ORDER BY version DESC LIMIT 1", .int(id)
        ) { $0.int(0) }
        let version = (last ?? 0) + 1
        try run(
            "INSERT INTO policies (bucket_id, version, json, created_at) VALUES ($1, $2, $3, $4)", .int(id),
            .int(version), SQLValue(json), SQLValue(time))
        let tenantID = try first("SELECT tenant_id FROM buckets WHERE id = $1", .int(id)) { $0.int(0) }
        try appendLedger(
            json == nil ? .policyRemoved : .policySet, tenantID: tenantID, bucketID: id,
            details: LedgerDetails.policy(version: version, json: json), at: time)
        try requestReplan(bucketID: id, at: time)
        try bumpConfigurationGeneration()
        return version
    }
}
