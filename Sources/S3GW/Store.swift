import ArgumentParser
import CommandLineSupport
import Core
import Foundation

/// The options that every verb has.
struct StoreOptions: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: ArgumentHelp(
            "The configuration file. Default: $S3GW_CONFIG, else /etc/s3gw/s3gw.conf when it exists.", valueName: "path"
        ))
    var configurationFile: String?

    @Option(help: ArgumentHelp("The metadata database, instead of the configured one.", valueName: "path"))
    var database: String?

    @Option(help: ArgumentHelp("The file with the master key, instead of the configured one.", valueName: "path"))
    var masterKeyFile: String?

    @Flag(help: "Print JSON.")
    var json = false

    /// Reads the configuration; on a mistake writes what is wrong and throws exit code 2.
    func configuration() throws -> Configuration {
        var overrides: [String: String] = [:]
        overrides["database"] = database
        overrides["master-key-file"] = masterKeyFile
        do throws(ConfigurationError) {
            return try Configuration.load(
                file: configurationFile, environment: ProcessInfo.processInfo.environment, overrides: overrides)
        } catch {
            CommandLineProgram.complain(error.description)
            showError(error.description, CommandLineProgram.usageError)
            throw CommandLineProgram.usageError
        }
    }

    /// Opens the gateway's database and runs `body`; what goes wrong becomes a message and an exit code.
    func run(_ body: (Store) throws -> Void) throws {
        let configuration = try configuration()
        try Outcome.translated(self) {
            try body(Store(database: try Database.open(path: configuration.databasePath), configuration: configuration))
        }
    }

    /// Prints `value` as JSON, or `text` for people.
    func show(_ value: JSONValue, _ text: @autoclosure () -> String) {
        StandardOutput.write((json ? value.indented : Array(text().utf8)) + [0x0A])
    }

    /// With `--json`: says why there is no answer, as an object, unless something was printed already.
    func showError(_ text: String, _ code: ExitCode) {
        guard json, !StandardOutput.isUsed else { return }
        show(["error": .string(text), "exitCode": .integer(Int64(code.rawValue))], "")
    }
}

/// The gateway as the command line sees it.
struct Store {
    let database: Database
    let configuration: Configuration

    func read<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(S3Error) -> T { try database.read(body) }
    func write<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(S3Error) -> T { try database.write(body) }

    /// Throws when they are not those of this database: what they sealed would stop the processes that have the right ones.
    func masterKeys() throws(S3Error) -> MasterKeys {
        let keys = try Self.masterKeys(configuration)
        let sealed = try read { sql throws(S3Error) in try sql.installationValue(World.namespaceKeyName) }
        if let sealed { _ = try keys.open(sealed, table: World.installationTable, row: World.namespaceKeyName) }
        return keys
    }

    /// The master keys of the environment, else of the configured file.
    static func masterKeys(_ configuration: Configuration) throws(S3Error) -> MasterKeys {
        if let text = ProcessInfo.processInfo.environment[MasterKeys.environmentName] {
            return try MasterKeys(parsing: Array(text.utf8), origin: MasterKeys.environmentName)
        }
        return try MasterKeys(contentsOfFile: configuration.masterKeyFile)
    }

    /// The same view of the world that the front door has.
    func world() throws(S3Error) -> World {
        try World(
            database: database, masterKeys: try masterKeys(), spoolDirectory: configuration.spoolDirectory)
    }

    /// Returns the tenant, or the answer no.
    func tenant(_ name: String) throws -> Tenant {
        guard let tenant = try read({ sql throws(S3Error) in try sql.tenant(named: name) }) else {
            throw Outcome.no("There is no tenant \(name).")
        }
        return tenant
    }

    func backend(_ name: String) throws -> BackendRecord {
        guard let backend = try read({ sql throws(S3Error) in try sql.backend(named: name) }) else {
            throw Outcome.no("There is no backend \(name).")
        }
        return backend
    }
}
