import ArgumentParser
import CommandLineSupport
import Core
private import Foundation

/// `s3gw-worker reconcile`.
struct ReconcileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile", abstract: "Compares what backends list with the database, now.",
        discussion: """
            Missing and damaged replicas become jobs. What is ours and unknown to the database is removed when it was \
            seen by two runs, reconcile-grace apart; what is not ours is never touched. s3gw reconcile findings lists \
            all of it. A running worker does the same every reconcile-interval.

            Exit code 0: everything is as it should be. 1: something was found. 3: a backend could not be compared.
            """)

    @Option(help: ArgumentHelp("Only this backend. May be given more than once.", valueName: "name"))
    var backend: [String] = []
    @Option(help: ArgumentHelp("Only this bucket.", valueName: "name")) var bucket: String?
    @Option(help: ArgumentHelp("Whose bucket, where several tenants use one name.", valueName: "name"))
    var tenant: String?
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let configuration = try options.load()
        try WorkerSetup.startLog(configuration)
        let setup = try WorkerSetup(configuration)
        var findings: Int64 = 0
        do throws(S3Error) {
            let id = try bucketID(setup.world)
            let reconciler = Reconciler(world: setup.world, settings: setup.settings.reconcile, stop: setup.stop)
            for live in try Self.backends(backend, setup.world) {
                guard let summary = try reconciler.run(on: live, bucketID: id) else {
                    print("\(live.name): another worker compares it now")
                    continue
                }
                findings += summary.findingCount
                let kinds = summary.findings.sorted { $0.key.rawValue < $1.key.rawValue }
                    .map { "\($0.key.rawValue) \($0.value)" }
                let found = kinds.isEmpty ? "nothing found" : kinds.joined(separator: ", ")
                print("\(live.name): objects \(summary.objects), \(found), repairs \(summary.repairs)")
            }
        } catch {
            throw WorkerSetup.fail(error)
        }
        if findings > 0 { throw ExitCode(1) }
    }

    private func bucketID(_ world: World) throws(S3Error) -> Int64? {
        guard let bucket else { return nil }
        let name = try BucketName(validating: Array(bucket.utf8))
        let (found, owner) = try world.database.read { sql throws(S3Error) in
            (try sql.buckets(named: name), try tenant.flatMap { name throws(S3Error) in try sql.tenant(named: name) })
        }
        let chosen = found.filter { tenant == nil || $0.tenantID == owner?.id }
        guard chosen.count < 2 else {
            throw S3Error(.invalidArgument, cause: "several tenants have a bucket \(bucket): say which with --tenant")
        }
        guard let only = chosen.first else { throw S3Error(.noSuchBucket, cause: "there is no bucket \(bucket)") }
        return only.id
    }

    /// The named backends, or all that can be read.
    static func backends(_ names: [String], _ world: World) throws(S3Error) -> [LiveBackend] {
        let all = try world.snapshot().backends.values.sorted { $0.name < $1.name }
        for name in names where !all.contains(where: { $0.name == name }) {
            throw S3Error(.invalidArgument, cause: "there is no backend \(name)")
        }
        return all.filter { names.isEmpty ? $0.isReadable : names.contains($0.name) }
    }
}

/// `s3gw-worker scrub`.
struct ScrubCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub", abstract: "Reads the content of every replica again, now, to the end of the round.",
        discussion: """
            What does not agree with its checksums becomes a job that repairs it from a good replica: a running worker, \
            or s3gw-worker once, does it. A running worker scrubs by itself, scrub-mib-per-day on each backend.

            Exit code 0: all that was read is right. 1: a bad replica was found. 3: a backend could not be read.
            """)

    @Option(help: ArgumentHelp("Only this backend. May be given more than once.", valueName: "name"))
    var backend: [String] = []
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let configuration = try options.load()
        try WorkerSetup.startLog(configuration)
        let setup = try WorkerSetup(configuration)
        var bad: Int64 = 0
        do throws(S3Error) {
            let scrubber = Scrubber(world: setup.world, settings: setup.settings.scrub, stop: setup.stop)
            for live in try ReconcileCommand.backends(backend, setup.world) {
                guard let summary = try scrubber.run(on: live, ignoringBudget: true) else {
                    print("\(live.name): another worker scrubs it now")
                    continue
                }
                bad += summary.bad
                print("\(live.name): replicas \(summary.replicas), bytes \(summary.bytes), bad \(summary.bad)")
            }
        } catch {
            throw WorkerSetup.fail(error)
        }
        if bad > 0 { throw ExitCode(1) }
    }
}
