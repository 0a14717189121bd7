import ArgumentParser
import Core

/// `s3gw reconcile`: what comparing backends with the database found.
struct ReconcileFindings: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "reconcile", "What comparing the backends with the database found, and when it was done.",
        example: "s3gw reconcile findings", [Findings.self, Status.self])

    func run() throws { throw verbIsMissing("reconcile") }

    struct Findings: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "findings", "List what is not as it should be.",
            """
            missing, size: repaired by a job. orphaned, misplaced, upload, leftover: ours, removed or taken over when seen \
            by two runs, reconcile-grace apart. bucket: a physical bucket of ours without its row: taken back, or removed, \
            likewise. foreign: not ours, never touched. unordered: the store cannot be compared.
            """,
            examples: "s3gw reconcile findings", "s3gw reconcile findings --backend fi --json")

        @Option(help: ArgumentHelp("Only this backend.", valueName: "name")) var backend: String?
        @Option(help: ArgumentHelp("At most this many.", valueName: "number")) var limit = 1000
        @OptionGroup var options: StoreOptions

        func validate() throws {
            guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit is 1 to 1000000.") }
        }

        func run() throws {
            try options.run { store in
                let only = try backend.map { try store.backend($0).id }
                let (found, names, buckets) = try store.read { sql throws(S3Error) in
                    let backends = Dictionary(try sql.backends().map { ($0.id, $0.name) }) { first, _ in first }
                    let owners = Dictionary(try sql.tenants().map { ($0.id, $0.name) }) { first, _ in first }
                    let buckets = Dictionary(
                        try sql.allBuckets().map { ($0.id, (name: $0.name.text, tenant: owners[$0.tenantID])) }
                    ) { first, _ in first }
                    return (try sql.findings(backendID: only, limit: limit), backends, buckets)
                }
                var table = Table("KIND", "BACKEND", "TENANT", "BUCKET", "PHYSICAL KEY", "FIRST SEEN", "RUNS", "DETAIL")
                for finding in found {
                    let bucket = finding.bucketID.flatMap { buckets[$0] }
                    table.add(
                        finding.kind.rawValue, names[finding.backendID] ?? "", bucket?.tenant ?? "",
                        bucket?.name ?? finding.physicalBucket,
                        String(decoding: finding.physicalKey, as: UTF8.self), finding.firstSeen.iso8601,
                        String(finding.runs), finding.detail)
                }
                let json = found.map { finding -> JSONValue in
                    let bucket = finding.bucketID.flatMap { buckets[$0] }
                    return [
                        "kind": .string(finding.kind.rawValue), "backend": .text(names[finding.backendID]),
                        "tenant": .text(bucket?.tenant), "bucket": .text(bucket?.name),
                        "physicalBucket": .string(finding.physicalBucket),
                        "physicalKey": .string(String(decoding: finding.physicalKey, as: UTF8.self)),
                        "versionId": .text(finding.versionID?.description),
                        "sizeBytes": finding.sizeBytes.map(JSONValue.integer) ?? .null,
                        "firstSeen": .string(finding.firstSeen.iso8601), "lastSeen": .string(finding.lastSeen.iso8601),
                        "runs": .integer(finding.runs), "detail": .string(finding.detail),
                    ]
                }
                options.show(.array(json), table.text)
            }
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "status", "Say when each backend was compared and scrubbed, and what came of it.",
            examples: "s3gw reconcile status")

        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let (sweeps, names) = try store.read { sql throws(S3Error) in
                    (
                        try sql.sweeps(),
                        Dictionary(try sql.backends().map { ($0.id, $0.name) }) { first, _ in first }
                    )
                }
                var table = Table("WHAT", "BACKEND", "BEGAN", "ENDED", "LOOKED AT", "FOUND", "FAILURE")
                for sweep in sweeps {
                    table.add(
                        sweep.kind.rawValue, names[sweep.backendID] ?? "", sweep.startedAt.iso8601,
                        sweep.finishedAt?.iso8601 ?? "", String(sweep.looked), String(sweep.found), sweep.failure ?? "")
                }
                let json = sweeps.map { sweep -> JSONValue in
                    [
                        "kind": .string(sweep.kind.rawValue), "backend": .text(names[sweep.backendID]),
                        "startedAt": .string(sweep.startedAt.iso8601), "finishedAt": .text(sweep.finishedAt?.iso8601),
                        "lookedAt": .integer(sweep.looked), "lookedAtBytes": .integer(sweep.lookedBytes),
                        "found": .integer(sweep.found), "failure": .text(sweep.failure),
                    ]
                }
                options.show(.array(json), table.text)
            }
        }
    }
}
