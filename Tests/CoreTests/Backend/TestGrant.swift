import Core
import Testing

/// Grants for tests, from the placement function as everybody gets them.
enum TestGrant {
    static func make(for record: BackendRecord) throws -> PlacementGrant {
        let policy = try EffectivePolicy(tenant: nil, bucket: nil, locations: [], replicaCountTag: nil)
        let candidate = PlacementCandidate(
            backendID: record.id, name: record.name, location: record.location, state: .active, isHealthy: true)
        guard case .place(let plan) = Placement.decide(policy, candidates: [candidate], sizeBytes: 0) else {
            throw NoGrant()
        }
        return try #require(plan.grants.first)
    }

    struct NoGrant: Error {}
}
