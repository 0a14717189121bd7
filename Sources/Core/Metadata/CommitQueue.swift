private import Glibc

/// Lets the threads of one process share commits: the first writer leads, and while it waits for the disk the others
/// queue up to be its successor's group.
///
/// All fields, and those of `Write`, are only touched under the pthread mutex, except that the leader alone runs a
/// taken write while its owner sleeps; that is why both may be `@unchecked Sendable`.
@safe final class CommitQueue: @unchecked Sendable {
    /// One thread's work and how it ended.
    final class Write: @unchecked Sendable {
        fileprivate enum State { case queued, taken, leading, done }

        /// Runs the work; it keeps its own result and returns its failure.
        let body: (any SQLConnection) -> S3Error?
        /// Set by the leader: why this write is not in the database.
        var failure: S3Error?
        fileprivate var state = State.queued
        fileprivate let wake = Condition()

        fileprivate init(_ body: @escaping (any SQLConnection) -> S3Error?) { self.body = body }
    }

    /// More writes than this never share a transaction: it bounds what one failure takes along.
    static let maximumGroup = 64
    /// How long a write may wait for its turn before it is refused with `SlowDown`.
    static let turnSeconds = 10

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var waiting: [Write] = []
    private var hasLeader = false
    private var leader = pthread_self()
    /// Runs a group in one transaction and sets the failures.
    private let commit: ([Write]) -> Void

    init(commit: @escaping ([Write]) -> Void) {
        self.commit = commit
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Returns when the work is durable; returns its failure, or the commit's, when it is not.
    func submit(_ body: @escaping (any SQLConnection) -> S3Error?) -> S3Error? {
        let write = Write(body)
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        precondition(!hasLeader || pthread_equal(leader, pthread_self()) == 0, "a write began inside a write")
        if hasLeader {
            waiting.append(write)
            guard waitForTurn(write) else {
                return S3Error(.slowDown, cause: "no turn to write to the database in \(Self.turnSeconds) s")
                    .header("Retry-After", "1")
            }
            if write.state == .done { return write.failure }
        }
        lead(write)
        return write.failure
    }

    /// Sleeps until the write is done or has to lead; false when its time is over and nobody has taken it.
    private func waitForTurn(_ write: Write) -> Bool {
        let deadline = Condition.deadline(seconds: Self.turnSeconds)
        while write.state == .queued || write.state == .taken {
            // A taken write is being run by the leader: its owner's stack must stay until that ends.
            guard write.state == .queued else {
                unsafe write.wake.wait(mutex, until: nil)
                continue
            }
            let isInTime = unsafe write.wake.wait(mutex, until: deadline)
            if !isInTime, write.state == .queued {
                waiting.removeAll { $0 === write }
                return false
            }
        }
        return true
    }

    /// Commits `write` with all that wait, up to the bound, then hands the lead on.
    private func lead(_ write: Write) {
        hasLeader = true
        leader = pthread_self()
        let group = [write] + waiting.prefix(Self.maximumGroup - 1)
        waiting.removeFirst(group.count - 1)
        for member in group { member.state = .taken }
        unsafe pthread_mutex_unlock(mutex)
        commit(group)
        unsafe pthread_mutex_lock(mutex)
        hasLeader = false
        if !waiting.isEmpty {
            let successor = waiting.removeFirst()
            hasLeader = true
            leader = pthread_t()
            successor.state = .leading
            successor.wake.signal()
        }
        for member in group {
            member.state = .done
            if member !== write { member.wake.signal() }
        }
    }
}

/// A pthread condition variable on the monotonic clock.
@safe private final class Condition {
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        unsafe condition = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe condition.deallocate()
    }

    static func deadline(seconds: Int) -> timespec {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        time.tv_sec += seconds
        return time
    }

    func signal() { unsafe pthread_cond_signal(condition) }

    /// Returns false when `deadline` passed first.
    @discardableResult
    func wait(_ mutex: UnsafeMutablePointer<pthread_mutex_t>, until deadline: timespec?) -> Bool {
        guard var deadline else {
            unsafe pthread_cond_wait(condition, mutex)
            return true
        }
        return unsafe pthread_cond_timedwait(condition, mutex, &deadline) != ETIMEDOUT
    }
}
