private import Glibc
import Logging
private import Synchronization

/// Asks every backend, at intervals, whether it is well, and writes the answers down for all processes to see.
///
/// A check that does not come back, as on a file system that hangs, is left behind on its thread, counts as failed, and no
/// second one is begun before it ends.
final class HealthProber {
    private let world: World
    private let intervalMilliseconds: Int
    private let log = Logger(label: "s3gw.health")
    private var running: [Int64: Check] = [:]

    /// What a check may take beyond the deadlines of its own.
    private static let checkMilliseconds: Int64 = 8_000
    private static let pauseMicroseconds: UInt32 = 10_000

    private final class Check: Sendable {
        let begunAt = MonotonicClock.now()
        let result = Mutex<BackendCheck?>(nil)
    }

    init(world: World, intervalMilliseconds: Int) {
        self.world = world
        self.intervalMilliseconds = intervalMilliseconds
    }

    /// Returns soon after `ended` is set.
    func run(until ended: StopSignal) {
        repeat {
            do throws(S3Error) { try round() } catch {
                log.warning("backends not checked", metadata: ["cause": "\(error.cause ?? error.message)"])
            }
        } while !ended.wait(milliseconds: intervalMilliseconds)
    }

    /// Checks those that no other worker has checked lately.
    private func round() throws(S3Error) {
        let snapshot = try world.snapshot()
        let known = try world.database.read { sql throws(S3Error) in try sql.backendHealth() }
        let fresh = Timestamp.now().milliseconds - Int64(intervalMilliseconds / 2)
        var resting: [Int64] = []
        for health in known {
            guard let live = snapshot.backends[health.backendID] else { continue }
            guard live.isReadable else {
                if health.checkedAt != nil { resting.append(health.backendID) }
                continue
            }
            if let checkedAt = health.checkedAt, checkedAt.milliseconds > fresh { continue }
            if running[health.backendID] == nil { start(live) }
        }
        waitForChecks()
        try record(collect(), resting, snapshot)
    }

    private func start(_ live: LiveBackend) {
        let check = Check()
        running[live.backend.record.id] = check
        let isStarted = ThreadGroup.detach {
            let result = Self.ask(live)
            check.result.withLock { $0 = result }
        }
        if !isStarted { running[live.backend.record.id] = nil }
    }

    /// Past the breaker: it may not have noticed yet that the store is back.
    private static func ask(_ live: LiveBackend) -> BackendCheck {
        let begin = MonotonicClock.milliseconds()
        var failure: String?
        do throws(BackendError) {
            try live.backend.check()
            live.breaker.recordSuccess()
        } catch {
            failure = error.cause
            live.breaker.recordFailure(isHang: error.isHang)
        }
        return BackendCheck(
            backendID: live.backend.record.id, at: .now(),
            milliseconds: failure == nil ? MonotonicClock.milliseconds() - begin : nil, failure: failure)
    }

    private func waitForChecks() {
        while running.values.contains(where: { isUnderWay($0) }) {
            usleep(Self.pauseMicroseconds)
        }
    }

    private func isUnderWay(_ check: Check) -> Bool {
        MonotonicClock.milliseconds() - check.begunAt.milliseconds < Self.checkMilliseconds
            && check.result.withLock { $0 == nil }
    }

    private func collect() -> [BackendCheck] {
        var results: [BackendCheck] = []
        for (backendID, check) in running {
            if let result = check.result.withLock({ $0 }) {
                results.append(result)
                running[backendID] = nil
            } else {
                let seconds = (MonotonicClock.milliseconds() - check.begunAt.milliseconds) / 1000
                results.append(
                    BackendCheck(
                        backendID: backendID, at: .now(), milliseconds: nil, failure: "no answer in \(seconds) s"))
            }
        }
        return results
    }

    private func record(
        _ results: [BackendCheck], _ resting: [Int64], _ snapshot: WorldSnapshot
    ) throws(S3Error) {
        guard !results.isEmpty || !resting.isEmpty else { return }
        let changed = try world.database.write { sql throws(S3Error) in
            for backendID in resting { try sql.forgetChecks(backendID: backendID) }
            try sql.dropOldReports(at: .now())
            var changed: [BackendCheck] = []
            for result in results where try sql.recordCheck(result) { changed.append(result) }
            return changed
        }
        for check in changed {
            let name = snapshot.backends[check.backendID]?.name ?? "\(check.backendID)"
            if let failure = check.failure {
                log.error("a backend is unhealthy", metadata: ["backend": "\(name)", "cause": "\(failure)"])
            } else {
                log.notice("a backend is well again", metadata: ["backend": "\(name)"])
            }
        }
    }
}
