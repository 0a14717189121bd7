import Synchronization

/// The jobs that this process has claimed, for its threads to take: several are claimed in one transaction.
final class JobFeed: Sendable {
    private let database: Database
    private let settings: Worker.Settings
    private let stop: StopSignal
    private let keeper: LeaseKeeper
    private let pace: TransferPace
    private let state = Mutex(State())

    /// How long a thread waits for the one that claims.
    private static let waitMilliseconds = 1

    private struct State {
        var ready: [JobLease] = []
        /// Claimed and not ended, by backend.
        var inHand: [Int64: Int] = [:]
        var isClaiming = false
    }

    private enum Step {
        case take(JobLease)
        case wait
        case claim([Int64: Int])
    }

    init(
        database: Database, settings: Worker.Settings, stop: StopSignal, keeper: LeaseKeeper, pace: TransferPace
    ) {
        self.database = database
        self.settings = settings
        self.stop = stop
        self.keeper = keeper
        self.pace = pace
    }

    /// Returns the next job; nil when none is due.
    ///
    /// `end` has to be called for it.
    func take() throws(S3Error) -> JobLease? {
        while !stop.isStopped {
            let step = state.withLock { state -> Step in
                if !state.ready.isEmpty { return .take(state.ready.removeFirst()) }
                if state.isClaiming { return .wait }
                state.isClaiming = true
                return .claim(state.inHand)
            }
            switch step {
            case .take(let lease): return lease
            case .wait: stop.wait(milliseconds: Self.waitMilliseconds)
            case .claim(let inHand):
                defer { state.withLock { $0.isClaiming = false } }
                return try claim(beside: inHand)
            }
        }
        return nil
    }

    private func claim(beside inHand: [Int64: Int]) throws(S3Error) -> JobLease? {
        let now = Timestamp.now()
        let limits = try database.read { sql throws(S3Error) in try sql.backendLimits() }
        pace.set(limits)
        var room: [Int64: Int] = [:]
        for (id, limit) in limits { room[id] = limit.jobs.map { $0 - inHand[id, default: 0] } }
        let jobs = try database.write { [room] sql throws(S3Error) in
            try sql.claimJobs(
                owner: settings.owner, limit: settings.concurrency, now: now,
                leaseUntil: now.adding(seconds: Int64(settings.leaseSeconds)), room: room)
        }
        let leases = jobs.map { JobLease($0) }
        for lease in leases { keeper.hold(lease) }
        state.withLock { state in
            for job in jobs { state.inHand[job.backendID, default: 0] += 1 }
            state.ready.append(contentsOf: leases.dropFirst())
        }
        return leases.first
    }

    /// The job is not in hand any more.
    func end(_ lease: JobLease) {
        keeper.release(lease)
        state.withLock { state in
            state.inHand[lease.job.backendID, default: 1] -= 1
        }
    }

    /// Gives back what no thread has begun.
    func giveBack() throws(S3Error) {
        let left = state.withLock { state in
            defer { state.ready = [] }
            return state.ready
        }
        guard !left.isEmpty else { return }
        for lease in left { end(lease) }
        try database.write { sql throws(S3Error) in
            for lease in left {
                let job = lease.job
                _ = try sql.retryJob(
                    id: job.id, fence: job.fence, notBefore: job.notBefore,
                    error: job.lastError ?? "the worker stops", countsAttempt: false)
            }
        }
    }
}
