import Core
private import Glibc
private import Synchronization

/// One line on the terminal that tells once a second how far the worker is; nothing where there is no terminal.
final class TerminalProgress: Sendable {
    private struct State {
        var progress = WorkerProgress(at: Timestamp.monotonic().milliseconds)
        var nextMilliseconds: Int64 = 0
        var isShown = false
    }

    private let worker: Worker
    private let state = Mutex(State())

    private static let intervalMilliseconds: Int64 = 1000
    private static let clearLine = "\r\u{1B}[K"
    /// Back to the beginning, so that a line of the log takes its place.
    private static let stepBack = "\r"

    /// Nil unless standard error is a terminal.
    init?(_ worker: Worker) {
        guard isatty(STDERR_FILENO) == 1 else { return nil }
        self.worker = worker
    }

    /// Shows a line when a second has passed since the last one.
    func tick() {
        let now = Timestamp.monotonic().milliseconds
        let isDue = state.withLock { state in
            guard now >= state.nextMilliseconds else { return false }
            state.nextMilliseconds = now + Self.intervalMilliseconds
            return true
        }
        guard isDue else { return }
        do throws(S3Error) {
            let left = try worker.openJobs()
            let line = state.withLock { worker.line(&$0.progress, left: left) } ?? "waiting; \(left) left"
            show(Self.clearLine + line + Self.stepBack)
        } catch {
            // The worker itself meets and logs what is wrong with the database.
            show(Self.clearLine + (error.cause ?? error.message) + Self.stepBack)
        }
    }

    /// Leaves the terminal's line to others.
    func end() { if state.withLock({ $0.isShown }) { show(Self.clearLine) } }

    private func show(_ text: String) {
        state.withLock { $0.isShown = true }
        let bytes = Array(text.utf8)
        // A terminal that is gone is told nothing.
        _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
    }
}
