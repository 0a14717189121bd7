import Synchronization

/// Keeps traffic off a backend that keeps failing, and lets one request try again now and then.
///
/// One for each backend and process.
///
/// Closed: everything passes. Open, after `failureLimit` failures in a row: nothing passes for `openSeconds`. Half open:
/// one request passes as a trial; its success closes the breaker, its failure opens it again.
package final class CircuitBreaker: Sendable {
    package static let failureLimit = 5
    package static let openSeconds: Int64 = 5

    private struct State {
        var failuresInARow = 0
        /// When the next trial may start; nil while closed.
        var nextTrial: Timestamp?
    }

    private let state = Mutex(State())

    package init() {}

    /// Tells whether a request may go there now.
    ///
    /// The first to ask after the pause becomes the trial: until its outcome is noted, or another pause has passed, the
    /// answer for others stays no.
    package func allowsRequest(at now: Timestamp) -> Bool {
        state.withLock { state in
            guard let trial = state.nextTrial else { return true }
            guard now >= trial else { return false }
            state.nextTrial = now.adding(seconds: Self.openSeconds)
            return true
        }
    }

    /// Tells whether everything passes, without becoming a trial.
    package var isClosed: Bool { state.withLock { $0.nextTrial == nil } }

    package func recordSuccess() {
        state.withLock { state in
            guard state.failuresInARow > 0 || state.nextTrial != nil else { return }
            state = State()
        }
    }

    package func recordFailure(at now: Timestamp) {
        state.withLock { state in
            state.failuresInARow += 1
            guard state.failuresInARow >= Self.failureLimit else { return }
            state.nextTrial = now.adding(seconds: Self.openSeconds)
        }
    }
}
