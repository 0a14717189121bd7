/// Owners of keys and buckets. A deleted tenant's row stays, hidden: removed buckets and their mappings refer to it.
extension SQLConnection {
    /// Throws `InvalidArgument` when another tenant has this name or canonical id.
    package func insertTenant(
        name: String, canonicalID: String, displayName: String, email: String?, createdAt: Timestamp
    ) throws(S3Error) -> Tenant {
        let id = try first(
            """
            INSERT INTO tenants (name, canonical_id, display_name, email, created_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING RETURNING id
            """, .text(name), .text(canonicalID), .text(displayName), SQLValue(email), SQLValue(createdAt)
        ) { $0.int(0) }
        guard let id else {
            throw S3Error(.invalidArgument, "There is a tenant with the name \(name) or its canonical id already.")
        }
        try bumpConfigurationGeneration()
        return Tenant(
            id: id, name: name, canonicalID: canonicalID, displayName: displayName, email: email, createdAt: createdAt)
    }

    package func tenant(named name: String) throws(S3Error) -> Tenant? {
        try first(
            """
            SELECT id, name, canonical_id, display_name, email, created_at FROM tenants
            WHERE name = $1 AND is_removed = 0
            """, .text(name), row: tenant)
    }

    package func tenant(id: Int64) throws(S3Error) -> Tenant? {
        try first(
            """
            SELECT id, name, canonical_id, display_name, email, created_at FROM tenants
            WHERE id = $1 AND is_removed = 0
            """, .int(id), row: tenant)
    }

    /// The canonical ids of all tenants that ever were, by id.
    package func canonicalIDs() throws(S3Error) -> [Int64: String] {
        let rows = try all("SELECT id, canonical_id FROM tenants") { ($0.int(0), $0.text(1)) }
        return Dictionary(rows) { first, _ in first }
    }

    /// Returns all tenants, by name.
    package func tenants() throws(S3Error) -> [Tenant] {
        try all(
            """
            SELECT id, name, canonical_id, display_name, email, created_at FROM tenants
            WHERE is_removed = 0 ORDER BY name
            """, row: tenant)
    }

    /// Removes the tenant and its keys; throws `InvalidRequest` while it has buckets.
    package func deleteTenant(id: Int64) throws(S3Error) {
        guard try !has("SELECT 1 FROM buckets WHERE tenant_id = $1 AND is_removed = 0 LIMIT 1", .int(id)) else {
            throw S3Error(.invalidRequest, "The tenant still has buckets.")
        }
        try run("DELETE FROM access_keys WHERE tenant_id = $1", .int(id))
        try run("DELETE FROM bucket_shares WHERE tenant_id = $1", .int(id))
        try run("UPDATE tenants SET is_removed = 1 WHERE id = $1", .int(id))
        try bumpConfigurationGeneration()
    }

    private func tenant(_ row: any SQLStatement) -> Tenant {
        Tenant(
            id: row.int(0), name: row.text(1), canonicalID: row.text(2), displayName: row.text(3),
            email: row.optionalText(4), createdAt: row.time(5))
    }
}
