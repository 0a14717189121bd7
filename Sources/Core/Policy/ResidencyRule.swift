/// One rule about where a backend may stand, with the name it has in refusals.
package struct ResidencyRule: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// At least one selector matches.
        case allow([LocationSelector])
        /// No selector matches, nor could match: an unknown attribute might be the denied one.
        case deny([LocationSelector])
        /// Every selector matches.
        case require([LocationSelector])
        /// The region is one of these: what LocationConstraint asked for.
        case regions([String])
    }

    /// Such as `tenant.residency.allow` or `LocationConstraint`.
    package let name: String
    let kind: Kind

    /// What the rule lists, such as `country:FI`.
    package var words: [String] {
        switch kind {
        case .allow(let selectors), .deny(let selectors), .require(let selectors): selectors.map(\.description)
        case .regions(let regions): regions
        }
    }

    /// Returns why `location` breaks the rule, nil when it satisfies it.
    package func violation(by location: Location) -> String? {
        switch kind {
        case .allow(let selectors):
            if selectors.contains(where: { $0.match(location) == .yes }) { return nil }
            return "matches none of \(Self.list(selectors))"
        case .deny(let selectors):
            for selector in selectors {
                switch selector.match(location) {
                case .yes: return "matches \(selector)"
                case .unknown: return "has no \(selector.attribute.rawValue), which might be \(selector.value)"
                case .no: continue
                }
            }
            return nil
        case .require(let selectors):
            return selectors.first { $0.match(location) != .yes }.map { "lacks \($0)" }
        case .regions(let regions):
            return regions.contains(location.region) ? nil : "is in \(location.region), not in \(Self.list(regions))"
        }
    }

    private static func list(_ words: [some CustomStringConvertible]) -> String {
        words.map(\.description).joined(separator: ", ")
    }
}

extension PolicyDocument.Residency {
    /// The rules of one document, in the order in which they are tried; `scope` begins their names.
    func rules(scope: String) -> [ResidencyRule] {
        var rules: [ResidencyRule] = []
        if !deny.isEmpty { rules.append(ResidencyRule(name: "\(scope).residency.deny", kind: .deny(deny))) }
        if !allow.isEmpty { rules.append(ResidencyRule(name: "\(scope).residency.allow", kind: .allow(allow))) }
        if !require.isEmpty { rules.append(ResidencyRule(name: "\(scope).residency.require", kind: .require(require))) }
        return rules
    }
}
