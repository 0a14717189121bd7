/// One backend as the placement function sees it.
package struct PlacementCandidate: Hashable, Sendable {
    package let backendID: Int64
    package let name: String
    package let location: Location
    package let state: BackendState
    /// False while the circuit breaker of this process keeps traffic off it.
    package let isHealthy: Bool
    /// The largest object it takes; nil when there is no limit.
    package let maximumObjectSizeBytes: Int64?

    package init(
        backendID: Int64, name: String, location: Location, state: BackendState, isHealthy: Bool,
        maximumObjectSizeBytes: Int64? = nil
    ) {
        self.backendID = backendID
        self.name = name
        self.location = location
        self.state = state
        self.isHealthy = isHealthy
        self.maximumObjectSizeBytes = maximumObjectSizeBytes
    }

    /// The same backend as others know it: after it failed, or took the bytes, in this very request.
    package func with(isHealthy: Bool) -> PlacementCandidate {
        PlacementCandidate(
            backendID: backendID, name: name, location: location, state: state, isHealthy: isHealthy,
            maximumObjectSizeBytes: maximumObjectSizeBytes)
    }

    /// Whether it takes new bytes at this moment; an offline backend is expected back and counts as unhealthy.
    var takesBytesNow: Bool { isHealthy && state == .active }
}

/// The right to send one object's bytes to one backend, which only the placement function gives.
package struct PlacementGrant: Hashable, Sendable {
    package let backendID: Int64

    init(grantedBy candidate: PlacementCandidate) { backendID = candidate.backendID }
}
