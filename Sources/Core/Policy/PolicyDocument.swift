/// Where replicas may live and how many there must be: one policy as an operator wrote it, checked.
///
/// ```json
/// { "residency": { "allow": ["country:FI", "jurisdiction:EU"], "deny": ["provider:example"], "require": ["iso27001"] },
///   "replicas":  { "count": 2, "distinct": "country", "acknowledge": 1, "order": ["fi-hel-1", "de-fra-1"] } }
/// ```
///
/// `"within": "country"` keeps all replicas of a version in one country, `"spread": {"region": 2}` in two regions at
/// least. `"preset": "standard"` beside or instead of these is short for the numbers of `PolicyPreset`.
///
/// Every member may be left out. What the rules mean together is in `EffectivePolicy`.
package struct PolicyDocument: Sendable, Equatable {
    /// A location satisfies it when it matches one of `allow` (or there is none), none of `deny`, and all of `require`.
    package struct Residency: Sendable, Equatable {
        package var allow: [LocationSelector] = []
        package var deny: [LocationSelector] = []
        package var require: [LocationSelector] = []

        package init() {}
    }

    package struct Replicas: Sendable, Equatable {
        package var count: Int?
        package var distinct: Distinctness?
        /// What all replicas of one version share.
        package var within: Attribute?
        package var spread: Spread?
        package var acknowledge: Acknowledge?
        /// Region labels, most wanted first; backends elsewhere come after them.
        package var order: [String] = []

        package init() {}
    }

    /// What must differ between any two replicas of one version, which always stand on different backends.
    package enum Distinctness: String, Sendable, CaseIterable {
        case none, backend, region, country, provider
    }

    /// What a location says of itself that replicas may share.
    package enum Attribute: String, Sendable, CaseIterable {
        case region, country, provider
    }

    /// In how many different places, at least, the replicas of one version stand together.
    package struct Spread: Sendable, Hashable {
        package let attribute: Attribute
        /// Two or more; as many as there are replicas when these are fewer.
        package let count: Int
    }

    /// How many replicas must be durable before the client hears 200.
    package enum Acknowledge: Sendable, Hashable {
        case number(Int)
        /// More than half of the replicas.
        case quorum
        case all
    }

    package static let replicaCounts = 1...16
    package static let maximumListLength = 256

    package var residency = Residency()
    package var replicas = Replicas()

    package init() {}
}

/// The canonical JSON: members in a fixed order, what was left out stays out.
extension PolicyDocument {
    package var json: [UInt8] { jsonValue.compact }

    package var jsonValue: JSONValue {
        var members: [JSONValue.Member] = []
        let lists = [("allow", residency.allow), ("deny", residency.deny), ("require", residency.require)]
        let rules = lists.filter { !$0.1.isEmpty }.map { name, selectors in
            JSONValue.Member(name, .texts(selectors.map(\.description)))
        }
        if !rules.isEmpty { members.append(.init("residency", .object(rules))) }
        var numbers: [JSONValue.Member] = []
        if let count = replicas.count { numbers.append(.init("count", .number(count))) }
        if let distinct = replicas.distinct { numbers.append(.init("distinct", .string(distinct.rawValue))) }
        if let within = replicas.within { numbers.append(.init("within", .string(within.rawValue))) }
        if let spread = replicas.spread {
            numbers.append(.init("spread", .object([.init(spread.attribute.rawValue, .number(spread.count))])))
        }
        if let acknowledge = replicas.acknowledge { numbers.append(.init("acknowledge", acknowledge.jsonValue)) }
        if !replicas.order.isEmpty { numbers.append(.init("order", .texts(replicas.order))) }
        if !numbers.isEmpty { members.append(.init("replicas", .object(numbers))) }
        return .object(members)
    }
}

extension PolicyDocument.Acknowledge {
    fileprivate var jsonValue: JSONValue {
        switch self {
        case .number(let number): .number(number)
        case .quorum: .string("quorum")
        case .all: .string("all")
        }
    }

    /// The number of replicas it stands for, at most `count`.
    package func resolved(count: Int) -> Int {
        switch self {
        case .number(let number): min(number, count)
        case .quorum: count / 2 + 1
        case .all: count
        }
    }
}
