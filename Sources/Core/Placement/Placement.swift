/// Decides where an object's bytes may go: one pure function for the front door, the worker and every explanation.
///
/// Total and deterministic: the order of `candidates` does not matter. Backends are preferred by the policy's orders,
/// then active ones, then by name.
package enum Placement {
    /// Returns where to write an object of `sizeBytes`, or which rule leaves too few backends.
    ///
    /// A backend is *allowed* when it satisfies every residency rule, is active or offline, and takes an object of that
    /// size. Too few allowed ones are a refusal that waiting does not help; unhealthy and offline ones
    /// count as allowed. With enough allowed but fewer healthy than `acknowledge` it is a refusal for now; in between,
    /// the healthy ones are written and the rest is pending.
    ///
    /// Backends of `kept` have the bytes already, and are preferred to all others; one that is not among the grants can
    /// not stand beside them.
    package static func decide(
        _ policy: EffectivePolicy, candidates: [PlacementCandidate], sizeBytes: Int64, keeping kept: Set<Int64> = []
    ) -> PlacementDecision {
        let rule = PlaceRule(policy)
        let surveyed = survey(policy, candidates, sizeBytes)
        let wanted = surveyed.filter { $0.violation == nil }.map(\.candidate)
        let allowed = wanted.filter { kept.contains($0.backendID) } + wanted.filter { !kept.contains($0.backendID) }
        let places = allowed.compactMap { rule.place(of: $0) }
        guard rule.largestCount(places) >= policy.replicaCount else {
            return .refuse(tooFewAllowed(policy, surveyed))
        }
        let viable = rule.viable(places)
        return plan(policy, rule, viable.map { allowed[$0] }, viable.map { places[$0] })
    }

    /// Returns what is decided about each backend and why, the most wanted backend first.
    package static func explain(
        _ policy: EffectivePolicy, candidates: [PlacementCandidate], sizeBytes: Int64
    ) -> [(candidate: PlacementCandidate, verdict: PlacementVerdict)] {
        let decision = decide(policy, candidates: candidates, sizeBytes: sizeBytes)
        return survey(policy, candidates, sizeBytes).map { ($0.candidate, verdict($0, decision)) }
    }

    private struct Violation {
        let rule: String
        /// Where the rule stands in the order in which rules are tried.
        let stage: Int
        let reason: String
    }

    private struct Surveyed {
        let candidate: PlacementCandidate
        /// The first rule it breaks.
        let violation: Violation?
    }

    private static let distinctRule = "replicas.distinct"
    private static let withinRule = "replicas.within"
    private static let spreadRule = "replicas.spread"
    private static let countRule = "replicas.count"

    private static func survey(
        _ policy: EffectivePolicy, _ candidates: [PlacementCandidate], _ sizeBytes: Int64
    ) -> [Surveyed] {
        #if S3GW_PLANTED_BUGS
            if PlantedBug.ignoreResidency.isOn, candidates.contains(where: { !$0.isHealthy }) {
                return sorted(candidates, by: policy.orders).map { Surveyed(candidate: $0, violation: nil) }
            }
        #endif
        return sorted(candidates, by: policy.orders).map { candidate in
            Surveyed(candidate: candidate, violation: violation(policy, candidate, sizeBytes))
        }
    }

    private static func violation(
        _ policy: EffectivePolicy, _ candidate: PlacementCandidate, _ sizeBytes: Int64
    ) -> Violation? {
        for (stage, rule) in policy.rules.enumerated() {
            guard let reason = rule.violation(by: candidate.location) else { continue }
            return Violation(rule: rule.name, stage: stage, reason: reason)
        }
        let stage = policy.rules.count
        let together = PlaceRule(policy)
        if together.place(of: candidate) == nil {
            let words = together.attributes.joined(separator: " and ")
            return Violation(
                rule: togetherRule(policy), stage: stage,
                reason: "its \(words) is not known, so it may not stand as it should to others")
        }
        if let limit = candidate.maximumObjectSizeBytes, sizeBytes > limit {
            return Violation(rule: "backend.size", stage: stage + 1, reason: "takes objects of at most \(limit) bytes")
        }
        switch candidate.state {
        case .active, .offline: return nil
        case .readOnly, .draining, .lost:
            return Violation(rule: "backend.state", stage: stage + 2, reason: "is \(candidate.state.rawValue)")
        }
    }

    /// Tells whether a replica that is present there counts for `policy`.
    static func counts(_ candidate: PlacementCandidate, _ policy: EffectivePolicy) -> Bool {
        // A backend that is draining loses what it has as soon as others have it, so it does not count.
        guard [.active, .readOnly, .offline].contains(candidate.state) else { return false }
        guard policy.rules.allSatisfy({ $0.violation(by: candidate.location) == nil }) else { return false }
        return PlaceRule(policy).place(of: candidate) != nil
    }

    /// Tells whether `policy` lets an object of that size go there, now or once the backend is well.
    static func takes(_ candidate: PlacementCandidate, _ policy: EffectivePolicy, _ sizeBytes: Int64) -> Bool {
        violation(policy, candidate, sizeBytes) == nil
    }

    /// Returns the right to send one more part to a place where an upload runs that began before the backend was drained;
    /// nil unless it is being drained, is well, and breaks no other rule.
    ///
    /// The parts that are there cannot be brought elsewhere before the upload is completed, and then they are.
    package static func continuing(
        _ policy: EffectivePolicy, _ candidate: PlacementCandidate, sizeBytes: Int64
    ) -> PlacementGrant? {
        guard candidate.state == .draining, candidate.isHealthy else { return nil }
        let asActive = PlacementCandidate(
            backendID: candidate.backendID, name: candidate.name, location: candidate.location, state: .active,
            isHealthy: true, maximumObjectSizeBytes: candidate.maximumObjectSizeBytes)
        return takes(asActive, policy, sizeBytes) ? PlacementGrant(grantedBy: candidate) : nil
    }

    private static func plan(
        _ policy: EffectivePolicy, _ rule: PlaceRule, _ allowed: [PlacementCandidate], _ places: [Place]
    ) -> PlacementDecision {
        let healthy = allowed.indices.filter { allowed[$0].takesBytesNow }
        let unhealthy = allowed.indices.filter { !allowed[$0].takesBytesNow }
        let targets = rule.choose(healthy.map { places[$0] }, count: policy.replicaCount)
            .map { healthy[$0] }
        guard targets.count >= policy.acknowledge else {
            let have = "\(targets.count) of the \(allowed.count) backends the policy allows can be written now"
            return .refuse(
                PlacementRefusal(
                    rule: "health", explanation: "\(have), and \(policy.acknowledge) must be.", isHealth: true))
        }
        let pending = rule.choose(
            unhealthy.map { places[$0] }, count: policy.replicaCount - targets.count,
            besides: targets.map { places[$0] }
        ).map { unhealthy[$0] }
        let grant: (Int) -> PlacementGrant = { PlacementGrant(grantedBy: allowed[$0]) }
        return .place(
            Plan(
                grants: targets.map(grant), spares: healthy.filter { !targets.contains($0) }.map(grant),
                replicaCount: policy.replicaCount, acknowledge: policy.acknowledge,
                pendingUnhealthy: pending.map(grant)))
    }

    /// Names the rule that brings the number of backends below what is needed, trying the rules in their order.
    private static func tooFewAllowed(_ policy: EffectivePolicy, _ surveyed: [Surveyed]) -> PlacementRefusal {
        let needed = policy.replicaCount
        var rule = countRule
        var left = surveyed.count
        if left >= needed {
            rule = togetherRule(policy)
            left = surveyed.count { $0.violation == nil }
            let broken = surveyed.compactMap(\.violation).sorted { $0.stage < $1.stage }
            for (index, violation) in broken.enumerated() where surveyed.count - index - 1 < needed {
                rule = violation.rule
                left = surveyed.count - broken.count { $0.stage <= violation.stage }
                break
            }
        }
        let kind = "needed" + together(policy)
        let backends = left == 1 ? "1 backend" : "\(left) backends"
        let want = needed == 1 ? "1 is \(kind)" : "\(needed) are \(kind)"
        return PlacementRefusal(
            rule: rule, explanation: "The rule \(rule) leaves \(backends); \(want).", isHealth: false)
    }

    /// The rule about several replicas that has a name in refusals.
    private static func togetherRule(_ policy: EffectivePolicy) -> String {
        if !policy.distinct.isEmpty { return distinctRule }
        if !policy.within.isEmpty { return withinRule }
        return policy.spread.isEmpty ? distinctRule : spreadRule
    }

    private static func together(_ policy: EffectivePolicy) -> String {
        let rule = PlaceRule(policy)
        var words: [String] = []
        if !rule.distinct.isEmpty {
            words.append("differ in \(rule.distinct.map(\.rawValue).joined(separator: " and "))")
        }
        if !rule.within.isEmpty {
            words.append("share one \(rule.within.map(\.rawValue).joined(separator: " and one "))")
        }
        for spread in rule.spread { words.append("have \(spread.count) different \(spread.attribute.plural)") }
        return words.isEmpty ? "" : " that \(words.joined(separator: " and "))"
    }

    static func sorted(_ candidates: [PlacementCandidate], by orders: [[String]]) -> [PlacementCandidate] {
        let ranked = candidates.map { candidate in
            let ranks = orders.map { $0.firstIndex(of: candidate.location.region) ?? $0.count }
            return (candidate, ranks + [candidate.state == .active ? 0 : 1])
        }
        return ranked.sorted { one, other in
            if one.1 != other.1 { return one.1.lexicographicallyPrecedes(other.1) }
            let names = (Array(one.0.name.utf8), Array(other.0.name.utf8))
            if names.0 != names.1 { return names.0.lexicographicallyPrecedes(names.1) }
            return one.0.backendID < other.0.backendID
        }.map(\.0)
    }

    private static func verdict(_ surveyed: Surveyed, _ decision: PlacementDecision) -> PlacementVerdict {
        if let violation = surveyed.violation {
            let reason = "\(violation.rule): \(violation.reason)"
            return PlacementVerdict(role: .refused, rule: violation.rule, reason: reason)
        }
        let candidate = surveyed.candidate
        let health = candidate.state == .offline ? "offline" : "unhealthy"
        guard case .place(let plan) = decision else {
            return candidate.takesBytesNow
                ? PlacementVerdict(role: .allowed, rule: nil, reason: "allowed, but there are too few like it")
                : PlacementVerdict(role: .unhealthy, rule: nil, reason: "allowed, but \(health)")
        }
        if let rank = plan.grants.firstIndex(where: { $0.backendID == candidate.backendID }) {
            return PlacementVerdict(role: .target, rule: nil, reason: "replica \(rank + 1) of \(plan.replicaCount)")
        }
        if plan.pendingUnhealthy.contains(where: { $0.backendID == candidate.backendID }) {
            return PlacementVerdict(role: .pending, rule: nil, reason: "gets its replica later: \(health) now")
        }
        return candidate.takesBytesNow
            ? PlacementVerdict(role: .spare, rule: nil, reason: "allowed, not needed while the others are well")
            : PlacementVerdict(role: .unhealthy, rule: nil, reason: "allowed, but \(health)")
    }
}

extension PolicyDocument.Attribute {
    package var plural: String {
        switch self {
        case .region: "regions"
        case .country: "countries"
        case .provider: "providers"
        }
    }
}
