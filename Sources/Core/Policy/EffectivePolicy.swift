/// What holds for one object: the tenant's policy is the ceiling, and the bucket's may only narrow it.
///
/// - Residency: a backend has to satisfy the rules of both documents, and `LocationConstraint` where one was given.
/// - Replicas: the tenant's `count` is the least. A bucket may raise it; the tag `replica-count` replaces the bucket's
///   number, upwards or downwards, but never below the tenant's. Where nothing says a number it is 1.
/// - `distinct`: what the tenant and what the bucket wants to differ has to differ, both.
/// - `within` and `spread`: both documents' hold; of two spreads over one attribute the larger.
/// - `acknowledge`: the larger of the two, and never more than there are replicas.
/// - `order`: the bucket's, then `LocationConstraint`, then the tenant's.
///
/// Without any document: one replica, acknowledged, anywhere. See docs/decisions/0002-policy-evaluation.md.
package struct EffectivePolicy: Sendable, Equatable {
    package let replicaCount: Int
    /// The least `replica-count` a tag may ask for.
    package let replicaCountFloor: Int
    /// How many replicas must be durable before the client hears 200; 1...replicaCount.
    package let acknowledge: Int
    /// In the order in which they are tried.
    package let rules: [ResidencyRule]
    /// What must differ between any two replicas beside the backend; at most two of region, country and provider.
    package let distinct: [PolicyDocument.Distinctness]
    /// What all replicas share.
    package let within: [PolicyDocument.Attribute]
    /// In how many different places they stand at least, each attribute once.
    package let spread: [PolicyDocument.Spread]
    /// Region labels, three lists of preference, the stronger first.
    package let orders: [[String]]

    /// Throws `InvalidLocationConstraint` for a location that is no region label or stands twice, `InvalidTag` for
    /// a tag that is no number of replicas.
    package init(
        tenant: PolicyDocument?, bucket: PolicyDocument?, locations: [String], replicaCountTag: Int?
    ) throws(S3Error) {
        guard locations.allSatisfy(Location.isRegionLabel), Set(locations).count == locations.count else {
            throw S3Error(.invalidLocationConstraint).detail("LocationConstraint", locations.joined(separator: ","))
        }
        if let tag = replicaCountTag, !PolicyDocument.replicaCounts.contains(tag) {
            let counts = PolicyDocument.replicaCounts
            throw S3Error(
                .invalidTag, "replica-count must be a number from \(counts.lowerBound) to \(counts.upperBound)")
        }
        let floor = tenant?.replicas.count ?? PolicyDocument.replicaCounts.lowerBound
        let count = max(floor, replicaCountTag ?? bucket?.replicas.count ?? floor)
        let documents = [tenant, bucket].compactMap(\.self)
        replicaCountFloor = floor
        replicaCount = count
        acknowledge = documents.compactMap { $0.replicas.acknowledge?.resolved(count: count) }.max() ?? 1
        var rules = tenant?.residency.rules(scope: "tenant") ?? []
        rules += bucket?.residency.rules(scope: "bucket") ?? []
        if !locations.isEmpty { rules.append(ResidencyRule(name: "LocationConstraint", kind: .regions(locations))) }
        self.rules = rules
        distinct = documents.compactMap(\.replicas.distinct).reduce(into: []) { wanted, next in
            if next != .none && next != .backend && !wanted.contains(next) { wanted.append(next) }
        }
        within = documents.compactMap(\.replicas.within).reduce(into: []) { wanted, next in
            if !wanted.contains(next) { wanted.append(next) }
        }
        spread = PolicyDocument.Attribute.allCases.compactMap { attribute in
            documents.compactMap(\.replicas.spread).filter { $0.attribute == attribute }.max { $0.count < $1.count }
        }
        orders = [bucket?.replicas.order ?? [], locations, tenant?.replicas.order ?? []]
    }
}

extension PolicyDocument {
    /// Throws where this bucket's policy would widen its tenant's, so that it is refused when it is set.
    ///
    /// Evaluation does not rely on it: there the tenant's word holds whatever a bucket says.
    package func checkNarrows(_ tenant: PolicyDocument?) throws(PolicyError) {
        guard let floor = tenant?.replicas.count else { return }
        if let count = replicas.count, count < floor {
            throw PolicyError("$.replicas.count", "\(count) is fewer than the \(floor) of the tenant's policy")
        }
    }
}
