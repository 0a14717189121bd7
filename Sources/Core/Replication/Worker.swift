import Logging
import Synchronization

/// Makes reality equal to policy: takes jobs from the database and does them, several at once.
///
/// Any number of workers may run on one database, and any may be killed at any moment: a job belongs to whoever has its
/// lease, and only the holder of the newest fence commits.
package final class Worker: Sendable {
    package struct Settings: Sendable {
        /// Jobs done at the same time.
        package var concurrency: Int
        package var pollIntervalMilliseconds: Int
        package var leaseSeconds: Int
        package var spoolDirectory: String
        /// Names this process in leases, such as `host:pid`.
        package var owner: String
        /// Multipart uploads that began longer ago than this are ended.
        package var abandonedUploadSeconds: Int64

        /// How often every backend is asked whether it is well.
        package var healthCheckIntervalMilliseconds = Settings.defaultHealthCheckIntervalMilliseconds
        /// How long a backend may be unhealthy before its replicas are made elsewhere.
        package var replicationGraceMilliseconds = Settings.defaultReplicationGraceMilliseconds

        /// Between two comparisons of a backend with the database.
        package var reconcileIntervalMilliseconds = 86_400_000
        /// How long something unknown must have been on a backend before it is removed.
        package var reconcileGraceMilliseconds = 86_400_000
        /// Bytes whose content is read again each day on each backend.
        package var scrubBytesPerDay: Int64 = 0

        /// Between the beginnings of two looks at the buckets with lifecycle rules.
        package var lifecycleIntervalMilliseconds = 86_400_000

        package static let defaultAbandonedUploadSeconds: Int64 = 7 * 86_400
        package static let defaultHealthCheckIntervalMilliseconds = 10_000
        package static let defaultReplicationGraceMilliseconds = 15 * 60_000

        package init(
            concurrency: Int, pollIntervalMilliseconds: Int, leaseSeconds: Int, spoolDirectory: String, owner: String,
            abandonedUploadSeconds: Int64 = Settings.defaultAbandonedUploadSeconds
        ) {
            self.concurrency = concurrency
            self.pollIntervalMilliseconds = pollIntervalMilliseconds
            self.leaseSeconds = leaseSeconds
            self.spoolDirectory = spoolDirectory
            self.owner = owner
            self.abandonedUploadSeconds = abandonedUploadSeconds
        }
    }

    /// How often a working worker tells what it did.
    package static let reportIntervalMilliseconds = 10_000
    /// How often abandoned uploads are looked for, by an index.
    package static let uploadSweepIntervalMilliseconds = 60_000
    /// The age at which a creation that has not ended was cut short: beyond every deadline of the request that began it.
    private static let creationSeconds: Int64 = 3600
    /// Uploads of either sort ended in one transaction.
    private static let uploadSweepSize = 500
    /// How long a thread without work waits for those that still have some, when draining.
    private static let drainPauseMilliseconds = 20

    package let counts = WorkerCounts()
    private let settings: Settings
    private let world: World
    private let stop: StopSignal
    private let keeper: LeaseKeeper
    private let feed: JobFeed
    private let runner: JobRunner
    private let replanner: Replanner
    private let lifecycles: LifecycleSweeper
    private let upkeep: Upkeep
    private let patrol: Patrol
    private let busy = Counter(0)
    private let progress = Mutex(WorkerProgress(at: Timestamp.monotonic().milliseconds))
    private let failure = Mutex<S3Error?>(nil)
    private let log = Logger(label: "s3gw.worker")

    package init(world: World, settings: Settings, stop: StopSignal) {
        self.world = world
        self.settings = settings
        self.stop = stop
        keeper = LeaseKeeper(database: world.database, leaseSeconds: settings.leaseSeconds)
        let pace = TransferPace()
        feed = JobFeed(database: world.database, settings: settings, stop: stop, keeper: keeper, pace: pace)
        runner = JobRunner(world: world, settings: settings, stop: stop, pace: pace, counts: counts)
        replanner = Replanner(
            planning: Planning(world: world, graceMilliseconds: Int64(settings.replicationGraceMilliseconds)),
            counts: counts)
        lifecycles = LifecycleSweeper(
            world: world,
            settings: LifecycleSweeper.Settings(
                owner: settings.owner, leaseSeconds: settings.leaseSeconds,
                intervalMilliseconds: Int64(settings.lifecycleIntervalMilliseconds)))
        upkeep = Upkeep(world: world, stop: stop, pauseMilliseconds: settings.pollIntervalMilliseconds)
        patrol = Patrol(world: world, stop: stop, reconcile: settings.reconcile, scrub: settings.scrub)
    }

    /// Works until `stop`; the jobs in hand are finished or given back.
    package func run() throws(S3Error) { try work(untilEmpty: false) }

    /// Does all that is due, also what becomes due by it, then returns.
    ///
    /// Throws when the database fails.
    package func drain() throws(S3Error) {
        try upkeep.flush()
        try work(untilEmpty: true)
        try upkeep.flush()
    }

    private func work(untilEmpty: Bool) throws(S3Error) {
        do throws(S3Error) {
            try keeper.endImpossibleLeases(at: .now())
            try endAbandonedUploads()
        } catch {
            if untilEmpty { throw error }
            log.warning(
                "leases and abandoned uploads not ended", metadata: ["cause": "\(error.cause ?? error.message)"])
        }
        let ended = try StopSignal()
        let left = Counter(settings.concurrency)
        let jobs: @Sendable () -> Void = {
            self.takeJobs(untilEmpty: untilEmpty)
            // The last one lets the service thread go.
            if left.decrement() == 0 { ended.stop() }
        }
        var services: [@Sendable () -> Void] = [{ self.serve(until: ended) }]
        if !untilEmpty {
            services.append { self.checkBackends(until: ended) }
            services.append { self.keepHealth(until: ended) }
            services.append { self.upkeep.run(until: ended) }
            services.append { self.patrol.compare(until: ended) }
            services.append { self.patrol.read(until: ended) }
        }
        let bodies = services + Array(repeating: jobs, count: settings.concurrency)
        try ThreadGroup.run(bodies) {
            stop.stop()
            ended.stop()
        }
        try feed.giveBack()
        try lifecycles.giveBack()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    // MARK: Jobs

    private func takeJobs(untilEmpty: Bool) {
        while !stop.isStopped {
            do throws(S3Error) {
                try replanner.stepBetweenJobs()
                try lifecycles.stepBetweenJobs()
                busy.increment()
                defer { busy.decrement() }
                if let lease = try feed.take() {
                    defer { feed.end(lease) }
                    try runner.run(lease)
                    continue
                }
                if try replanner.step() { continue }
                if try lifecycles.step() { continue }
            } catch {
                log.error("the database failed", metadata: ["cause": "\(error.cause ?? error.message)"])
                if untilEmpty {
                    failure.withLock { $0 = error }
                    return
                }
            }
            guard untilEmpty else {
                stop.wait(milliseconds: settings.pollIntervalMilliseconds)
                continue
            }
            // A job that another thread is doing may bring the next one.
            if busy.value == 0 { return }
            stop.wait(milliseconds: Self.drainPauseMilliseconds)
        }
    }

    // MARK: Health

    private func checkBackends(until ended: StopSignal) {
        HealthProber(world: world, intervalMilliseconds: settings.healthCheckIntervalMilliseconds).run(until: ended)
    }

    private func keepHealth(until ended: StopSignal) {
        var keeper = HealthKeeper(world: world, reporter: settings.owner)
        while !ended.wait(milliseconds: HealthKeeper.tickMilliseconds) { keeper.tick() }
    }

    // MARK: Service

    /// Renews leases and reports, until the job threads have ended.
    private func serve(until ended: StopSignal) {
        let pause = min(keeper.intervalMilliseconds, Self.reportIntervalMilliseconds)
        var renewed = Timestamp.monotonic()
        var reported = renewed
        var swept = renewed
        while !ended.wait(milliseconds: pause) {
            let now = Timestamp.monotonic()
            if now.milliseconds - renewed.milliseconds >= Int64(keeper.intervalMilliseconds) {
                keeper.renew(at: .now())
                do throws(S3Error) { try keeper.endImpossibleLeases(at: .now()) } catch {
                    log.warning("leases not looked at", metadata: ["cause": "\(error.cause ?? error.message)"])
                }
                renewed = now
            }
            if now.milliseconds - reported.milliseconds >= Int64(Self.reportIntervalMilliseconds) {
                report()
                reported = now
            }
            if now.milliseconds - swept.milliseconds >= Int64(Self.uploadSweepIntervalMilliseconds) {
                do throws(S3Error) { try endAbandonedUploads() } catch {
                    log.warning("abandoned uploads not ended", metadata: ["cause": "\(error.cause ?? error.message)"])
                }
                swept = now
            }
        }
        report()
    }

    /// Ends the uploads that nobody goes on with, and those whose creation was cut short; jobs then clear the backends.
    private func endAbandonedUploads() throws(S3Error) {
        let now = Timestamp.now()
        let limit = now.adding(seconds: -settings.abandonedUploadSeconds)
        let cutShort = now.adding(seconds: -Self.creationSeconds)
        while !stop.isStopped {
            let count = try world.database.write { sql throws(S3Error) in
                try sql.endUploads(begunBefore: limit, limit: Self.uploadSweepSize, at: now)
                    + sql.endUploads(creationCutShortBefore: cutShort, limit: Self.uploadSweepSize, at: now)
            }
            if count > 0 { log.notice("abandoned uploads ended", metadata: ["uploads": "\(count)"]) }
            if count < Self.uploadSweepSize { return }
        }
    }

    /// Writes one line when something happened since the last one.
    private func report() {
        do throws(S3Error) {
            // Asked for before the lock: it is the database's.
            let left = try openJobs()
            if let line = progress.withLock({ line(&$0, left: left) }) { log.info("\(line)") }
        } catch {
            log.warning("nothing can be told of the progress", metadata: ["cause": "\(error.cause ?? error.message)"])
        }
    }

    /// Jobs that are neither done nor dead, of all workers.
    package func openJobs() throws(S3Error) -> Int {
        try world.database.read { sql throws(S3Error) in try sql.openJobCount() }
    }

    /// What was done since the last line of `progress`; nil when nothing was.
    package func line(_ progress: inout WorkerProgress, left: Int) -> String? {
        progress.line(counts.current, left: left, at: Timestamp.monotonic().milliseconds)
    }
}

/// A number that threads count on.
private final class Counter: Sendable {
    private let number: Atomic<Int>

    init(_ value: Int) { number = Atomic(value) }

    var value: Int { number.load(ordering: .acquiring) }

    func increment() { number.add(1, ordering: .acquiringAndReleasing) }

    @discardableResult
    func decrement() -> Int { number.subtract(1, ordering: .acquiringAndReleasing).newValue }
}
