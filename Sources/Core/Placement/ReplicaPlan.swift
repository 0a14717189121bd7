/// What policy and placement say today about the replicas that a live version has: one pure function for changed tags and
/// policies, for the worker's jobs and for its walk over a bucket.
///
/// A replica that counts is never given up for another place that is only preferred: bytes move when they must, not when
/// they might. Nothing is removed before all that is wanted is present, or another copy has taken its place.
package struct ReplicaPlan: Sendable, Equatable {
    /// What a version has on one backend.
    package enum Holding: Sendable, Equatable {
        case present
        /// Its bytes are to be brought there.
        case pending
        /// Its bytes there are missing or wrong, and to be replaced.
        case damaged
        /// Its bytes are being removed.
        case removing
    }

    /// Where the version belongs, the most wanted first: as many as policy wants, or fewer when it leaves no more.
    package let members: [Int64]
    /// Those of `members` where it has nothing yet.
    package let added: [Int64]
    /// What it has elsewhere, and may lose now.
    package let surplus: [Int64]
    /// Where it is present although it does not belong there, of the backends that answer: a copy at a member may take
    /// its place.
    ///
    /// The order is that of the backends.
    package let leaving: [Int64]
    /// Whether it is present at as many members as policy wants.
    package let isComplete: Bool
    /// Why `members` are fewer than policy wants; nil when they are not.
    package let refusal: PlacementRefusal?
    private let grants: [Int64: PlacementGrant]

    /// Returns the right to send the bytes to a member that can take them at this moment.
    package func grant(for backendID: Int64) -> PlacementGrant? { grants[backendID] }

    /// Decides about a version of `sizeBytes` with `holdings`, by backend.
    ///
    /// What stands on the backends of `away` does not count, stays as it is, and nothing is sent there: they have not
    /// answered for so long that their replicas are made elsewhere.
    package static func decide(
        _ policy: EffectivePolicy, candidates: [PlacementCandidate], sizeBytes: Int64, holdings: [Int64: Holding],
        away: Set<Int64> = []
    ) -> ReplicaPlan {
        let ranked = Placement.sorted(candidates, by: policy.orders).enumerated().compactMap { rank, candidate in
            tier(of: candidate, holdings[candidate.backendID], policy, sizeBytes, away).map { (candidate, $0, rank) }
        }.sorted { ($0.1, $0.2) < ($1.1, $1.2) }.map(\.0)
        let rule = PlaceRule(policy)
        let places = ranked.compactMap { rule.place(of: $0) }
        let chosen = rule.choose(places, count: policy.replicaCount).map { ranked[$0] }
        let members = chosen.map(\.backendID)
        let isShort = members.count < policy.replicaCount
        let isComplete = !isShort && members.allSatisfy { holdings[$0] == .present }
        let surplus = holdings.filter { id, holding in
            guard holding != .removing, !members.contains(id) else { return false }
            // A backend that comes back brings its replica with it.
            if away.contains(id) && holding == .present { return false }
            // What holds no bytes protects nothing; while places are lacking it shows what is owed.
            return isComplete || (holding == .pending && !isShort)
        }
        let gone = Set(candidates.filter { $0.state == .lost }.map(\.backendID)).union(away)
        let leaving = holdings.filter { id, holding in
            holding == .present && !members.contains(id) && !gone.contains(id)
        }
        let takers = chosen.filter { $0.takesBytesNow && Placement.takes($0, policy, sizeBytes) }
        return ReplicaPlan(
            members: members, added: members.filter { holdings[$0] == nil }, surplus: surplus.keys.sorted(),
            leaving: leaving.keys.sorted(), isComplete: isComplete,
            refusal: isShort ? refusal(policy, candidates, sizeBytes, members.count) : nil,
            grants: Dictionary(
                uniqueKeysWithValues: takers.map { ($0.backendID, PlacementGrant(grantedBy: $0)) }))
    }

    /// How much a backend is wanted, lower is more; nil when a replica there would not count.
    private static func tier(
        of candidate: PlacementCandidate, _ holding: Holding?, _ policy: EffectivePolicy, _ sizeBytes: Int64,
        _ away: Set<Int64>
    ) -> Int? {
        guard !away.contains(candidate.backendID), Placement.counts(candidate, policy) else { return nil }
        if holding == .present { return 0 }
        guard Placement.takes(candidate, policy, sizeBytes) else { return nil }
        return switch holding {
        case .pending, .damaged: 1
        case .removing: 2
        default: candidate.takesBytesNow ? 3 : 4
        }
    }

    private static func refusal(
        _ policy: EffectivePolicy, _ candidates: [PlacementCandidate], _ sizeBytes: Int64, _ count: Int
    ) -> PlacementRefusal {
        if case .refuse(let refusal) = Placement.decide(policy, candidates: candidates, sizeBytes: sizeBytes) {
            return refusal
        }
        return PlacementRefusal(
            rule: "health", explanation: "\(count) of \(policy.replicaCount) backends can have the object now.",
            isHealth: true)
    }
}
