import Logging

/// Makes the metadata database anew from what lies on the backends.
///
/// It needs the master keys and one backend at least. The new database is made beside the old one, which must hold
/// nothing but backends, and takes its place when it is whole: a rebuild that is cut short changes nothing.
/// Why it is whole: docs/decisions/0006-rebuild.md.
package final class Rebuild {
    package struct Report: Sendable, Equatable {
        package var backends = 0
        package var tenants = 0
        package var buckets = 0
        package var versions = 0
        package var deleteMarkers = 0
        package var replicas = 0
        /// Dead versions whose bytes are now removed.
        package var dead = 0
        /// Objects that are not ours, or whose description was changed.
        package var foreign = 0
        /// Of these, objects in adopted buckets whose import was not written down to its end: it has to be called again.
        package var unadopted = 0
        /// Objects that do not have the size that their description says.
        package var damaged = 0
        /// Buckets that no document knows: they came back without their settings.
        package var found: [String] = []
        /// Versions of which no bytes were found.
        package var lost = 0
    }

    let masterKeys: MasterKeys
    let path: String
    /// The site's, for which new buckets were made.
    let region: String
    let without: Set<String>
    let stop: StopSignal
    let log = Logger(label: "s3gw.worker")
    var report = Report()

    /// `without` names backends that are not read: what is only there is not found.
    package init(
        databasePath: String, masterKeys: MasterKeys, region: String, without: Set<String>, stop: StopSignal
    ) {
        path = databasePath
        self.region = region
        self.masterKeys = masterKeys
        self.without = without
        self.stop = stop
    }

    /// Throws `InvalidRequest` for a database that is not empty or is in use, `ServiceUnavailable` when a backend cannot
    /// be read, `InternalError` when the documents do not open with these master keys.
    package func run() throws(S3Error) -> Report {
        let given = try givenBackends()
        let newPath = path + ".rebuild"
        DatabaseFile.remove(newPath)
        try fill(newPath, given)
        try DatabaseFile.replace(path, by: newPath)
        return report
    }

    /// The backends of the empty database; it is closed again.
    private func givenBackends() throws(S3Error) -> [BackendRecord] {
        let database = try Database.open(path: path)
        return try database.read { sql throws(S3Error) in
            guard try sql.isWithoutContent() else {
                throw S3Error(
                    .invalidRequest, "the database \(self.path) is not empty: a rebuild needs a new one (s3gw init)",
                    cause: "the database \(self.path) is not empty: a rebuild needs a new one (s3gw init)")
            }
            return try sql.backends()
        }
    }

    private func fill(_ newPath: String, _ given: [BackendRecord]) throws(S3Error) {
        let database = try Database.create(path: newPath)
        let found = try restoreConfiguration(into: database, given)
        try database.write { sql throws(S3Error) in try sql.createRebuildTables() }
        let key = try namespaceKey(database)
        try RebuildBuckets(self, database, found, namespaceKey: key).run()
        let scan = RebuildScan(self, database, found, namespaceKey: key)
        try scan.run()
        try database.write { sql throws(S3Error) in try sql.claimOriginals() }
        try RebuildVersions(self, database).run()
        try database.write { sql throws(S3Error) in
            let (strangers, unadopted) = try sql.restoreShadows()
            self.report.foreign += Int(strangers)
            self.report.unadopted = Int(unadopted)
            try sql.dropRebuildTables()
            try self.finish(sql)
        }
    }

    private func namespaceKey(_ database: Database) throws(S3Error) -> [UInt8] {
        let sealed = try database.read { sql throws(S3Error) in try sql.installationValue(World.namespaceKeyName) }
        guard let sealed else {
            throw S3Error(.internalError, cause: "the installation's document has no namespace key")
        }
        return try masterKeys.open(sealed, table: World.installationTable, row: World.namespaceKeyName)
    }

    /// What has to be done about the world as it is now.
    private func finish(_ sql: any SQLConnection) throws(S3Error) {
        let now = Timestamp.now()
        for mapping in try sql.mappingsInUse() where mapping.state == .removing {
            try sql.insertJob(
                kind: .removeBucket, bucketID: mapping.bucketID, versionID: nil, backendID: mapping.backendID,
                notBefore: now)
        }
        try sql.restoreVersioning()
        try sql.touchRecordsWithoutVersion(at: now)
        try sql.requestReplanOfAll(at: now)
        try sql.beginLedger(at: now)
    }

    func checkGoingOn() throws(S3Error) {
        guard !stop.isStopped else { throw S3Error(.serviceUnavailable, cause: "the rebuild was stopped") }
    }

    /// The client of a backend.
    func backend(_ record: BackendRecord) throws(S3Error) -> any Backend {
        let secret = try record.sealedSecret.map { sealed throws(S3Error) in
            try masterKeys.open(sealed, table: "backends", row: record.name)
        }
        return try BackendFactory.make(record, secret: secret)
    }

    static func failure(_ error: BackendError) -> S3Error {
        S3Error(
            .serviceUnavailable,
            cause: "\(error.backend): \(error.cause); bring it back, or go without it: --without \(error.backend)")
    }
}
