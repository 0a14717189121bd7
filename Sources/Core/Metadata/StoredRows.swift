/// Rows of one table, as they are stored: what a document about the configuration holds.
package struct StoredRows: Sendable, Equatable {
    package var table: ConfigurationTable
    package var columns: [String]
    package var rows: [[SQLValue]]

    package init(table: ConfigurationTable, columns: [String], rows: [[SQLValue]]) {
        self.table = table
        self.columns = columns
        self.rows = rows
    }

    package func value(_ column: String, row: Int) -> SQLValue? {
        columns.firstIndex(of: column).map { rows[row][$0] }
    }
}

/// The tables whose rows make up the configuration, in the order in which they refer to each other.
///
/// Columns are not listed: a row is copied with all it has.
package enum ConfigurationTable: String, Sendable, CaseIterable {
    case installation
    case backends
    case backendLimits = "backend_limits"
    case tenants
    case accessKeys = "access_keys"
    case buckets
    case policies
    case mappings
    case bucketShares = "bucket_shares"
    case imports
}

extension SQLConnection {
    /// What concerns the whole installation.
    package func installationRows() throws(S3Error) -> [StoredRows] {
        [
            try stored(.installation, "SELECT * FROM installation ORDER BY name"),
            try stored(.backends, "SELECT * FROM backends ORDER BY id"),
            try stored(.backendLimits, "SELECT * FROM backend_limits ORDER BY backend_id"),
        ]
    }

    package func tenantRows(id: Int64) throws(S3Error) -> [StoredRows] {
        [
            try stored(.tenants, "SELECT * FROM tenants WHERE id = $1", .int(id)),
            try stored(.accessKeys, "SELECT * FROM access_keys WHERE tenant_id = $1 ORDER BY id", .int(id)),
            try stored(.policies, "SELECT * FROM policies WHERE tenant_id = $1 ORDER BY version", .int(id)),
        ]
    }

    package func bucketRows(id: Int64) throws(S3Error) -> [StoredRows] {
        [
            try stored(.buckets, "SELECT * FROM buckets WHERE id = $1", .int(id)),
            try stored(.policies, "SELECT * FROM policies WHERE bucket_id = $1 ORDER BY version", .int(id)),
            try stored(.mappings, "SELECT * FROM mappings WHERE bucket_id = $1 ORDER BY backend_id, counter", .int(id)),
            try stored(
                .bucketShares, "SELECT * FROM bucket_shares WHERE bucket_id = $1 ORDER BY tenant_id", .int(id)),
            try stored(.imports, "SELECT * FROM imports WHERE bucket_id = $1 ORDER BY id", .int(id)),
        ]
    }

    /// The ids of all tenants that ever were, also removed ones.
    package func everyTenantID() throws(S3Error) -> [Int64] {
        try all("SELECT id FROM tenants ORDER BY id") { $0.int(0) }
    }

    /// All buckets that ever were, also removed ones.
    package func everyBucket() throws(S3Error) -> [Bucket] {
        try all(
            """
            SELECT id, tenant_id, name, region, locations, versioning, created_at, tags, lifecycle_revision
            FROM buckets ORDER BY id
            """, row: anyBucket)
    }

    /// The bucket, also a removed one.
    package func anyBucket(id: Int64) throws(S3Error) -> Bucket? {
        try first(
            """
            SELECT id, tenant_id, name, region, locations, versioning, created_at, tags, lifecycle_revision
            FROM buckets WHERE id = $1
            """, .int(id), row: anyBucket)
    }

    private func anyBucket(_ row: any SQLStatement) throws(S3Error) -> Bucket {
        Bucket(
            id: row.int(0), tenantID: row.int(1), name: try BucketName(validating: row.bytes(2)), region: row.text(3),
            locations: TextList.split(row.text(4)), versioning: try row.word(5), createdAt: row.time(6),
            tags: try TagList.decoded(row.optionalBytes(7)), lifecycleRevision: row.optionalInt(8))
    }

    /// Puts rows back with the ids they had.
    ///
    /// Throws `InternalError` when they have a column that this schema does not know: a newer program wrote them.
    package func restore(_ rows: StoredRows) throws(S3Error) {
        guard !rows.rows.isEmpty else { return }
        let table = rows.table.rawValue
        let probe = try statement(made: "SELECT * FROM \(table) LIMIT 0")
        let known = probe.columnNames
        probe.finish()
        guard rows.columns.allSatisfy(known.contains), Set(rows.columns).count == rows.columns.count else {
            throw S3Error(.internalError, cause: "the rows of \(table) were written by a newer program")
        }
        let places = (1...rows.columns.count).map { "$\($0)" }.joined(separator: ", ")
        let insert = try statement(
            made: "INSERT INTO \(table) (\(rows.columns.joined(separator: ", "))) VALUES (\(places))")
        defer { insert.finish() }
        for row in rows.rows {
            try insert.start(row)
            while try insert.next() {}
            insert.finish()
        }
    }

    private func stored(
        _ table: ConfigurationTable, _ sql: StaticString, _ values: SQLValue...
    ) throws(S3Error) -> StoredRows {
        let statement = try statement(sql)
        defer { statement.finish() }
        try statement.start(values)
        var rows = StoredRows(table: table, columns: statement.columnNames, rows: [])
        while try statement.next() { rows.rows.append(rows.columns.indices.map { statement.value($0) }) }
        return rows
    }
}

/// One sealed document on one backend.
package struct DocumentPlace: Sendable, Hashable {
    package var name: String
    package var backendID: Int64
    package var physicalBucket: String
    package var generation: Int64
    /// SHA-256 of what it says, before it was sealed.
    package var digest: [UInt8]

    package init(name: String, backendID: Int64, physicalBucket: String, generation: Int64, digest: [UInt8]) {
        self.name = name
        self.backendID = backendID
        self.physicalBucket = physicalBucket
        self.generation = generation
        self.digest = digest
    }
}

extension SQLConnection {
    package func documentPlaces() throws(S3Error) -> [DocumentPlace] {
        try all(
            "SELECT name, backend_id, physical_bucket, generation, digest FROM documents ORDER BY name, backend_id"
        ) {
            DocumentPlace(
                name: $0.text(0), backendID: $0.int(1), physicalBucket: $0.text(2), generation: $0.int(3),
                digest: $0.bytes(4))
        }
    }

    package func documentPlace(named name: String, on backendID: Int64) throws(S3Error) -> DocumentPlace? {
        try first(
            "SELECT physical_bucket, generation, digest FROM documents WHERE name = $1 AND backend_id = $2",
            .text(name), .int(backendID)
        ) {
            DocumentPlace(
                name: name, backendID: backendID, physicalBucket: $0.text(0), generation: $0.int(1),
                digest: $0.bytes(2))
        }
    }

    /// Notes the newest; an older one than is noted changes nothing.
    ///
    /// Returns the place that has no row after this, when there is one: what was noted before, or `place` itself. Its object
    /// is the caller's to remove.
    package func setDocumentPlace(_ place: DocumentPlace) throws(S3Error) -> DocumentPlace? {
        let noted = try documentPlace(named: place.name, on: place.backendID)
        if let noted, noted.generation > place.generation { return place }
        try run(
            """
            INSERT INTO documents (name, backend_id, physical_bucket, generation, digest) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (name, backend_id) DO UPDATE SET physical_bucket = excluded.physical_bucket,
                generation = excluded.generation, digest = excluded.digest
            """, .text(place.name), .int(place.backendID), .text(place.physicalBucket), .int(place.generation),
            .bytes(place.digest))
        guard let noted else { return nil }
        return (noted.physicalBucket, noted.generation) == (place.physicalBucket, place.generation) ? nil : noted
    }

    /// Counts on behind a generation that this database had reached before it was put back from a backup, and has every
    /// document written anew: until then those of the time that was lost are the newest.
    package func leaveLostTimeBehind(_ generation: Int64) throws(S3Error) {
        let isBehind = try run(
            "UPDATE configuration SET generation = $1 WHERE only_row = 1 AND generation < $1", .int(generation + 1))
        if isBehind > 0 { try run("UPDATE documents SET digest = $1", .bytes([])) }
    }

    package func deleteDocumentPlace(_ place: DocumentPlace) throws(S3Error) {
        try run(
            """
            DELETE FROM documents WHERE name = $1 AND backend_id = $2 AND physical_bucket = $3 AND generation = $4
            """, .text(place.name), .int(place.backendID), .text(place.physicalBucket), .int(place.generation))
    }
}
