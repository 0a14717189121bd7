import ArgumentParser
import Core

/// `s3gw status`: the installation on one screen.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "status", "Show the installation on one screen: database, backends, buckets and jobs.",
        "With --probe the backends are asked now, and exit code 1 says that one is not well.",
        examples: "s3gw status", "s3gw status --probe --json")

    @Flag(help: "Ask every backend now.") var probe = false
    @OptionGroup var options: StoreOptions

    func run() throws {
        try options.run { store in
            let seen = try store.read { sql throws(S3Error) in
                Seen(
                    generation: try sql.configurationGeneration(), tenants: try sql.tenants().count,
                    buckets: try sql.allBuckets().count, backends: try sql.backends(), jobs: try sql.jobCounts(),
                    health: Dictionary(try sql.backendHealth().map { ($0.backendID, $0) }) { first, _ in first })
            }
            let probes = probe ? seen.backends.map { BackendProbe.run($0, masterKeys: store.masterKeys) } : []
            options.show(seen.json(store.configuration, probes), seen.text(store.configuration, probes))
            let sick = zip(seen.backends, probes).filter { $0.1.problem != nil }.map(\.0.name)
            guard sick.isEmpty else { throw Outcome.no("Not well: \(sick.joined(separator: ", ")).") }
        }
    }
}

private struct Seen: Sendable {
    let generation: Int64
    let tenants: Int
    let buckets: Int
    let backends: [BackendRecord]
    let jobs: [(kind: JobKind, state: JobState, count: Int, oldest: Timestamp?)]
    let health: [Int64: BackendHealth]

    func json(_ configuration: Configuration, _ probes: [BackendProbe]) -> JSONValue {
        let shown = backends.enumerated().map { index, backend -> JSONValue in
            [
                "name": .string(backend.name), "state": .string(backend.state.rawValue),
                "region": .string(backend.location.region), "country": .text(backend.location.country),
                "isHealthy": probes.isEmpty ? .null : .boolean(probes[index].problem == nil),
                "problem": probes.isEmpty ? .null : .text(probes[index].problem),
                "health": health[backend.id]?.json ?? .null,
            ]
        }
        let counts = jobs.map { row -> JSONValue in
            [
                "kind": .string(row.kind.rawValue), "state": .string(row.state.rawValue), "count": .number(row.count),
                "oldest": .text(row.oldest?.iso8601),
            ]
        }
        return [
            "database": .string(configuration.databasePath), "generation": .integer(generation),
            "tenants": .number(tenants), "buckets": .number(buckets), "backends": .array(shown), "jobs": .array(counts),
        ]
    }

    func text(_ configuration: Configuration, _ probes: [BackendProbe]) -> String {
        let summary = Table.fields([
            ("database", configuration.databasePath), ("tenants", String(tenants)), ("buckets", String(buckets)),
        ])
        var table = Table("BACKEND", "STATE", "REGION", "COUNTRY", "HEALTH", probes.isEmpty ? "LAST SEEN AS" : "ANSWER")
        for (index, backend) in backends.enumerated() {
            let answer = probes.isEmpty ? backend.lastSeenAs : probes[index].problem ?? "well"
            table.add(
                backend.name, backend.state.rawValue, backend.location.region, backend.location.country ?? "",
                health[backend.id]?.words() ?? "", answer)
        }
        var work = Table("JOBS", "STATE", "COUNT", "OLDEST")
        for row in jobs {
            work.add(row.kind.rawValue, row.state.rawValue, String(row.count), row.oldest?.iso8601 ?? "")
        }
        let parts = [summary, backends.isEmpty ? "No backend yet." : table.text, jobs.isEmpty ? "No jobs." : work.text]
        return parts.joined(separator: "\n\n")
    }
}

extension BackendRecord {
    /// The kind of store that the last probe found.
    fileprivate var lastSeenAs: String {
        guard case .object = json["abilities"], case .string(let server) = json["abilities"]?["server"] else {
            return "never probed"
        }
        return server
    }
}
