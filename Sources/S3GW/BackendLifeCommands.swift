import ArgumentParser
import Core
import Foundation

/// `s3gw backend drain`: moves everything off a backend.
struct BackendDrain: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "drain", "Move everything off a backend, so that it can be removed.",
        """
        It is asked first whether that can end: when a policy could not be kept without the backend, the buckets and rules are \
        named and nothing is changed (exit code 1; --anyway moves what can be moved). New bytes go elsewhere at once, the worker \
        moves the rest, and reads go on. Multipart uploads that run there go on, too, and have to end before the backend is \
        empty: by their clients, by age, or with --end-uploads at once. --watch shows what is left until nothing is. Again \
        with a backend that is being drained: only shows, and exit code 1 while it cannot end. To take it back: \
        s3gw backend activate NAME.
        """,
        examples: "s3gw backend drain fi", "s3gw backend drain fi --watch", "s3gw backend drain fi --anyway --json")

    @Argument var name: String
    @Flag(help: "Begin although some buckets cannot do without it.") var anyway = false
    @Flag(help: "End the multipart uploads that run there: their clients have to begin anew.") var endUploads = false
    @Flag(help: "Show what is left, until nothing is.") var watch = false
    @Option(help: ArgumentHelp("With --watch: how often to look.", valueName: "seconds")) var interval = 5
    @OptionGroup var options: StoreOptions

    func validate() throws {
        guard (1...3600).contains(interval) else { throw ValidationError("--interval is 1 to 3600.") }
        guard !(watch && options.json) else { throw ValidationError("--watch is for people; ask again for --json.") }
    }

    func run() throws {
        try options.run { store in
            let backend = try store.backend(name)
            guard backend.state != .lost else { throw Outcome.no("\(name) is lost: there is nothing to drain.") }
            let isDraining = backend.state == .draining
            let report = try EffectReport.asIfWell(backend.id, store)
            guard report.broken.isEmpty || anyway || isDraining else {
                options.showRefusal(of: backend, report)
                throw Outcome.no(
                    """
                    This drain could never finish:
                    \(report.refusal)
                    Nothing was changed. Add a backend that these policies allow, or change them; --anyway moves what can be moved.
                    """)
            }
            if !isDraining {
                try store.write { sql throws(S3Error) in try sql.beginDrain(backendID: backend.id, at: .now()) }
            }
            if endUploads {
                try store.write { sql throws(S3Error) in
                    _ = try sql.endUploads(runningOn: backend.id, at: .now())
                }
            }
            let progress = try DrainProgress(backend.id, store, canEnd: report.broken.isEmpty)
            options.show(
                .object(
                    [.init("name", .string(name)), .init("state", "draining"), .init("drain", progress.json)]
                        + report.members), "Draining \(name): \(progress.text)")
            guard report.broken.isEmpty else { throw Outcome.no("This drain cannot finish:\n\(report.refusal)") }
            if watch { try follow(backend.id, store) }
        }
    }

    private func follow(_ id: Int64, _ store: Store) throws {
        while true {
            let progress = try DrainProgress(id, store)
            if progress.holding.isEmpty {
                options.show(.null, "\(name) is empty: s3gw backend remove \(name)")
                return
            }
            guard try store.backend(name).state == .draining else {
                throw Outcome.no("\(name) is not being drained any more.")
            }
            sleep(UInt32(interval))
            let later = try DrainProgress(id, store)
            options.show(.null, "\(Timestamp.now().iso8601) \(later.text)")
        }
    }
}

extension StoreOptions {
    /// With `--json`: the backend as it stays, and the buckets that cannot do without it.
    fileprivate func showRefusal(of backend: BackendRecord, _ report: EffectReport) {
        guard json else { return }
        show(
            .object(
                [.init("name", .string(backend.name)), .init("state", .string(backend.state.rawValue))]
                    + report.members), "")
    }
}

/// How far a drain is.
struct DrainProgress {
    let holding: BackendHolding
    private let start: DrainStart?
    private let now = Timestamp.now()

    /// What a policy keeps there, or was lost with the backend, leaves by no time that could be told.
    private let canEnd: Bool

    init(_ backendID: Int64, _ store: Store, canEnd: Bool = true) throws(S3Error) {
        self.canEnd = canEnd
        (holding, start) = try store.read { sql throws(S3Error) in
            (try sql.holding(of: backendID), try sql.drainStart(backendID: backendID))
        }
    }

    /// Replicas and bytes a second since the beginning; nil before anything moved.
    private var rate: (replicas: Double, bytes: Double)? {
        guard canEnd, let start, start.sum.replicas > holding.all.replicas, now > start.at else { return nil }
        let seconds = Double(now.milliseconds - start.at.milliseconds) / 1000
        return (
            Double(start.sum.replicas - holding.all.replicas) / seconds,
            Double(max(0, start.sum.bytes - holding.all.bytes)) / seconds
        )
    }

    private var secondsLeft: Int64? {
        guard let rate, holding.all.replicas > 0 else { return nil }
        let byBytes = rate.bytes > 0 ? Double(holding.all.bytes) / rate.bytes : 0
        return Int64(max(Double(holding.all.replicas) / rate.replicas, byBytes).rounded(.up))
    }

    var json: JSONValue {
        [
            "startedAt": .text(start?.at.iso8601), "versionsAtStart": start.map { .integer($0.sum.replicas) } ?? .null,
            "bytesAtStart": start.map { .integer($0.sum.bytes) } ?? .null,
            "versionsLeft": .integer(holding.all.replicas), "bytesLeft": .integer(holding.all.bytes),
            "uploadsLeft": .integer(holding.uploads), "bucketsLeft": .integer(holding.buckets),
            "jobsLeft": .integer(holding.jobs),
            "bytesPerSecond": rate.map { .integer(Int64($0.bytes)) } ?? .null,
            "versionsPerSecond": rate.map { .decimal(String(($0.replicas * 100).rounded() / 100)) } ?? .null,
            "secondsLeft": secondsLeft.map(JSONValue.integer) ?? .null, "isEmpty": .boolean(holding.isEmpty),
        ]
    }

    var text: String {
        var parts = ["\(holding.all.replicas) versions (\(holding.all.bytes) bytes) left"]
        if holding.uploads > 0 { parts.append("\(holding.uploads) uploads") }
        if holding.buckets > 0 { parts.append("\(holding.buckets) buckets") }
        if holding.jobs > 0 { parts.append("\(holding.jobs) jobs") }
        if let rate { parts.append("\(Int64(rate.bytes)) bytes/s") }
        parts.append(
            secondsLeft.map { "about \(Words.duration($0)) to go" } ?? (holding.isEmpty ? "done" : "no estimate yet"))
        return parts.joined(separator: ", ")
    }
}

/// `s3gw backend activate`: brings a backend back.
struct BackendActivate: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "activate", "Bring a backend back, from whatever state: it is read and written again.",
        """
        What was moved off stays where it is now. What a lost backend still holds counts again where its rows are left; the rest is \
        found, and removed, by s3gw-worker reconcile.
        """, examples: "s3gw backend activate fi")

    @Argument var name: String
    @OptionGroup var options: StoreOptions

    func run() throws {
        try options.run { store in
            var backend = try store.backend(name)
            let before = backend.state
            try store.write { sql throws(S3Error) in try sql.setBackend(id: backend.id, state: .active) }
            backend.state = .active
            let hint = before == .lost ? " Let s3gw-worker reconcile find what is left on it." : ""
            options.show(backend.json, "Backend \(name) is active, was \(before.rawValue).\(hint)")
        }
    }
}

/// `s3gw backend lost`: gives a backend up.
struct BackendLost: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "lost", "Give a backend up for good: its replicas count as gone and are made elsewhere from the others.",
        """
        Nothing is read from it or asked of it any more. Multipart uploads that have their parts nowhere else end (NoSuchUpload). Versions whose only replica was there are counted and listed, and exit code 1 \
        says that there are some, or that a policy cannot be kept without the backend. Their rows stay: should the backend come \
        back against expectation, s3gw backend activate NAME makes them readable again.
        """,
        examples: "s3gw backend lost fi", "s3gw backend lost fi --list 100000 --json > gone.json")

    @Argument var name: String
    @Option(help: ArgumentHelp("List at most this many versions that have no other replica.", valueName: "number"))
    var list = 1000
    @OptionGroup var options: StoreOptions

    func validate() throws {
        guard (0...10_000_000).contains(list) else { throw ValidationError("--list is 0 to 10000000.") }
    }

    func run() throws {
        try options.run { store in
            let backend = try store.backend(name)
            let report = try EffectReport.asIfWell(backend.id, store)
            try store.write { sql throws(S3Error) in try sql.setBackend(id: backend.id, state: .lost) }
            let (count, only) = try onlyCopies(backend.id, store)
            let value = JSONValue.object(
                [
                    .init("name", .string(name)), .init("state", "lost"),
                    .init("versionsWithoutReplica", .integer(count.replicas)),
                    .init("bytesWithoutReplica", .integer(count.bytes)), .init("versions", .array(only.map(\.json))),
                ] + report.members)
            options.show(value, text(count, only, report))
            var refusals: [String] = []
            if count.replicas > 0 { refusals.append("\(count.replicas) versions had their only replica on \(name).") }
            if !report.broken.isEmpty { refusals.append("These cannot have all their replicas:\n\(report.refusal)") }
            guard refusals.isEmpty else { throw Outcome.no(refusals.joined(separator: "\n")) }
        }
    }

    private struct Lost: Sendable {
        let bucket: String
        let tenant: String
        let key: String
        let version: VersionID
        let sizeBytes: Int64

        var json: JSONValue {
            [
                "bucket": .string(bucket), "tenant": .string(tenant), "key": .string(key),
                "versionId": .string(version.description), "sizeBytes": .integer(sizeBytes),
            ]
        }
    }

    private static let batch = 1000

    private func onlyCopies(_ id: Int64, _ store: Store) throws(S3Error) -> (ReplicaSum, [Lost]) {
        let (count, buckets, tenants) = try store.read { sql throws(S3Error) in
            (try sql.countOnlyCopies(on: id), try sql.allBuckets(), try sql.tenants())
        }
        let owners = Dictionary(tenants.map { ($0.id, $0.name) }) { first, _ in first }
        let names = Dictionary(buckets.map { ($0.id, ($0.name.text, owners[$0.tenantID] ?? "")) }) { first, _ in first }
        var found: [Lost] = []
        var last: Int64 = 0
        while found.count < list {
            let after = last
            let page = try store.read { sql throws(S3Error) in
                try sql.onlyCopies(on: id, after: after, limit: min(Self.batch, list - found.count))
            }
            guard let end = page.last else { break }
            last = end.sequence
            for row in page {
                let (bucket, tenant) = names[row.bucketID] ?? ("", "")
                found.append(
                    Lost(bucket: bucket, tenant: tenant, key: row.key.text, version: row.id, sizeBytes: row.sizeBytes))
            }
        }
        return (count, found)
    }

    private func text(_ count: ReplicaSum, _ only: [Lost], _ report: EffectReport) -> String {
        var parts = [
            "Backend \(name) is lost. \(report.copies.replicas) copies of \(report.copies.bytes) bytes are made elsewhere."
        ]
        if count.replicas > 0 {
            var table = Table("BUCKET", "TENANT", "KEY", "VERSION", "BYTES")
            for each in only {
                table.add(each.bucket, each.tenant, each.key, each.version.description, String(each.sizeBytes))
            }
            let rest = count.replicas - Int64(only.count)
            parts.append(
                "WITHOUT ANY REPLICA NOW: \(count.replicas) versions, \(count.bytes) bytes:\n" + table.text
                    + (rest > 0 ? "\nand \(rest) more (--list)" : ""))
        }
        return parts.joined(separator: "\n\n")
    }
}

/// `s3gw backend remove`: forgets an empty backend.
struct BackendRemove: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "remove", "Forget a backend that is empty, or lost and without the only replica of anything.",
        """
        Refused while versions, uploads, buckets or jobs are there (drain it first), and while a bucket's policy could not be \
        kept without it: the buckets and rules are named; --anyway removes it nevertheless.
        """, examples: "s3gw backend remove fi", "s3gw backend remove fi --anyway")

    @Argument var name: String
    @Flag(help: "Remove it although some policies cannot be kept without it.") var anyway = false
    @OptionGroup var options: StoreOptions

    func run() throws {
        try options.run { store in
            let backend = try store.backend(name)
            let holding = try store.read { sql throws(S3Error) in try sql.holding(of: backend.id) }
            if holding.all.replicas > 0 {
                let words = "\(holding.all.replicas) replicas of \(holding.all.bytes) bytes"
                let hint =
                    backend.state == .lost
                    ? "those that have no other replica stay until their objects are deleted"
                    : "s3gw backend drain \(name) moves them off"
                throw Outcome.no("\(name) still holds \(words); \(hint).")
            }
            let report = try EffectReport.asIfWell(backend.id, store)
            guard report.broken.isEmpty || anyway else {
                options.showRefusal(of: backend, report)
                throw Outcome.no(
                    "Without \(name) these policies cannot be kept; --anyway removes it nevertheless:\n\(report.refusal)"
                )
            }
            try store.write { sql throws(S3Error) in try sql.deleteBackend(id: backend.id) }
            options.show(backend.json, "Removed backend \(name).")
        }
    }
}
