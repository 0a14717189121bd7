/// One step of the schema; applied in one transaction, recorded, and never changed once released.
struct Migration: Sendable {
    let version: Int64
    let name: String
    let script: @Sendable (SQLDialect) -> String
}

/// The numbered steps from an empty database to the schema of this program.
enum Migrations {
    static let all = [
        Migration(version: 1, name: "first schema", script: firstSchema),
        Migration(version: 2, name: "multipart uploads", script: uploadSchema),
        Migration(version: 3, name: "versioning", script: versioningSchema),
        Migration(version: 4, name: "tagging", script: taggingSchema),
        Migration(version: 5, name: "backend health", script: healthSchema),
        Migration(version: 6, name: "ledger", script: ledgerSchema),
        Migration(version: 7, name: "replans", script: replanSchema),
        Migration(version: 8, name: "copies and limits", script: copySchema),
        Migration(version: 9, name: "shares", script: shareSchema),
        Migration(version: 10, name: "imports", script: importSchema),
        Migration(version: 11, name: "records of versions", script: recordSchema),
        Migration(version: 12, name: "findings and sweeps", script: reconcileSchema),
        Migration(version: 13, name: "checksums of parts", script: checksumSchema),
        Migration(version: 14, name: "strays", script: straySchema),
        Migration(version: 15, name: "moves", script: moveSchema),
        Migration(version: 16, name: "imports written down", script: recordedImportSchema),
        Migration(version: 17, name: "lifecycles", script: lifecycleSchema),
        Migration(version: 18, name: "creations cut short", script: creationSchema),
    ]

    static var newest: Int64 { all.last?.version ?? 0 }

    /// Brings the database to this program's schema; several processes may try at once.
    static func apply(to connection: SQLiteConnection, at time: Timestamp) throws(S3Error) {
        defer { connection.rollBack() }
        let isFresh = try installedVersion(connection) == 0
        for migration in all {
            try connection.begin(writing: true)
            if try installedVersion(connection) < migration.version {
                try connection.script(migration.script(connection.dialect))
                try connection.run(
                    "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)",
                    .int(migration.version), .text(migration.name), SQLValue(time))
            }
            try connection.commit()
        }
        try requireCurrent(connection)
        if isFresh { return }
        try connection.begin(writing: true)
        try connection.adoptIntoLedger(at: time)
        try connection.commit()
    }

    /// Throws `ServiceUnavailable` unless the schema is exactly this program's.
    static func requireCurrent(_ connection: SQLiteConnection) throws(S3Error) {
        let version = try installedVersion(connection)
        if version == newest { return }
        let cause =
            switch version {
            case 0: "the database holds no gateway yet; run: s3gw init"
            case ..<newest: "the database has schema \(version), this program needs \(newest); run: s3gw init"
            default: "the database has schema \(version), this program knows \(newest) at most; run a newer program"
            }
        throw S3Error(.serviceUnavailable, cause: cause)
    }

    /// Returns 0 for a database without a schema.
    private static func installedVersion(_ connection: SQLiteConnection) throws(S3Error) -> Int64 {
        guard try connection.hasTable("schema_migrations") else { return 0 }
        return try connection.first("SELECT COALESCE(MAX(version), 0) FROM schema_migrations") { $0.int(0) } ?? 0
    }
}
