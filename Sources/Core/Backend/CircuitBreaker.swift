private import Synchronization

/// Keeps a process's traffic off a store that does not answer (DESIGN.md 7); one for each backend and process.
///
/// Closed until `failuresToOpen` calls in a row failed, or one hung; then open for a while that doubles from
/// `shortestPauseSeconds` to `longestPauseSeconds`; then half-open: one call at a time is the trial, and its outcome
/// closes or opens again. For `checkLeadMilliseconds` only a health check may be the trial, so that no client waits for
/// a store that still hangs. Times are of a clock that never steps.
package final class CircuitBreaker: Sendable {
    package enum State: String, Sendable { case closed, open, halfOpen = "half-open" }

    package static let failuresToOpen = 5
    package static let shortestPauseSeconds: Int64 = 1
    package static let longestPauseSeconds: Int64 = 8
    /// A trial that nobody reported on is given up after this long.
    package static let trialSeconds: Int64 = 10
    /// How long a half-open breaker waits for a health check before a client's request may be the trial.
    package static let checkLeadMilliseconds: Int64 = 2_000

    private struct Memory {
        var failures = 0
        var pauseSeconds = CircuitBreaker.shortestPauseSeconds
        /// When it may be tried again; nil while closed.
        var openUntil: Timestamp?
        var trialUntil: Timestamp?

        /// Whether a call may be the trial now.
        func isTrialFree(at now: Timestamp, isCheck: Bool) -> Bool {
            guard let openUntil else { return false }
            let lead = isCheck ? 0 : CircuitBreaker.checkLeadMilliseconds
            guard now.milliseconds >= openUntil.milliseconds + lead else { return false }
            return trialUntil.map { now >= $0 } ?? true
        }
    }

    private let memory = Mutex(Memory())
    /// True while it is closed and nothing failed since the last success: then a call costs one load.
    private let isQuiet = Atomic<Bool>(true)

    package init() {}

    package func state(at now: Timestamp = MonotonicClock.now()) -> State {
        memory.withLock { memory in
            guard let until = memory.openUntil else { return .closed }
            return now < until ? .open : .halfOpen
        }
    }

    /// Tells whether everything passes.
    package var isClosed: Bool { isQuiet.load(ordering: .relaxed) || memory.withLock { $0.openUntil == nil } }

    /// Tells whether a call would be let through now, without taking the trial: for those who only choose.
    package func admits(at now: Timestamp = MonotonicClock.now(), isCheck: Bool = false) -> Bool {
        if isQuiet.load(ordering: .relaxed) { return true }
        return memory.withLock { $0.openUntil == nil || $0.isTrialFree(at: now, isCheck: isCheck) }
    }

    /// Lets a call through, or not: for who is about to make it.
    ///
    /// When half-open, true for one caller, whose call is the trial; the others are turned away until its outcome is
    /// recorded or `trialSeconds` have passed.
    package func admit(at now: Timestamp = MonotonicClock.now(), isCheck: Bool = false) -> Bool {
        if isQuiet.load(ordering: .relaxed) { return true }
        return memory.withLock { memory in
            if memory.openUntil == nil { return true }
            guard memory.isTrialFree(at: now, isCheck: isCheck) else { return false }
            memory.trialUntil = now.adding(seconds: Self.trialSeconds)
            return true
        }
    }

    /// The store answered: what it said does not matter.
    package func recordSuccess() {
        if isQuiet.load(ordering: .relaxed) { return }
        memory.withLock { memory in
            memory = Memory()
            isQuiet.store(true, ordering: .relaxed)
        }
    }

    /// The store did not answer; `isHang` when it kept us waiting instead of failing at once.
    package func recordFailure(at now: Timestamp = MonotonicClock.now(), isHang: Bool = false) {
        memory.withLock { memory in
            isQuiet.store(false, ordering: .relaxed)
            memory.failures += 1
            if memory.openUntil != nil {
                // Late failures of calls that began before it opened do not make the pause longer.
                guard memory.trialUntil != nil else { return }
                memory.pauseSeconds = min(memory.pauseSeconds * 2, Self.longestPauseSeconds)
            } else if !isHang && memory.failures < Self.failuresToOpen {
                return
            }
            memory.openUntil = now.adding(seconds: memory.pauseSeconds)
            memory.trialUntil = nil
        }
    }

    /// The call ended without saying anything of the store, as when the client left: a trial is free again.
    package func recordNothing() {
        if isQuiet.load(ordering: .relaxed) { return }
        memory.withLock { $0.trialUntil = nil }
    }
}
