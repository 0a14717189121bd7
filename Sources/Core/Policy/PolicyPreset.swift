/// A redundancy that has a name.
///
/// The name is short for numbers: a policy is stored with these, and does not change when a later program means others.
package enum PolicyPreset: String, Sendable, CaseIterable {
    /// Three copies in two regions at least.
    case standard
    /// Two copies in one country.
    case regional

    package var replicas: PolicyDocument.Replicas {
        var replicas = PolicyDocument.Replicas()
        switch self {
        case .standard:
            replicas.count = 3
            replicas.spread = PolicyDocument.Spread(attribute: .region, count: 2)
        case .regional:
            replicas.count = 2
            replicas.within = .country
        }
        return replicas
    }
}

extension PolicyDocument {
    /// A policy with the replicas of `preset` and no other rule.
    package init(_ preset: PolicyPreset) {
        self.init()
        replicas = preset.replicas
    }

    /// Takes the replicas of `preset`; throws where the document says a number of its own for them.
    mutating func apply(_ preset: PolicyPreset, at path: String) throws(PolicyError) {
        guard replicas.count == nil, replicas.distinct == nil, replicas.within == nil, replicas.spread == nil else {
            throw PolicyError(path, "leaves no room for count, distinct, within or spread in $.replicas")
        }
        let named = preset.replicas
        replicas.count = named.count
        replicas.within = named.within
        replicas.spread = named.spread
    }
}
