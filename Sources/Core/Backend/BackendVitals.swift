private import Synchronization

/// What one process measures of one backend while it uses it; read and written by many threads without a lock.
///
/// Each number is exact on its own; two of them may be a call apart.
package final class BackendVitals: Sendable {
    /// A new latency counts for one part in so many.
    private static let latencyWeight: Int64 = 8
    /// How long a store that said it is full gets no new objects.
    private static let fullMilliseconds: Int64 = 10_000

    private let running = Atomic<Int>(0)
    private let latency = Atomic<Int64>(0)
    private let calls = Atomic<Int64>(0)
    private let failures = Atomic<Int64>(0)
    private let samples = Atomic<Int64>(0)
    private let fullUntil = Atomic<Int64>(0)

    package init() {}

    /// Calls under way.
    package var inFlight: Int { running.load(ordering: .relaxed) }

    /// The moving mean of the time to the first byte of a read; 0 before the first.
    package var latencyMicroseconds: Int64 { latency.load(ordering: .relaxed) }

    package func begin() { running.add(1, ordering: .relaxed) }

    package func end(isFailure: Bool) {
        running.subtract(1, ordering: .relaxed)
        calls.add(1, ordering: .relaxed)
        if isFailure { failures.add(1, ordering: .relaxed) }
    }

    /// Notes how long a read waited for its first byte.
    ///
    /// Of two at once one may be lost: it is a mean.
    package func noteFirstByte(microseconds: Int64) {
        let mean = latency.load(ordering: .relaxed)
        latency.store(
            mean == 0 ? max(microseconds, 1) : max(mean + (microseconds - mean) / Self.latencyWeight, 1),
            ordering: .relaxed)
        samples.add(1, ordering: .relaxed)
    }

    package func noteFull(at now: Timestamp = MonotonicClock.now()) {
        fullUntil.store(now.milliseconds + Self.fullMilliseconds, ordering: .relaxed)
    }

    package func isFull(at now: Timestamp = MonotonicClock.now()) -> Bool {
        let until = fullUntil.load(ordering: .relaxed)
        return until != 0 && now.milliseconds < until
    }

    /// What was counted since the last call of this.
    package struct Counts: Sendable, Equatable {
        package var calls: Int64
        package var failures: Int64
        package var latencyMicroseconds: Int64?
    }

    /// Takes the counts.
    ///
    /// The latency of a backend that nobody read meanwhile is halved, so that one that was slow once is tried again.
    package func take() -> Counts {
        let count = samples.exchange(0, ordering: .relaxed)
        let mean = latency.load(ordering: .relaxed)
        if count == 0 && mean > 1 { latency.store(mean / 2, ordering: .relaxed) }
        return Counts(
            calls: calls.exchange(0, ordering: .relaxed), failures: failures.exchange(0, ordering: .relaxed),
            latencyMicroseconds: count > 0 ? mean : nil)
    }
}
