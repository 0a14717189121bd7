import ArgumentParser
import Core
import Foundation

/// `s3gw init`: the database, the master key and the key under which bucket names are hashed.
struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "init", "Make the database, the master key and the namespace key, or bring an older database up to date.",
        "What exists is kept: running it again is safe. Keep a copy of the master key file: without it no secret opens.",
        examples: "s3gw init", "s3gw init --database /var/lib/s3gw/s3gw.db --master-key-file /etc/s3gw/master.key")

    @OptionGroup var options: StoreOptions

    private static let namespaceKeyBytes = 32

    func run() throws {
        let configuration = try options.configuration()
        try Outcome.translated(options) {
            let madeMasterKey = try makeMasterKey(configuration)
            let masterKeys = try Store.masterKeys(configuration)
            let database = try Database.create(path: configuration.databasePath)
            let madeNamespaceKey = try makeNamespaceKey(database, masterKeys)
            _ = try AttestationKey(database, masterKeys)
            let value: JSONValue = [
                "database": .string(configuration.databasePath), "masterKeyFile": .string(configuration.masterKeyFile),
                "madeMasterKey": .boolean(madeMasterKey), "madeNamespaceKey": .boolean(madeNamespaceKey),
            ]
            options.show(
                value,
                Table.fields([
                    ("database", configuration.databasePath),
                    ("master key", configuration.masterKeyFile + (madeMasterKey ? " (new: keep a copy)" : " (kept)")),
                    ("namespace key", madeNamespaceKey ? "new" : "kept"),
                ]))
        }
    }

    /// Returns false when there is one already.
    private func makeMasterKey(_ configuration: Configuration) throws -> Bool {
        guard ProcessInfo.processInfo.environment[MasterKeys.environmentName] == nil,
            !FileManager.default.fileExists(atPath: configuration.masterKeyFile)
        else { return false }
        guard !FileManager.default.fileExists(atPath: configuration.databasePath) else {
            throw Outcome.failed(
                "The database \(configuration.databasePath) is there and its master key file \(configuration.masterKeyFile) is not, or cannot be seen by this user: "
                    + "put that back, as a new one would open none of its secrets.")
        }
        try MasterKeys.generateFile(at: configuration.masterKeyFile)
        return true
    }

    /// Returns false when there is one already; throws when it does not open with these master keys.
    private func makeNamespaceKey(_ database: Database, _ masterKeys: MasterKeys) throws(S3Error) -> Bool {
        let sealed = try database.write { sql throws(S3Error) -> [UInt8]? in
            if let sealed = try sql.installationValue(World.namespaceKeyName) { return sealed }
            let fresh = masterKeys.seal(
                Crypto.randomBytes(Self.namespaceKeyBytes), table: World.installationTable, row: World.namespaceKeyName)
            try sql.setInstallationValue(World.namespaceKeyName, fresh)
            return nil
        }
        guard let sealed else { return true }
        _ = try masterKeys.open(sealed, table: World.installationTable, row: World.namespaceKeyName)
        return false
    }
}
