import ArgumentParser
import Core

/// `s3gw replication`: how far the copies are.
struct ReplicationCommand: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "replication", "How far the worker is with the replicas that policy wants.",
        example: "s3gw replication status", [Status.self])

    func run() throws { throw verbIsMissing("replication") }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "status", "Show on one screen what is behind, per backend, and when it will be done.",
            """
            behind: replicas still to be made; moving: of them, those that take the place of replicas elsewhere. rate: what became present in the last ten minutes. Exit code 1 when there are dead \
            letters.
            """,
            examples: "s3gw replication status", "s3gw replication status --json")

        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let (status, names) = try store.read { sql throws(S3Error) in
                    let buckets = try sql.allBuckets().map { ($0.id, $0.name.text) }
                    return (try ReplicationStatus(sql), Dictionary(buckets) { first, _ in first })
                }
                options.show(Self.json(status, names), Self.text(status, names))
                guard status.deadJobs == 0 else {
                    throw Outcome.no("\(status.deadJobs) dead letters: s3gw jobs list --state dead.")
                }
            }
        }

        private static func json(_ status: ReplicationStatus, _ names: [Int64: String]) -> JSONValue {
            let backends = status.backends.map { part -> JSONValue in
                [
                    "name": .string(part.record.name), "state": .string(part.record.state.rawValue),
                    "isHealthy": part.health?.checkedAt == nil ? .null : .boolean(part.health?.isHealthy ?? false),
                    "unhealthySince": .text(part.health?.unhealthySince?.iso8601),
                    "failure": .text(part.health?.failure), "openBreakers": .number(part.health?.openBreakers ?? 0),
                    "versionsBehind": .integer(part.behind.replicas), "bytesBehind": .integer(part.behind.bytes),
                    "versionsMoving": .integer(part.moving),
                    "versionsToRemove": .integer(part.removing.replicas),
                    "bytesToRemove": .integer(part.removing.bytes), "oldest": .text(part.oldest?.iso8601),
                    "versionsLately": .integer(part.lately.replicas), "bytesLately": .integer(part.lately.bytes),
                    "latelyMinutes": .integer(ReplicationStatus.rateMinutes),
                    "secondsLeft": part.secondsLeft.map(JSONValue.integer) ?? .null,
                    "deadJobs": .integer(part.deadJobs),
                ]
            }
            let replans = status.replans.map { replan -> JSONValue in
                [
                    "bucket": .text(names[replan.bucketID]), "askedAt": .string(replan.askedAt.iso8601),
                    "versionsLookedAt": .integer(replan.looked),
                ]
            }
            return [
                "versionsBehind": .integer(status.versionsBehind), "copiesBehind": .integer(status.behind.replicas),
                "bytesBehind": .integer(status.behind.bytes), "oldest": .text(status.oldest?.iso8601),
                "secondsLeft": status.secondsLeft.map(JSONValue.integer) ?? .null,
                "deadJobs": .integer(status.deadJobs), "backends": .array(backends), "replans": .array(replans),
            ]
        }

        private static func text(_ status: ReplicationStatus, _ names: [Int64: String]) -> String {
            let behind = status.behind
            let summary = Table.fields([
                (
                    "behind",
                    behind.replicas == 0
                        ? "nothing"
                        : "\(status.versionsBehind) versions, \(behind.replicas) copies of \(behind.bytes) bytes"
                ), ("oldest", status.oldest?.iso8601), ("done in", status.secondsLeft.map(Words.duration)),
                ("dead letters", String(status.deadJobs)),
                (
                    "looking again at",
                    status.replans.isEmpty
                        ? nil
                        : status.replans.map { "\(names[$0.bucketID] ?? "") (\($0.looked) seen)" }
                            .joined(separator: ", ")
                ),
            ])
            var table = Table(
                "BACKEND", "STATE", "HEALTH", "BEHIND", "BYTES", "MOVING", "OLDEST", "LAST 10 MIN", "DONE IN",
                "TO REMOVE",
                "DEAD")
            for part in status.backends {
                table.add(
                    part.record.name, part.record.state.rawValue, health(part.health), String(part.behind.replicas),
                    String(part.behind.bytes), String(part.moving), part.oldest?.iso8601 ?? "",
                    String(part.lately.replicas),
                    part.secondsLeft.map(Words.duration) ?? "", String(part.removing.replicas), String(part.deadJobs))
            }
            return summary + "\n\n" + table.text
        }

        private static func health(_ health: BackendHealth?) -> String {
            guard let health, health.checkedAt != nil || health.processes > 0 else { return "not known" }
            if let since = health.unhealthySince { return "sick since \(since.iso8601)" }
            return health.openBreakers > 0 ? "\(health.openBreakers) of \(health.processes) avoid it" : "well"
        }
    }
}
