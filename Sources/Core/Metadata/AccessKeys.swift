/// The keys that requests are signed with; secrets are sealed before they come here.
extension SQLConnection {
    /// Throws `InvalidArgument` when the key id is taken, by whichever tenant.
    package func insertAccessKey(_ key: AccessKey) throws(S3Error) {
        let inserted = try run(
            """
            INSERT INTO access_keys (id, tenant_id, sealed_secret, is_active, created_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING
            """, .text(key.id), .int(key.tenantID), .bytes(key.sealedSecret), SQLValue(key.isActive),
            SQLValue(key.createdAt))
        guard inserted == 1 else { throw S3Error(.invalidArgument, "There is an access key \(key.id) already.") }
        try bumpConfigurationGeneration()
    }

    package func accessKey(id: String) throws(S3Error) -> AccessKey? {
        try first(
            "SELECT id, tenant_id, sealed_secret, is_active, created_at FROM access_keys WHERE id = $1", .text(id),
            row: accessKey)
    }

    /// Returns one tenant's keys, or everybody's for nil, by id.
    package func accessKeys(tenantID: Int64?) throws(S3Error) -> [AccessKey] {
        guard let tenantID else {
            return try all(
                "SELECT id, tenant_id, sealed_secret, is_active, created_at FROM access_keys ORDER BY id",
                row: accessKey)
        }
        return try all(
            """
            SELECT id, tenant_id, sealed_secret, is_active, created_at FROM access_keys
            WHERE tenant_id = $1 ORDER BY id
            """, .int(tenantID), row: accessKey)
    }

    /// Returns false when there is no such key.
    @discardableResult
    package func setAccessKey(id: String, isActive: Bool) throws(S3Error) -> Bool {
        let changed = try run("UPDATE access_keys SET is_active = $2 WHERE id = $1", .text(id), SQLValue(isActive))
        try bumpConfigurationGeneration()
        return changed == 1
    }

    /// Returns false when there is no such key.
    @discardableResult
    package func deleteAccessKey(id: String) throws(S3Error) -> Bool {
        let changed = try run("DELETE FROM access_keys WHERE id = $1", .text(id))
        try bumpConfigurationGeneration()
        return changed == 1
    }

    private func accessKey(_ row: any SQLStatement) -> AccessKey {
        AccessKey(
            id: row.text(0), tenantID: row.int(1), sealedSecret: row.bytes(2), isActive: row.flag(3),
            createdAt: row.time(4))
    }
}
