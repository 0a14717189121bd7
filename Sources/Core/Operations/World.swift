import Synchronization

/// What a process knows of tenants, keys, backends, policies and buckets.
///
/// The database is the truth; this is its cache. Every answer belongs to one `configurationGeneration`: a change made by
/// any process bumps that number, and the next request here starts from an empty cache.
package final class World: Sendable {
    package let database: Database
    package let provisioner: BucketProvisioner
    /// Under which self-descriptions are proven to be ours.
    package let descriptionProof: DescriptionProof
    /// Where content that no client sent is kept while it is copied.
    package let spoolDirectory: String
    let lifecycles = LifecycleCache()
    /// What readers found missing or damaged.
    let damageReports = DamageReports()
    private let masterKeys: MasterKeys
    private let current = Mutex<WorldSnapshot?>(nil)

    /// The row of `installation` that holds the sealed key under which bucket names are hashed.
    package static let namespaceKeyName = "namespace-key"
    package static let installationTable = "installation"

    /// Throws when the database was never initialised, or when `masterKeys` do not open its secrets.
    package init(database: Database, masterKeys: MasterKeys, spoolDirectory: String) throws(S3Error) {
        self.database = database
        self.spoolDirectory = spoolDirectory
        self.masterKeys = masterKeys
        let sealed = try database.read { sql throws(S3Error) in try sql.installationValue(Self.namespaceKeyName) }
        guard let sealed else {
            throw S3Error(.internalError, cause: "the database has no namespace key: run `s3gw init`")
        }
        let key = try masterKeys.open(sealed, table: Self.installationTable, row: Self.namespaceKeyName)
        descriptionProof = DescriptionProof { Crypto.hmacSHA256(key: key, message: $0) }
        provisioner = BucketProvisioner(
            naming: PhysicalBucketNaming { Crypto.hmacSHA256(key: key, message: $0) }, database: database)
    }

    /// Opens the database and the master keys that `configuration` names.
    ///
    /// `S3GW_MASTER_KEY` in `environment` goes before the file. Throws `InternalError` whose cause says what to do.
    package static func open(
        _ configuration: Configuration, environment: [String: String]
    ) throws(S3Error) -> World {
        try World(
            database: try Database.open(path: configuration.databasePath),
            masterKeys: try masterKeys(configuration, environment: environment),
            spoolDirectory: configuration.spoolDirectory)
    }

    /// What the last snapshot said, without a look at the database; nil before the first.
    package var known: WorldSnapshot? { current.withLock { $0 } }

    /// The master keys of `S3GW_MASTER_KEY`, else of the configured file.
    package static func masterKeys(
        _ configuration: Configuration, environment: [String: String]
    ) throws(S3Error) -> MasterKeys {
        if let text = environment[MasterKeys.environmentName] {
            return try MasterKeys(parsing: Array(text.utf8), origin: MasterKeys.environmentName)
        }
        return try MasterKeys(contentsOfFile: configuration.masterKeyFile)
    }

    /// Seals a document about the configuration; `RecoveryBucket` and `MasterKeys` open it again.
    func seal(_ document: [UInt8], named name: String) -> [UInt8] {
        masterKeys.seal(document, table: RecoveryBucket.sealedTable, row: name)
    }

    /// The name of the bucket for such documents on a backend.
    func recoveryBucket(on backend: String) -> String { recoveryBuckets(on: backend)[0] }

    /// Those under former master keys, too.
    func recoveryBuckets(on backend: String) -> [String] { RecoveryBucket.names(masterKeys, backend: backend) }

    /// Whether a physical bucket is one in which we keep what a rebuild needs, under any master key.
    func isRecoveryBucket(_ name: String) throws(S3Error) -> Bool {
        try snapshot().backends.values.contains { live in
            recoveryBuckets(on: live.name).contains(name)
        }
    }

    /// Returns what is known now: one cheap statement when nothing has changed.
    package func snapshot() throws(S3Error) -> WorldSnapshot {
        let generation = try database.readOnce { sql throws(S3Error) in try sql.configurationGeneration() }
        let cached = current.withLock { $0 }
        if let cached, cached.generation == generation { return cached }
        let fresh = try load(generation: generation, reusing: cached)
        current.withLock { $0 = fresh }
        return fresh
    }

    /// Backends whose record did not change keep their connections and their breaker.
    private func load(generation: Int64, reusing old: WorldSnapshot?) throws(S3Error) -> WorldSnapshot {
        let records = try database.read { sql throws(S3Error) in try sql.backends() }
        var backends: [Int64: LiveBackend] = [:]
        for record in records {
            if let known = old?.backends[record.id], known.backend.record == record {
                backends[record.id] = known
                continue
            }
            let secret = try record.sealedSecret.map { sealed throws(S3Error) in
                try masterKeys.open(sealed, table: "backends", row: record.name)
            }
            backends[record.id] = LiveBackend(try BackendFactory.make(record, secret: secret))
        }
        return WorldSnapshot(
            generation: generation, backends: backends, database: database, masterKeys: masterKeys)
    }
}
