/// One thing an operator can set about a process: a line of the configuration file, an environment variable and a flag.
///
/// The one table `all` drives parsing, `--help`, `check-config` and docs/configuration.md.
package struct ConfigurationKey: Sendable {
    /// What values a key takes.
    package enum Kind: Sendable {
        /// An absolute path of at most `maximumBytes` bytes.
        case path(maximumBytes: Int)
        /// The database: an absolute path, or `sqlite:` and one.
        case database
        /// A whole number.
        case integer(ClosedRange<Int>)
        /// A time: a whole number with `ms`, `s`, `m` or `h`; without a unit it is seconds. The range is milliseconds.
        case duration(milliseconds: ClosedRange<Int>)
        /// One of a few words.
        case word([String])
        /// A region name: 1 to 64 of `a-z`, `0-9` and `-`.
        case region
    }

    package let name: String
    package let kind: Kind
    /// As an operator would write it; nil when the key may stay unset.
    package let defaultValue: String?
    /// One line, for people.
    package let help: String

    /// The longest path Linux takes (`PATH_MAX`, with its NUL).
    private static let maximumPathBytes = 4095
    /// The longest name of a unix socket (`sun_path` is 108 bytes, with its NUL).
    private static let maximumSocketPathBytes = 107

    package static let all: [ConfigurationKey] = [
        Self(
            name: "database", kind: .database, defaultValue: "/var/lib/s3gw/s3gw.db",
            help: "The SQLite file that holds tenants, names, versions and jobs."),
        Self(
            name: "master-key-file", kind: .path(maximumBytes: maximumPathBytes), defaultValue: "/etc/s3gw/master.key",
            help: "The file with the key that seals secrets in the database."),
        Self(
            name: "socket", kind: .path(maximumBytes: maximumSocketPathBytes), defaultValue: "/run/s3gw/s3gw.sock",
            help: "The unix socket nginx connects to; not used when the socket is given on descriptor 0."),
        Self(
            name: "spool-directory", kind: .path(maximumBytes: maximumPathBytes), defaultValue: "/var/lib/s3gw/spool",
            help: "Where request bodies are kept that nginx did not put in a file."),
        Self(
            name: "processes", kind: .integer(1...256), defaultValue: "2",
            help: "Request processes in the pool; one for each CPU is a good number."),
        Self(
            name: "threads", kind: .integer(1...1024), defaultValue: "32",
            help: "Requests that one process answers at the same time."),
        Self(
            name: "region", kind: .region, defaultValue: "us-east-1",
            help: "The region of sites for which nginx names none (S3GW_REGION)."),
        Self(
            name: "log-level", kind: .word(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
            defaultValue: "info", help: "The least important event that is logged."),
        Self(
            name: "log-file", kind: .path(maximumBytes: maximumPathBytes), defaultValue: nil,
            help: "Where the log goes, opened again on USR1; standard error when unset."),
        Self(
            name: "drain-timeout", kind: .duration(milliseconds: 1000...86_400_000), defaultValue: "60s",
            help: "How long a process that stops may finish the requests it has."),
        Self(
            name: "failed-authentications-per-minute", kind: .integer(0...1_000_000), defaultValue: "1000",
            help:
                "How many failures of one address, or with one key, a process answers and logs one by one; 0 is no limit."
        ),
        Self(
            name: "pid-file", kind: .path(maximumBytes: maximumPathBytes), defaultValue: nil,
            help: "Where the pool master writes its process id."),
        Self(
            name: "worker-concurrency", kind: .integer(1...256), defaultValue: "4",
            help: "Jobs that one s3gw-worker does at the same time."),
        Self(
            name: "worker-poll-interval", kind: .duration(milliseconds: 10...3_600_000), defaultValue: "1s",
            help: "How long an idle s3gw-worker waits before it looks for jobs again."),
        Self(
            name: "lease-seconds", kind: .integer(5...86_400), defaultValue: "60",
            help:
                "How long a job belongs to the worker that claimed it unless it renews the claim; all workers need the same."
        ),
        Self(
            name: "abandoned-upload-days", kind: .integer(1...3650), defaultValue: "7",
            help: "The age at which s3gw-worker ends a multipart upload that was never completed."),
        Self(
            name: "health-check-interval", kind: .duration(milliseconds: 500...3_600_000), defaultValue: "10s",
            help: "How often s3gw-worker asks every backend whether it is well."),
        Self(
            name: "replication-grace", kind: .duration(milliseconds: 0...2_592_000_000), defaultValue: "15m",
            help: "How long a backend may be unhealthy before s3gw-worker makes its replicas elsewhere."),
        Self(
            name: "reconcile-interval", kind: .duration(milliseconds: 1000...31_536_000_000), defaultValue: "24h",
            help: "How often s3gw-worker compares what each backend lists with the database."),
        Self(
            name: "reconcile-grace", kind: .duration(milliseconds: 0...31_536_000_000), defaultValue: "24h",
            help: "How long an object of ours that nothing speaks of stays before s3gw-worker removes it."),
        Self(
            name: "lifecycle-interval", kind: .duration(milliseconds: 0...31_536_000_000), defaultValue: "24h",
            help: "How often s3gw-worker looks through the buckets that have lifecycle rules; 0 begins anew at once."),
        Self(
            name: "scrub-mib-per-day", kind: .integer(0...1_000_000_000), defaultValue: "10240",
            help: "MiB of content that s3gw-worker reads again each day on each backend; 0 reads nothing."),
    ]

    package static func named(_ name: String) -> ConfigurationKey? { all.first { $0.name == name } }

    /// The environment variable: `S3GW_` and the name in upper case, with `_` for `-`.
    package var environmentName: String {
        let letters = name.utf8.map { byte -> UInt8 in
            byte == UInt8(ascii: "-") ? UInt8(ascii: "_") : byte & 0xDF
        }
        return "S3GW_" + String(decoding: letters, as: UTF8.self)
    }

    /// What a value may be, in words that fit behind "allowed:".
    package var allowed: String {
        switch kind {
        case .path(let maximumBytes): "an absolute path of at most \(maximumBytes) bytes"
        case .database: "an absolute path, or sqlite: and an absolute path"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .duration(let range):
            "a time from \(Self.text(milliseconds: range.lowerBound)) to \(Self.text(milliseconds: range.upperBound)),"
                + " such as 500ms, 2s, 1m or 1h"
        case .word(let words): words.joined(separator: ", ")
        case .region: "1 to 64 of a-z, 0-9 and -"
        }
    }

    /// A placeholder for help texts.
    package var valueName: String {
        switch kind {
        case .path, .database: "path"
        case .integer: "number"
        case .duration: "time"
        case .word: "word"
        case .region: "region"
        }
    }

    /// The help line with what is allowed and the default.
    package var fullHelp: String { "\(help) Allowed: \(allowed). Default: \(defaultValue ?? "unset")." }

    /// The table as Markdown, for docs/configuration.md.
    package static var markdown: String {
        var lines = ["| Key | Default | Allowed | Meaning |", "|---|---|---|---|"]
        for key in all {
            lines.append(
                "| `\(key.name)` | \(key.defaultValue.map { "`\($0)`" } ?? "unset") | \(key.allowed) | \(key.help) |")
        }
        return lines.joined(separator: "\n")
    }

    private static func text(milliseconds: Int) -> String {
        switch milliseconds {
        case let time where time % 3_600_000 == 0: "\(time / 3_600_000)h"
        case let time where time % 60_000 == 0: "\(time / 60_000)m"
        case let time where time % 1000 == 0: "\(time / 1000)s"
        default: "\(milliseconds)ms"
        }
    }
}
