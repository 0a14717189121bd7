import Logging

/// Compares and scrubs backends from time to time, beside the jobs of a worker.
final class Patrol: Sendable {
    private let world: World
    private let stop: StopSignal
    private let reconcile: Reconciler.Settings
    private let scrub: Scrubber.Settings
    private let log = Logger(label: "s3gw.worker")
    private let begunAt = Timestamp.now()

    /// Between two looks at the clock.
    private static let pauseMilliseconds = 1000
    /// A worker that has just begun has more urgent work.
    private static let longestFirstDelayMilliseconds: Int64 = 600_000
    /// After a backend could not be compared to the end.
    private static let longestRetryMilliseconds: Int64 = 600_000
    /// Between two readings on: many small ones would write the cursor too often.
    private static let scrubPauseMilliseconds = 10_000

    init(world: World, stop: StopSignal, reconcile: Reconciler.Settings, scrub: Scrubber.Settings) {
        self.world = world
        self.stop = stop
        self.reconcile = reconcile
        self.scrub = scrub
    }

    private var firstDelayMilliseconds: Int64 {
        min(reconcile.intervalMilliseconds, Self.longestFirstDelayMilliseconds)
    }

    /// Compares each backend when its time has come, until `ended`.
    func compare(until ended: StopSignal) {
        guard !ended.wait(milliseconds: Int(firstDelayMilliseconds)) else { return }
        let reconciler = Reconciler(world: world, settings: reconcile, stop: ended)
        repeat {
            eachBackend { live throws(S3Error) in
                let id = live.backend.record.id
                let sweep = try world.database.read { sql throws(S3Error) in
                    try sql.sweep(.reconcile, backendID: id)
                }
                guard isDue(sweep) else { return }
                _ = try reconciler.run(on: live)
            }
        } while !ended.wait(milliseconds: Self.pauseMilliseconds) && !stop.isStopped
    }

    private func isDue(_ sweep: Sweep?) -> Bool {
        guard let sweep else { return true }
        let pause =
            sweep.failure == nil && sweep.finishedAt != nil
            ? reconcile.intervalMilliseconds
            : min(reconcile.intervalMilliseconds, Self.longestRetryMilliseconds)
        return Timestamp.now().milliseconds - sweep.startedAt.milliseconds >= pause
    }

    /// Reads content again, as far as the budget reaches, until `ended`.
    func read(until ended: StopSignal) {
        guard scrub.bytesPerDay > 0, !ended.wait(milliseconds: Int(firstDelayMilliseconds)) else { return }
        let scrubber = Scrubber(world: world, settings: scrub, stop: ended)
        repeat {
            eachBackend { live throws(S3Error) in _ = try scrubber.run(on: live) }
        } while !ended.wait(milliseconds: Self.scrubPauseMilliseconds) && !stop.isStopped
    }

    private func eachBackend(_ body: (LiveBackend) throws(S3Error) -> Void) {
        let backends: [LiveBackend]
        do throws(S3Error) {
            backends = try world.snapshot().backends.sorted { $0.key < $1.key }.map(\.value).filter(\.isReadable)
        } catch {
            log.warning("backends not known", metadata: ["cause": "\(error.cause ?? error.message)"])
            return
        }
        for live in backends where !stop.isStopped {
            do throws(S3Error) { try body(live) } catch {
                log.warning(
                    "a backend could not be looked through",
                    metadata: ["backend": "\(live.name)", "cause": "\(error.cause ?? error.message)"])
            }
        }
    }
}
