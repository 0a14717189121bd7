/// What is known of one replica's backend at the moment of a read.
package struct ReadCandidate: Sendable, Hashable {
    /// False while the circuit breaker of this process keeps traffic off it.
    package var isHealthy: Bool
    /// 0 is nearest: see `ReplicaChoice.distance`.
    package var distance: Int
    /// The moving mean of the time to the first byte; 0 when nobody measured it lately.
    package var latencyMicroseconds: Int64
    /// Calls that this process has under way there.
    package var inFlight: Int

    package init(isHealthy: Bool, distance: Int, latencyMicroseconds: Int64, inFlight: Int) {
        self.isHealthy = isHealthy
        self.distance = distance
        self.latencyMicroseconds = latencyMicroseconds
        self.inFlight = inFlight
    }
}

/// Decides from which replica a read is served: one pure function.
package enum ReplicaChoice {
    /// Returns the positions of all candidates, the most wanted first.
    ///
    /// Health goes first, then the distance that the operator configured, then how long an answer should take: the mean
    /// latency, times the calls that would be under way. One that was not measured lately goes before those that were,
    /// and equals stay in their order.
    package static func order(_ candidates: [ReadCandidate]) -> [Int] {
        candidates.indices.sorted { one, other in
            let left = candidates[one]
            let right = candidates[other]
            if left.isHealthy != right.isHealthy { return left.isHealthy }
            if left.distance != right.distance { return left.distance < right.distance }
            if left.cost != right.cost { return left.cost < right.cost }
            if left.inFlight != right.inFlight { return left.inFlight < right.inFlight }
            return one < other
        }
    }

    /// Returns how far `location` is from a site that says it is `near`, in falling nearness: the position of the first
    /// selector that the location satisfies, and their number when it satisfies none.
    package static func distance(of location: Location, near: [LocationSelector]) -> Int {
        near.firstIndex { $0.match(location) == .yes } ?? near.count
    }
}

extension ReadCandidate {
    /// Microseconds until an answer, by the calls that share the backend.
    fileprivate var cost: Int64 {
        let (cost, overflow) = latencyMicroseconds.multipliedReportingOverflow(by: Int64(inFlight) + 1)
        return overflow ? .max : cost
    }
}
