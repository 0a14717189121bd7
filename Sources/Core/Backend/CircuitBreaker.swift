private import Synchronization

/// Keeps a process's traffic off a store that does not answer (DESIGN.md 7); one for each backend and process.
///
/// Closed until `failuresToOpen` calls in a row failed; then open for a while that doubles from `shortestPauseSeconds` to
/// `longestPauseSeconds`; then half-open: one caller at a time may try, and its outcome closes or opens again.
package final class CircuitBreaker: Sendable {
    package enum State: String, Sendable { case closed, open, halfOpen = "half-open" }

    package static let failuresToOpen = 5
    package static let shortestPauseSeconds: Int64 = 1
    package static let longestPauseSeconds: Int64 = 30
    /// A trial that nobody reported on is given up after this long.
    package static let trialSeconds: Int64 = 5

    private struct Memory {
        var failures = 0
        var pauseSeconds = CircuitBreaker.shortestPauseSeconds
        /// When it may be tried again; nil while closed.
        var openUntil: Timestamp?
        var trialUntil: Timestamp?
    }

    private let memory = Mutex(Memory())

    package init() {}

    package func state(at now: Timestamp) -> State {
        memory.withLock { memory in
            guard let until = memory.openUntil else { return .closed }
            return now < until ? .open : .halfOpen
        }
    }

    /// Tells whether everything passes, without becoming a trial.
    package var isClosed: Bool { memory.withLock { $0.openUntil == nil } }

    /// Tells whether a request may go there now.
    ///
    /// When half-open, true for one caller, whose request is the trial; the others are turned away until its outcome is
    /// noted or `trialSeconds` have passed.
    package func allowsRequest(at now: Timestamp) -> Bool {
        memory.withLock { memory in
            guard let until = memory.openUntil else { return true }
            guard now >= until else { return false }
            if let trial = memory.trialUntil, now < trial { return false }
            memory.trialUntil = now.adding(seconds: Self.trialSeconds)
            return true
        }
    }

    package func recordSuccess() {
        memory.withLock { memory in
            guard memory.failures > 0 else { return }
            memory = Memory()
        }
    }

    package func recordFailure(at now: Timestamp) {
        memory.withLock { memory in
            memory.failures += 1
            if memory.openUntil != nil {
                // Late failures of calls that began before it opened do not make the pause longer.
                guard memory.trialUntil != nil else { return }
                memory.pauseSeconds = min(memory.pauseSeconds * 2, Self.longestPauseSeconds)
            } else if memory.failures < Self.failuresToOpen {
                return
            }
            memory.openUntil = now.adding(seconds: memory.pauseSeconds)
            memory.trialUntil = nil
        }
    }
}
