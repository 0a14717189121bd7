import Foundation
import Testing

@testable import Core

@Suite struct ConfigurationTests {
    /// Writes `text` to a file of its own and loads it, with nothing from outside.
    private func load(
        _ text: String, environment: [String: String] = [:], overrides: [String: String] = [:]
    ) throws -> Configuration {
        let path = FileManager.default.temporaryDirectory.path + "/s3gw-test-\(UUID().uuidString).conf"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        defer { unsafe unlink(path) }
        return try Configuration.load(file: path, environment: environment, overrides: overrides)
    }

    /// The problems of a configuration that must be refused, as `LINE: TEXT`.
    private func problems(_ text: String, environment: [String: String] = [:]) throws -> [String] {
        do {
            _ = try load(text, environment: environment)
            return []
        } catch let error as ConfigurationError {
            return error.problems.map { problem in
                let line =
                    problem.place.contains(".conf:")
                    ? String(problem.place.split(separator: ":").last ?? "") : problem.place
                return "\(line): \(problem.text)"
            }
        }
    }

    @Test func `a flag wins over the environment, that over the file, that over the default`() throws {
        let text = "processes = 3\nthreads = 5 # comment\n# another\n\nregion=eu-north-1\r\n"
        let configuration = try load(
            text, environment: ["S3GW_THREADS": "6", "S3GW_PROCESSES": "7"], overrides: ["processes": "8"])
        #expect(configuration.processes == 8)
        #expect(configuration.threads == 6)
        #expect(configuration.region == "eu-north-1")
        #expect(configuration.socketPath == "/run/s3gw/s3gw.sock")
        #expect(configuration.settings.first { $0.key.name == "region" }?.origin.hasSuffix(".conf:5") == true)
    }

    @Test(arguments: [
        ("thread = 5", "1: unknown key thread; the nearest known key is threads"),
        ("\n\nspool-dir = /tmp", "3: unknown key spool-dir; the nearest known key is spool-directory"),
        ("sockit = /x", "1: unknown key sockit; the nearest known key is socket"),
        ("Threads = 5", "1: unknown key Threads; the nearest known key is threads"),
        ("threads 5", "1: this line is not `key = value`"),
        ("threads = 5\nthreads = 6", "2: threads was already set on line 1; keep one of the two"),
        ("threads = 0", "1: bad value for threads; allowed: a whole number from 1 to 1024"),
        ("threads = +5", "1: bad value for threads; allowed: a whole number from 1 to 1024"),
        ("threads = 99999999999999999999", "1: bad value for threads; allowed: a whole number from 1 to 1024"),
        (
            "log-level = loud",
            "1: bad value for log-level; allowed: trace, debug, info, notice, warning, error, critical"
        ),
        ("pid-file = run/x", "1: bad value for pid-file; allowed: an absolute path of at most 4095 bytes"),
        ("pid-file = /run/../x", "1: bad value for pid-file; allowed: an absolute path of at most 4095 bytes"),
        ("region = Helsinki", "1: bad value for region; allowed: 1 to 64 of a-z, 0-9 and -"),
        ("database = postgresql://h/db", "1: PostgreSQL is not supported yet; use a path or sqlite:PATH"),
        (
            "drain-timeout = 10x",
            "1: bad value for drain-timeout; allowed: a time from 1s to 24h, such as 500ms, 2s, 1m or 1h"
        ),
        (
            "drain-timeout = 500ms",
            "1: bad value for drain-timeout; allowed: a time from 1s to 24h, such as 500ms, 2s, 1m or 1h"
        ),
    ])
    func `a bad line is refused with its number and the remedy`(text: String, expected: String) throws {
        #expect(try problems(text) == [expected])
    }

    @Test func `all problems are told at once`() throws {
        #expect(try problems("threads = x\nnonsense\n", environment: ["S3GW_PROCESSES": "many"]).count == 3)
    }

    @Test func `a socket path must fit a unix socket address`() throws {
        #expect(try load("socket = /\(String(repeating: "a", count: 106))").socketPath.utf8.count == 107)
        #expect(try problems("socket = /\(String(repeating: "a", count: 107))").count == 1)
    }

    @Test(arguments: ["/var/x.db", "sqlite:/var/x.db", "sqlite:///var/x.db"])
    func `the database is a path, with or without a scheme`(value: String) throws {
        #expect(try load("database = \(value)").databasePath == "/var/x.db")
    }

    @Test(arguments: [("2", 2000), ("2s", 2000), ("250ms", 250), ("3m", 180_000), ("1h", 3_600_000)])
    func `a time has a unit or is in seconds`(value: String, milliseconds: Int) throws {
        #expect(try load("worker-poll-interval = \(value)").workerPollIntervalMilliseconds == milliseconds)
    }

    @Test func `a file that is missing is a problem, not a default`() {
        #expect(throws: ConfigurationError.self) {
            try Configuration.load(file: "/nonexistent/s3gw.conf", environment: [:], overrides: [:])
        }
        #expect(throws: ConfigurationError.self) {
            try Configuration.load(file: nil, environment: ["S3GW_CONFIG": "/nonexistent/s3gw.conf"], overrides: [:])
        }
    }

    @Test func `a child that gets the environment of a configuration has the same one`() throws {
        let parent = try load("threads = 9\nlog-file = /tmp/x.log\nworker-poll-interval = 50ms")
        let child = try Configuration.load(file: "/dev/null", environment: parent.environment, overrides: [:])
        #expect(child.settings.map(\.value) == parent.settings.map(\.value))
    }

    @Test func `missing directories are found before a process starts`() throws {
        let configuration = try load("database = /tmp/x.db\nspool-directory = /nonexistent/spool")
        #expect(
            configuration.problemsOnDisk().map(\.text).joined().contains("the directory /nonexistent/spool is missing"))
    }

    @Test func `the table in the documentation is the table in the code`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../..")
        let page = try String(contentsOf: root.appendingPathComponent("docs/configuration.md"), encoding: .utf8)
        #expect(page.contains(ConfigurationKey.markdown))
    }
}
