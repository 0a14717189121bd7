/// What policy and placement say today about one replica of a live version; pure.
enum ReplicaNeed: Equatable {
    /// It belongs where it was meant to be.
    case copy(PlacementGrant)
    /// The version has its replicas without it.
    case surplus
    /// Policy keeps it out of there now; these may have it instead, the most wanted first.
    case elsewhere([PlacementGrant])
    /// Not now.
    case wait(Backoff.Failure, cause: String)

    /// Decides about the replica on `target`, beside those on `present` and those meant for `pending`.
    static func decide(
        _ policy: EffectivePolicy, candidates: [PlacementCandidate], sizeBytes: Int64, target: Int64,
        present: Set<Int64>, pending: Set<Int64>
    ) -> ReplicaNeed {
        let places = Dictionary(
            uniqueKeysWithValues: candidates.compactMap { candidate in
                place(candidate, policy).map { (candidate.backendID, $0) }
            })
        let kept = present.subtracting([target]).sorted().compactMap { places[$0] }
        if DistinctSelection.largestCount(kept) >= policy.replicaCount { return .surplus }
        let plan: Plan
        switch Placement.decide(policy, candidates: candidates, sizeBytes: sizeBytes) {
        case .refuse(let refusal): return .wait(refusal.isHealth ? .unavailable : .refused, cause: refusal.explanation)
        case .place(let found): plan = found
        }
        let now = plan.grants + plan.spares
        let fits: (Int64) -> Bool = { id in
            places[id].map { place in kept.allSatisfy { $0.differs(from: place) } } ?? false
        }
        if plan.places[target] != nil && fits(target) {
            if let grant = now.first(where: { $0.backendID == target }) { return .copy(grant) }
            return .wait(.unavailable, cause: "the backend is not well")
        }
        let taken = present.union(pending).union([target])
        let others = now.filter { !taken.contains($0.backendID) && fits($0.backendID) }
        return others.isEmpty
            ? .wait(.unavailable, cause: "policy keeps the replica out of there, and no other backend can have it now")
            : .elsewhere(others)
    }

    /// Tells whether a version with replicas on `present` needs the one on `target` beside them.
    static func isNeeded(
        _ target: Int64, policy: EffectivePolicy, candidates: [PlacementCandidate], present: Set<Int64>
    ) -> Bool {
        guard let candidate = candidates.first(where: { $0.backendID == target }), place(candidate, policy) != nil
        else {
            return false
        }
        let kept = candidates.filter { present.contains($0.backendID) && $0.backendID != target }
        return DistinctSelection.largestCount(kept.compactMap { place($0, policy) }) < policy.replicaCount
    }

    /// Where a replica counts for `policy`; nil where residency keeps it out, and on a backend that is lost.
    private static func place(_ candidate: PlacementCandidate, _ policy: EffectivePolicy) -> DistinctPlace? {
        guard candidate.state != .lost else { return nil }
        guard policy.rules.allSatisfy({ $0.violation(by: candidate.location) == nil }) else { return nil }
        return DistinctPlace(of: candidate, distinct: policy.replicaCount > 1 ? policy.distinct : [])
    }
}
