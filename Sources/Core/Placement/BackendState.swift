/// What the operator lets happen on a backend (DESIGN.md 7).
package enum BackendState: String, Sendable, CaseIterable, Codable {
    /// Read and written.
    case active
    /// Read, never written.
    case readOnly = "read-only"
    /// Read; the worker moves everything off it.
    case draining
    /// Neither read nor written.
    case offline
}

/// One backend as the placement function sees it.
package struct PlacementCandidate: Hashable, Sendable {
    package let backendID: Int64
    package let name: String
    package let location: Location
    package let state: BackendState
    /// False while the circuit breaker of this process keeps traffic off it.
    package let isHealthy: Bool

    package init(backendID: Int64, name: String, location: Location, state: BackendState, isHealthy: Bool) {
        self.backendID = backendID
        self.name = name
        self.location = location
        self.state = state
        self.isHealthy = isHealthy
    }

    /// The same backend after it failed in this very request.
    package var unhealthy: PlacementCandidate {
        PlacementCandidate(backendID: backendID, name: name, location: location, state: state, isHealthy: false)
    }
}

/// The right to send one object's bytes to one backend.
///
/// Only the placement function makes one (SECURITY.md 12).
package struct PlacementGrant: Hashable, Sendable {
    package let backendID: Int64

    init(grantedBy candidate: PlacementCandidate) { backendID = candidate.backendID }
}
