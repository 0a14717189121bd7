private import Glibc

/// Everything that can be set about a process; what differs per site is in `SiteSettings`.
///
/// Made before the first thread from, in rising order: the defaults, the configuration file, the environment, flags.
package struct Configuration: Sendable {
    /// One key with the value in force, as written, and where it came from.
    package struct Setting: Sendable {
        package let key: ConfigurationKey
        package let value: String?
        package let origin: String
    }

    package let databasePath: String
    package let masterKeyFile: String
    package let socketPath: String
    package let spoolDirectory: String
    package let processes: Int
    package let threads: Int
    package let region: String
    package let logLevel: String
    /// Nil is standard error.
    package let logFile: String?
    package let drainTimeoutMilliseconds: Int
    package let failedAuthenticationsPerMinute: Int
    package let pidFile: String?
    package let workerConcurrency: Int
    package let workerPollIntervalMilliseconds: Int
    package let leaseSeconds: Int
    package let abandonedUploadDays: Int
    package let healthCheckIntervalMilliseconds: Int
    package let replicationGraceMilliseconds: Int
    package let reconcileIntervalMilliseconds: Int
    package let reconcileGraceMilliseconds: Int
    package let lifecycleIntervalMilliseconds: Int
    package let scrubMebibytesPerDay: Int
    /// Each key in the order of the table, for `check-config` and for handing the configuration to a child.
    package let settings: [Setting]

    package static let defaultFile = "/etc/s3gw/s3gw.conf"
    package static let fileVariable = "S3GW_CONFIG"

    /// Reads the configuration.
    ///
    /// The file is `file`, else what `S3GW_CONFIG` names, else `/etc/s3gw/s3gw.conf` when that exists. `overrides` has
    /// flags by key name. Throws every problem that was found, not only the first.
    package static func load(
        file: String?, environment: [String: String], overrides: [String: String]
    ) throws(ConfigurationError) -> Configuration {
        var problems: [ConfigurationError.Problem] = []
        var values: [String: (value: String, origin: String)] = [:]
        if let path = file ?? environment[fileVariable] ?? existingDefaultFile() {
            let file = try ConfigurationFile(path: path)
            problems += file.problems
            for line in file.lines { values[line.key] = (line.value, "\(path):\(line.number)") }
        }
        for key in ConfigurationKey.all {
            if let value = environment[key.environmentName] {
                values[key.name] = (value, "environment \(key.environmentName)")
            }
            if let value = overrides[key.name] { values[key.name] = (value, "flag --\(key.name)") }
        }
        for name in overrides.keys.sorted() where ConfigurationKey.named(name) == nil {
            problems.append(
                .init(at: "flag --\(name)", "unknown; the nearest known key is \(ConfigurationFile.nearest(to: name))"))
        }
        return try Configuration(values: values, problems: problems)
    }

    private init(
        values: [String: (value: String, origin: String)], problems: [ConfigurationError.Problem]
    ) throws(ConfigurationError) {
        settings = ConfigurationKey.all.map { key in
            guard let given = values[key.name] else {
                return Setting(key: key, value: key.defaultValue, origin: "default")
            }
            return Setting(key: key, value: given.value, origin: given.origin)
        }
        var reader = SettingReader(settings: settings, problems: problems)
        databasePath = reader.database("database")
        masterKeyFile = reader.path("master-key-file") ?? ""
        socketPath = reader.path("socket") ?? ""
        spoolDirectory = reader.path("spool-directory") ?? ""
        processes = reader.integer("processes")
        threads = reader.integer("threads")
        region = reader.region("region")
        logLevel = reader.word("log-level")
        logFile = reader.path("log-file")
        drainTimeoutMilliseconds = reader.duration("drain-timeout")
        failedAuthenticationsPerMinute = reader.integer("failed-authentications-per-minute")
        pidFile = reader.path("pid-file")
        workerConcurrency = reader.integer("worker-concurrency")
        workerPollIntervalMilliseconds = reader.duration("worker-poll-interval")
        leaseSeconds = reader.integer("lease-seconds")
        abandonedUploadDays = reader.integer("abandoned-upload-days")
        healthCheckIntervalMilliseconds = reader.duration("health-check-interval")
        replicationGraceMilliseconds = reader.duration("replication-grace")
        reconcileIntervalMilliseconds = reader.duration("reconcile-interval")
        reconcileGraceMilliseconds = reader.duration("reconcile-grace")
        lifecycleIntervalMilliseconds = reader.duration("lifecycle-interval")
        scrubMebibytesPerDay = reader.integer("scrub-mib-per-day")
        guard reader.problems.isEmpty else { throw ConfigurationError(reader.problems) }
    }

    private static func existingDefaultFile() -> String? {
        unsafe access(defaultFile, F_OK) == 0 ? defaultFile : nil
    }

    /// This configuration as environment variables: a child that reads no file gets exactly the same one.
    package var environment: [String: String] {
        var variables: [String: String] = [:]
        for setting in settings {
            if let value = setting.value { variables[setting.key.environmentName] = value }
        }
        return variables
    }
}

/// Turns settings into values and collects what is wrong; a bad one reads as an empty value that nobody will see.
private struct SettingReader {
    let settings: [Configuration.Setting]
    var problems: [ConfigurationError.Problem]

    mutating func path(_ name: String) -> String? {
        read(name) { key, text throws(ConfigurationKey.BadValue) in try key.path(text) }
    }

    mutating func database(_ name: String) -> String {
        read(name) { key, text throws(ConfigurationKey.BadValue) in try key.database(text) } ?? ""
    }

    mutating func integer(_ name: String) -> Int {
        read(name) { key, text throws(ConfigurationKey.BadValue) in try key.integer(text) } ?? 0
    }

    mutating func duration(_ name: String) -> Int {
        read(name) { key, text throws(ConfigurationKey.BadValue) in try key.duration(text) } ?? 0
    }

    mutating func word(_ name: String) -> String {
        read(name) { key, text throws(ConfigurationKey.BadValue) in try key.word(text) } ?? ""
    }

    mutating func region(_ name: String) -> String {
        read(name) { key, text throws(ConfigurationKey.BadValue) in try key.region(text) } ?? ""
    }

    private mutating func read<Value>(
        _ name: String, _ parse: (ConfigurationKey, String) throws(ConfigurationKey.BadValue) -> Value
    ) -> Value? {
        guard let setting = settings.first(where: { $0.key.name == name }), let text = setting.value else { return nil }
        do throws(ConfigurationKey.BadValue) { return try parse(setting.key, text) } catch {
            problems.append(.init(at: setting.origin, error.text))
            return nil
        }
    }
}
