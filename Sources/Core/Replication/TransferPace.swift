import Synchronization

/// Keeps this process's traffic with each backend below the operator's bandwidth, on average: who moves bytes waits until
/// those before them are paid for.
final class TransferPace: Sendable {
    private struct Lane {
        var bytesPerSecond: Int64
        /// When the bytes so far are paid for, on the monotonic clock.
        var paidUntil: Int64
    }

    private let lanes = Mutex<[Int64: Lane]>([:])

    /// Longer waits are looked at again in between, for a limit that was lifted meanwhile.
    private static let longestWaitMilliseconds: Int64 = 1000

    func set(_ limits: [Int64: BackendLimit]) {
        lanes.withLock { lanes in
            if lanes.isEmpty && limits.isEmpty { return }
            var fresh: [Int64: Lane] = [:]
            for (id, limit) in limits {
                guard let speed = limit.bytesPerSecond else { continue }
                fresh[id] = Lane(bytesPerSecond: speed, paidUntil: lanes[id]?.paidUntil ?? 0)
            }
            lanes = fresh
        }
    }

    /// Returns when `bytes` may be moved; sooner when the worker stops.
    func wait(for bytes: Int64, backendID: Int64, stop: StopSignal) {
        while let milliseconds = ask(bytes, backendID, Timestamp.monotonic().milliseconds) {
            if stop.wait(milliseconds: Int(min(milliseconds, Self.longestWaitMilliseconds))) { return }
        }
    }

    /// Books the bytes and returns nil, or returns how long to wait before.
    private func ask(_ bytes: Int64, _ backendID: Int64, _ now: Int64) -> Int64? {
        lanes.withLock { lanes in
            guard let lane = lanes[backendID] else { return nil }
            guard lane.paidUntil <= now else { return lane.paidUntil - now }
            lanes[backendID]?.paidUntil = now + bytes * 1000 / lane.bytesPerSecond
            return nil
        }
    }
}
