import Logging

/// Keeps a process and the database in step about the health of backends, on a thread of its own, so that no request has
/// to: makes the trials of half-open breakers, believes the worker's word that a backend is unhealthy once it has asked
/// that backend itself, and reports what the process met.
package struct HealthKeeper {
    /// How long to wait between two calls of `tick`.
    package static let tickMilliseconds = 1_000
    private static let readIntervalMilliseconds: Int64 = 5_000
    private static let reportIntervalMilliseconds: Int64 = 10_000

    private let world: World
    /// Names this process in its reports, such as `host:pid`.
    private let reporter: String
    private var lastRead = MonotonicClock.now()
    private var lastReport = MonotonicClock.now()
    private var reportedStates: [Int64: CircuitBreaker.State] = [:]
    private var isDatabaseAway = false
    private static let log = Logger(label: "s3gw.health")

    package init(world: World, reporter: String) {
        self.world = world
        self.reporter = reporter
    }

    /// Does what is due; a backend that hangs makes it last until the deadline of a check.
    package mutating func tick() {
        // Nothing was asked of this process yet: then it has met nothing.
        guard let snapshot = world.known else { return }
        let live = snapshot.backends.values.filter(\.isReadable)
        for backend in live where backend.breaker.state() == .halfOpen { Self.check(backend) }
        let now = MonotonicClock.now()
        do throws(S3Error) {
            try world.database.checkPlace()
            if now.milliseconds - lastRead.milliseconds >= Self.readIntervalMilliseconds {
                lastRead = now
                try hear(of: live)
            }
            if now.milliseconds - lastReport.milliseconds >= Self.reportIntervalMilliseconds {
                lastReport = now
                try report(live)
            }
            if isDatabaseAway { Self.log.notice("the database is back") }
            isDatabaseAway = false
        } catch {
            if !isDatabaseAway {
                Self.log.error("the database is away", metadata: ["cause": "\(error.cause ?? error.message)"])
            }
            isDatabaseAway = true
        }
    }

    /// The outcome is the breaker's to remember.
    private static func check(_ live: LiveBackend) {
        do throws(BackendError) {
            try live.observe(isCheck: true) { backend throws(BackendError) in try backend.check() }
        } catch {
            log.debug("a backend is not well", metadata: ["backend": "\(error.backend)", "cause": "\(error.cause)"])
        }
    }

    private func hear(of live: [LiveBackend]) throws(S3Error) {
        let unhealthy = try world.database.read { sql throws(S3Error) in
            try sql.backendHealth().filter { !$0.isHealthy }.map(\.backendID)
        }
        for backend in live where backend.breaker.isClosed && unhealthy.contains(backend.backend.record.id) {
            Self.check(backend)
        }
    }

    /// Writes only when there is something to say: calls, or another state of a breaker.
    private mutating func report(_ live: [LiveBackend]) throws(S3Error) {
        var reports: [BackendReport] = []
        for backend in live {
            let id = backend.backend.record.id
            let counts = backend.vitals.take()
            let state = backend.breaker.state()
            guard counts.calls > 0 || reportedStates[id, default: .closed] != state else { continue }
            reportedStates[id] = state
            reports.append(
                BackendReport(
                    backendID: id, breaker: state.rawValue, calls: counts.calls, failures: counts.failures,
                    latencyMicroseconds: counts.latencyMicroseconds))
        }
        guard !reports.isEmpty else { return }
        try world.database.write { sql throws(S3Error) in
            for report in reports { try sql.recordReport(report, of: reporter, at: .now()) }
        }
    }
}
