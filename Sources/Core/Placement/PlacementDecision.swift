/// What the placement function says about one object.
package enum PlacementDecision: Sendable, Equatable {
    case place(Plan)
    case refuse(PlacementRefusal)
}

/// Where one object's bytes may go.
package struct Plan: Sendable, Equatable {
    /// Where to write now, in order of preference: `replicaCount` of them, or fewer when too few are healthy, but
    /// never fewer than `acknowledge`.
    package let grants: [PlacementGrant]
    /// Other healthy backends that are allowed; which of them takes the place of one that fails is decided anew.
    package let spares: [PlacementGrant]
    package let replicaCount: Int
    package let acknowledge: Int
    /// Where the replicas that are missing from `grants` belong: unhealthy now, allowed, work for the worker.
    package let pendingUnhealthy: [PlacementGrant]
}

/// Why an object cannot be placed.
package struct PlacementRefusal: Error, Sendable, Equatable {
    /// The rule that leaves too few backends, such as `tenant.residency.allow`, `replicas.distinct` or `health`.
    package let rule: String
    /// For the client: names no backend.
    package let explanation: String
    /// True when waiting may help: enough backends are allowed, too few of them are healthy.
    package let isHealth: Bool

    /// Within this time a circuit breaker tries a backend again.
    private static let retryAfterSeconds = 5

    package var s3Error: S3Error {
        guard isHealth else { return S3Error(.policyRefused, explanation, cause: "placement: \(rule)") }
        return S3Error(.serviceUnavailable, explanation, cause: "placement: \(rule)")
            .header("Retry-After", String(Self.retryAfterSeconds))
    }
}

/// What the placement function says about one backend: for `explain`.
package struct PlacementVerdict: Sendable, Equatable {
    package enum Role: String, Sendable {
        /// Bytes are written to it now.
        case target
        /// A replica belongs there; it is unhealthy now.
        case pending
        /// It may take the place of another.
        case spare
        /// Allowed, but the object is refused because there are too few such backends.
        case allowed
        /// Allowed, but unhealthy and not needed.
        case unhealthy
        /// A rule keeps it out.
        case refused
    }

    package let role: Role
    /// The first rule it breaks, when it is refused.
    package let rule: String?
    /// One line for people.
    package let reason: String
}
