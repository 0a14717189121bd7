import Logging

/// Compares what backends list with what the database says is there, and has what differs repaired by jobs.
///
/// A merge of two sorted sequences, a page of each in memory. What is only in the database is looked at again one by one,
/// because a listing is older than the rows it is compared with; what is only on the backend is left alone until it was
/// seen in two runs, `grace` apart, and nothing is under way that may still speak of it.
package final class Reconciler {
    package struct Settings: Sendable {
        /// How long something unknown must have been there before it is removed.
        package var graceMilliseconds: Int64
        /// Between two runs of the service.
        package var intervalMilliseconds: Int64
        package var owner: String

        package init(graceMilliseconds: Int64, intervalMilliseconds: Int64, owner: String) {
            self.graceMilliseconds = graceMilliseconds
            self.intervalMilliseconds = intervalMilliseconds
            self.owner = owner
        }
    }

    /// What one run over one backend came to.
    package struct Summary: Sendable, Equatable {
        package var objects: Int64 = 0
        package var rows: Int64 = 0
        package var findings: [FindingKind: Int64] = [:]
        /// Jobs that were asked for.
        package var repairs: Int64 = 0

        package var findingCount: Int64 { findings.values.reduce(0, +) }
    }

    let world: World
    let settings: Settings
    let stop: StopSignal
    let log = Logger(label: "s3gw.worker")

    /// A run's claim on a backend; renewed with each page.
    static let leaseSeconds: Int64 = 300
    static let rowPageSize = 1000
    /// Unknown objects looked at together, and at once.
    static let suspectBatch = 64
    static let suspectConcurrency = 8
    private static let smallPage = 1000
    /// A directory is read whole for each page: fewer pages, less reading.
    ///
    /// About 10 MiB.
    private static let filePage = 50_000
    private static let uploadPage = 1000

    package init(world: World, settings: Settings, stop: StopSignal) {
        self.world = world
        self.settings = settings
        self.stop = stop
    }

    /// Compares one backend, or one bucket on it; nil when another worker is at it.
    ///
    /// Throws when the backend cannot be listed; what was compared before stays noted.
    package func run(on live: LiveBackend, bucketID: Int64? = nil) throws(S3Error) -> Summary? {
        let now = Timestamp.now()
        let id = live.backend.record.id
        let claimed = try world.database.write { sql throws(S3Error) in
            try sql.claimSweep(
                .reconcile, backendID: id, owner: settings.owner, now: now,
                until: now.adding(seconds: Self.leaseSeconds))
        }
        guard var sweep = claimed else { return nil }
        sweep.run += 1
        sweep.startedAt = now
        sweep.finishedAt = nil
        sweep.failure = nil
        sweep.found = 0
        sweep.looked = 0
        try save(&sweep)
        var run = ReconcileRun(reconciler: self, live: live, sweep: sweep)
        do throws(JobFailure) {
            try compare(&run, bucketID: bucketID)
            run.sweep.finishedAt = .now()
        } catch {
            run.sweep.failure = error.words
        }
        run.sweep.found = run.summary.findingCount
        run.sweep.looked = run.summary.objects
        try save(&run.sweep)
        let last = run.sweep
        try world.database.write { sql throws(S3Error) in try sql.releaseSweep(last) }
        if let failure = run.sweep.failure {
            throw S3Error(.serviceUnavailable, cause: "\(live.name) was not compared to the end: \(failure)")
        }
        report(run)
        return run.summary
    }

    private func report(_ run: ReconcileRun) {
        var metadata: Logger.Metadata = [
            "backend": "\(run.live.name)", "objects": "\(run.summary.objects)", "repairs": "\(run.summary.repairs)",
        ]
        for (kind, count) in run.summary.findings { metadata[kind.rawValue] = "\(count)" }
        log.log(level: run.summary.findings.isEmpty ? .info : .warning, "a backend was compared", metadata: metadata)
    }

    private func save(_ sweep: inout Sweep) throws(S3Error) {
        sweep.leaseUntil = Timestamp.now().adding(seconds: Self.leaseSeconds)
        let saved = sweep
        let isOurs = try world.database.write { sql throws(S3Error) in try sql.saveSweep(saved) }
        guard isOurs else { throw S3Error(.serviceUnavailable, cause: "another worker compares this backend") }
    }

    private func compare(_ run: inout ReconcileRun, bucketID: Int64?) throws(JobFailure) {
        let id = run.live.backend.record.id
        let mappings = try run.read { sql throws(S3Error) in
            try sql.mappingsInUse().filter { $0.backendID == id && (bucketID == nil || $0.bucketID == bucketID) }
        }
        for mapping in mappings where mapping.state != .removing {
            try run.objects(of: mapping.physicalName, bucketID: mapping.bucketID)
            try run.uploads(of: mapping)
            try run.places(of: mapping)
            try run.forget(in: mapping.physicalName)
        }
        guard bucketID == nil else { return }
        try run.unplaced()
        // Adopted buckets, and others that no mapping speaks of.
        let known = Set(mappings.map(\.physicalName))
        var last = ""
        while let name = try run.read({ sql throws(S3Error) in try sql.physicalBucket(backendID: id, after: last) }) {
            last = name
            if !known.contains(name), !name.isEmpty { try run.objects(of: name, bucketID: nil) }
        }
        try run.recoveryBucket()
        try run.strayBuckets()
        try run.forgetOthers()
    }

    /// How many names to ask this backend for at a time.
    static func pageSize(_ record: BackendRecord) -> Int { record.kind == .file ? filePage : smallPage }
    static var uploadPageSize: Int { uploadPage }

    /// Renews the claim and says how far the run is.
    func progress(_ run: inout ReconcileRun) throws(JobFailure) {
        if stop.isStopped { throw JobFailure(abandoned: "the worker stops") }
        run.sweep.looked = run.summary.objects
        run.sweep.found = run.summary.findingCount
        do throws(S3Error) { try save(&run.sweep) } catch { throw JobFailure(error) }
    }
}
