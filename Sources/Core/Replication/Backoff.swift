/// When a job that failed is tried again, and when it is given up.
package enum Backoff {
    /// What a failure says about the next attempt.
    package enum Failure: Sendable, Equatable {
        /// A store is down, slow or full, or something is not ready yet: waiting helps.
        case unavailable
        /// The answer was no: it may be wrong configuration or lost bytes, and a person has to look some day.
        case refused
    }

    package enum Verdict: Sendable, Equatable {
        case retry(at: Timestamp)
        case bury
    }

    /// Attempts that were refused, or that their worker did not survive, before a job becomes a dead letter.
    package static let maximumAttempts = 20
    package static let firstDelayMilliseconds: Int64 = 1000
    /// Between two refusals; together the attempts of one job spread over about ten hours.
    package static let longestDelayMilliseconds: Int64 = 3600 * 1000
    /// Between two looks at a store that is down: the copies begin this soon after it is back.
    package static let longestWaitMilliseconds: Int64 = 60 * 1000

    /// Decides about `job` (with this attempt counted) after `failure`; `chance` is 0..<1 and spreads the retries.
    ///
    /// A job that only waits for a store is never given up: its copies have to be made once the store is back.
    package static func verdict(
        after failure: Failure, of job: Job, at now: Timestamp, chance: Double
    ) -> Verdict {
        if failure == .refused && job.attempts >= maximumAttempts { return .bury }
        let ageMilliseconds = now.milliseconds - job.createdAt.milliseconds
        let delay = delayMilliseconds(after: failure, attempts: job.attempts, ageMilliseconds: ageMilliseconds)
        let spread = delay / 2 + Int64(Double(delay / 2) * min(max(chance, 0), 1))
        return .retry(at: Timestamp(milliseconds: now.milliseconds + spread))
    }

    /// The longest delay before the next attempt.
    ///
    /// After refusals 1, 2, 4, ... seconds; while a store is away an eighth of the time the job has waited already.
    package static func delayMilliseconds(after failure: Failure, attempts: Int, ageMilliseconds: Int64) -> Int64 {
        switch failure {
        case .refused:
            let doublings = min(max(attempts - 1, 0), 30)
            return min(firstDelayMilliseconds << Int64(doublings), longestDelayMilliseconds)
        case .unavailable:
            return min(max(ageMilliseconds / 8, firstDelayMilliseconds), longestWaitMilliseconds)
        }
    }
}
