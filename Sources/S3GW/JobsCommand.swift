import ArgumentParser
import Core

/// `s3gw jobs`: what the worker has to do.
struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "jobs", "Work for the worker, and what it gave up.", example: "s3gw jobs list --state dead",
        [List.self, Retry.self, Drop.self])

    func run() throws { throw verbIsMissing("jobs") }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "list", "List jobs, the oldest first.",
            """
            ready: waits for a worker, or for its time. leased: a worker does it now. dead: given up. \
            A move brings a version to BACKEND and ends its replica at FROM.
            """,
            examples: "s3gw jobs list", "s3gw jobs list --state dead --json")

        @Option(help: "ready, leased or dead. Default: all.") var state: JobState?
        @Option(help: ArgumentHelp("At most this many.", valueName: "number")) var limit = 100
        @OptionGroup var options: StoreOptions

        func validate() throws {
            guard (1...100_000).contains(limit) else { throw ValidationError("--limit is 1 to 100000.") }
        }

        func run() throws {
            try options.run { store in
                let shown = try store.read { sql throws(S3Error) in
                    let backends = Dictionary(try sql.backends().map { ($0.id, $0.name) }) { first, _ in first }
                    var shown: [ShownJob] = []
                    for job in try sql.jobs(state: state, limit: limit) {
                        let version = try job.versionID.flatMap { id throws(S3Error) in try sql.version(id: id) }
                        shown.append(
                            ShownJob(
                                job: job, bucket: try sql.bucket(id: job.bucketID)?.name.text, key: version?.key.text,
                                backend: backends[job.backendID],
                                source: job.sourceBackendID.flatMap { backends[$0] }))
                    }
                    return shown
                }
                var table = Table(
                    "ID", "KIND", "STATE", "BACKEND", "FROM", "BUCKET", "KEY", "ATTEMPTS", "DUE", "LAST ERROR")
                for each in shown {
                    table.add(
                        String(each.job.id), each.job.kind.rawValue, each.job.state.rawValue, each.backend ?? "",
                        each.source ?? "", each.bucket ?? "", each.key ?? "", String(each.job.attempts),
                        each.job.notBefore.iso8601,
                        each.job.lastError ?? "")
                }
                options.show(.array(shown.map(\.json)), table.text)
            }
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "retry",
            "Make jobs due now: those named by their ids, or with --all every dead one and every one that failed.",
            examples: "s3gw jobs retry 17 18", "s3gw jobs retry --all")

        @Argument(help: "Ids, as s3gw jobs list shows them.") var ids: [Int64] = []
        @Flag(help: "Every job that is dead, or waits because it failed or its backend is away.") var all = false
        @OptionGroup var options: StoreOptions

        private static let batch = 1000

        func validate() throws {
            guard all != !ids.isEmpty else { throw ValidationError("Name jobs by their ids, or say --all.") }
        }

        func run() throws {
            try options.run { store in
                guard !all else {
                    let count = try reviveAll(store)
                    options.show(["retried": .number(count)], "Retrying \(count) jobs.")
                    return
                }
                try JobsCommand.change(ids, "Retrying", store, options) { sql, id throws(S3Error) in
                    try sql.reviveJob(id: id)
                }
            }
        }

        private func reviveAll(_ store: Store) throws(S3Error) -> Int {
            var count = try hurryAll(store)
            while true {
                let revived = try store.write { sql throws(S3Error) in
                    let dead = try sql.jobs(state: .dead, limit: Self.batch)
                    for job in dead { _ = try sql.reviveJob(id: job.id) }
                    return dead.count
                }
                count += revived
                if revived < Self.batch { return count }
            }
        }

        private func hurryAll(_ store: Store) throws(S3Error) -> Int {
            var count = 0
            var last: Int64 = 0
            while true {
                let after = last
                let page = try store.write { sql throws(S3Error) in
                    let page = try sql.waitingJobs(after: after, limit: Self.batch)
                    for id in page { _ = try sql.reviveJob(id: id) }
                    return page
                }
                count += page.count
                guard page.count == Self.batch, let end = page.last else { return count }
                last = end
            }
        }
    }

    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "drop", "Forget jobs that no worker is doing. What they were for stays undone.",
            examples: "s3gw jobs drop 17")

        @Argument(help: "Ids, as s3gw jobs list shows them.") var ids: [Int64]
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                try JobsCommand.change(ids, "Dropped", store, options) { sql, id throws(S3Error) in
                    try sql.dropJob(id: id)
                }
            }
        }
    }

    private static func change(
        _ ids: [Int64], _ verb: String, _ store: Store, _ options: StoreOptions,
        _ body: (any SQLConnection, Int64) throws(S3Error) -> Bool
    ) throws {
        let missing = try store.write { sql throws(S3Error) in
            var missing: [Int64] = []
            for id in ids where try !body(sql, id) { missing.append(id) }
            return missing
        }
        let done = ids.filter { !missing.contains($0) }
        let list = done.map(String.init).joined(separator: ", ")
        if !done.isEmpty { options.show(["ids": .array(done.map(JSONValue.integer))], "\(verb) \(list).") }
        guard missing.isEmpty else {
            let list = missing.map(String.init).joined(separator: ", ")
            throw Outcome.no("There is no such job, or a worker is doing it: \(list).")
        }
    }
}

extension JobState: ExpressibleByArgument {}

/// One job with the names of what it is about.
private struct ShownJob: Sendable {
    let job: Job
    let bucket: String?
    let key: String?
    let backend: String?
    /// Of a move: where the version is to be no more.
    let source: String?

    var json: JSONValue {
        [
            "id": .integer(job.id), "kind": .string(job.kind.rawValue), "state": .string(job.state.rawValue),
            "backend": .text(backend), "from": .text(source), "bucket": .text(bucket), "key": .text(key),
            "versionId": .text(job.versionID?.description), "attempts": .number(job.attempts),
            "notBefore": .string(job.notBefore.iso8601), "leaseOwner": .text(job.leaseOwner),
            "leaseUntil": .text(job.leaseUntil?.iso8601), "lastError": .text(job.lastError),
            "createdAt": .string(job.createdAt.iso8601),
        ]
    }
}
