import CommandLineSupport
import Core
private import Foundation
private import Synchronization

/// Lets a worker work on a thread of its own while the main thread waits for signals.
struct WorkerThread {
    private let worker: Worker
    private let stop: StopSignal
    private let drainTimeoutMilliseconds: Int

    private static let tickMilliseconds = 100

    /// How the work ended; nil while it goes on.
    private final class Ending: Sendable {
        let result = Mutex<Result<Void, S3Error>?>(nil)
    }

    init(_ worker: Worker, stop: StopSignal, drainTimeout milliseconds: Int) {
        self.worker = worker
        self.stop = stop
        drainTimeoutMilliseconds = milliseconds
    }

    /// Returns when `work` has ended.
    ///
    /// After TERM or INT it has `drainTimeout`; then, or at a second signal, the process ends as it is, which loses
    /// nothing: leases end by themselves.
    func wait(
        for work: @escaping @Sendable (Worker) throws(S3Error) -> Void, reload: () -> Void
    ) throws(S3Error) {
        let ending = Ending()
        let worker = worker
        let thread = Thread {
            let result: Result<Void, S3Error>
            do throws(S3Error) { result = .success(try work(worker)) } catch { result = .failure(error) }
            ending.result.withLock { $0 = result }
        }
        thread.start()
        let progress = TerminalProgress(worker)
        defer { progress?.end() }
        var millisecondsLeft: Int?
        while true {
            progress?.tick()
            if let result = ending.result.withLock({ $0 }) { return try result.get() }
            switch Signals.wait(milliseconds: Self.tickMilliseconds) {
            case .stop:
                if millisecondsLeft != nil { Signals.exitNow(1) }
                millisecondsLeft = drainTimeoutMilliseconds
                stop.stop()
            case .reload: reload()
            case .reopenLog:
                do throws(ConfigurationError) { try Log.reopen() } catch {
                    CommandLineProgram.complain(error.description)
                }
            case nil:
                guard let left = millisecondsLeft else { continue }
                if left <= 0 {
                    CommandLineProgram.complain("s3gw-worker: jobs in hand did not end in time; their leases will")
                    Signals.exitNow(1)
                }
                millisecondsLeft = left - Self.tickMilliseconds
            }
        }
    }
}
