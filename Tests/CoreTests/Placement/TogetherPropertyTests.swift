import Core
import Testing

/// `distinct`, `within` and `spread` against a judge that tries every set of backends.
@Suite struct TogetherPropertyTests {
    struct Rules {
        var count: Int
        var distinct: String?
        var within: String?
        var spread: (attribute: String, count: Int)?

        static func random(_ numbers: inout SeededNumbers) -> Rules {
            var rules = Rules(count: Int.random(in: 1...4, using: &numbers))
            let words = ["region", "country", "provider"]
            rules.distinct =
                [nil, nil, "backend", "region", "country", "provider"].randomElement(using: &numbers) ?? nil
            rules.within = ([nil, nil] + words).randomElement(using: &numbers) ?? nil
            if rules.within == rules.distinct { rules.within = nil }
            if rules.count > 1, Bool.random(using: &numbers) {
                let attribute = words.filter { $0 != rules.within }.randomElement(using: &numbers) ?? "region"
                rules.spread = (attribute, Int.random(in: 2...rules.count, using: &numbers))
            }
            return rules
        }

        var json: String {
            var members = [#""count":\#(count)"#]
            if let distinct { members.append(#""distinct":"\#(distinct)""#) }
            if let within { members.append(#""within":"\#(within)""#) }
            if let spread { members.append(#""spread":{"\#(spread.attribute)":\#(spread.count)}"#) }
            return #"{"replicas":{\#(members.joined(separator: ","))}}"#
        }

        func word(_ attribute: String, _ candidate: PlacementCandidate) -> String? {
            switch attribute {
            case "region": candidate.location.region
            case "country": candidate.location.country
            case "provider": candidate.location.provider
            default: candidate.name
            }
        }

        /// Whether these may be some of the replicas: the others may still come.
        func admits(_ members: [PlacementCandidate]) -> Bool {
            if count == 1 { return true }
            if let distinct {
                let words = members.map { word(distinct, $0) }
                if words.contains(nil) || Set(words).count < words.count { return false }
            }
            if let within {
                let words = members.map { word(within, $0) }
                if words.contains(nil) || Set(words).count > 1 { return false }
            }
            guard let spread else { return true }
            let words = members.map { word(spread.attribute, $0) }
            return !words.contains(nil) && members.count - Set(words).count <= count - spread.count
        }

        /// All sets of that many, the most wanted first: backends are wanted by name.
        func sets(of size: Int, from candidates: [PlacementCandidate]) -> [[PlacementCandidate]] {
            let ranked = candidates.sorted { $0.name < $1.name }
            var found: [[Int]] = []
            for subset in 0..<(1 << ranked.count) {
                let members = ranked.indices.filter { subset >> $0 & 1 == 1 }
                if members.count == size, admits(members.map { ranked[$0] }) { found.append(members) }
            }
            return found.sorted { $0.lexicographicallyPrecedes($1) }.map { $0.map { ranked[$0] } }
        }
    }

    static func candidates(_ numbers: inout SeededNumbers, healthy: Bool) -> [PlacementCandidate] {
        (1...Int64.random(in: 1...7, using: &numbers)).map { id in
            PlacementCandidate(
                backendID: id, name: "b\(id)",
                location: Location(
                    region: ["r1", "r2", "r3", "r4"].randomElement(using: &numbers) ?? "r1",
                    country: ["FI", "DE", "FR", nil].randomElement(using: &numbers) ?? nil,
                    provider: ["p", "q", "r", nil].randomElement(using: &numbers) ?? nil),
                state: .active, isHealthy: healthy || Int.random(in: 0..<3, using: &numbers) > 0)
        }
    }

    static func policy(_ rules: Rules) throws -> EffectivePolicy {
        try EffectivePolicy(
            tenant: try PolicyDocument(parsing: Array(rules.json.utf8)), bucket: nil, locations: [],
            replicaCountTag: nil)
    }

    @Test(arguments: 41...44 as ClosedRange<UInt64>)
    func `the most wanted set that keeps all rules is granted, and refused is only what has none`(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        var placed = 0
        for number in 0..<1500 {
            let rules = Rules.random(&numbers)
            let candidates = Self.candidates(&numbers, healthy: true)
            let comment: Comment = "seed \(seed), case \(number): \(rules.json) \(candidates)"
            let best = rules.sets(of: rules.count, from: candidates).first
            switch Placement.decide(try Self.policy(rules), candidates: candidates, sizeBytes: 1) {
            case .refuse(let refusal): try #require(best == nil && !refusal.isHealth, comment)
            case .place(let plan):
                placed += 1
                try #require(plan.grants.map(\.backendID) == best?.map(\.backendID), comment)
            }
        }
        #expect((300..<1400).contains(placed), "the cases of seed \(seed) tell nothing: \(placed)")
    }

    @Test(arguments: 51...54 as ClosedRange<UInt64>)
    func `with some backends down what is written and what is owed keep the rules together`(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        for number in 0..<1500 {
            let rules = Rules.random(&numbers)
            let candidates = Self.candidates(&numbers, healthy: false)
            let comment: Comment = "seed \(seed), case \(number): \(rules.json) \(candidates)"
            guard case .place(let plan) = Placement.decide(try Self.policy(rules), candidates: candidates, sizeBytes: 1)
            else { continue }
            func named(_ grants: [PlacementGrant]) -> [PlacementCandidate] {
                grants.compactMap { grant in candidates.first { $0.backendID == grant.backendID } }
            }
            try #require(named(plan.grants).allSatisfy(\.isHealthy) && !plan.grants.isEmpty, comment)
            try #require(rules.admits(named(plan.grants + plan.pendingUnhealthy)), comment)
            for failed in plan.grants {
                let kept = named(plan.grants.filter { $0 != failed })
                let later = candidates.map { $0.backendID == failed.backendID ? $0.with(isHealthy: false) : $0 }
                guard
                    case .place(let second) = Placement.decide(
                        try Self.policy(rules), candidates: later, sizeBytes: 1,
                        keeping: Set(kept.map(\.backendID)))
                else { continue }
                try #require(rules.admits(named(second.grants + second.pendingUnhealthy)), comment)
                let others = later.filter { $0.isHealthy && !kept.contains($0) }
                guard others.contains(where: { rules.admits(kept + [$0]) }) else { continue }
                try #require(named(second.grants).starts(with: kept), comment)
            }
        }
    }

    /// What the worker does, without the bytes: one copy at a time, then what the plan calls superfluous goes.
    @Test(arguments: 61...66 as ClosedRange<UInt64>)
    func `any start ends as policy wants it, and on the way there is never less than there was or should be`(
        seed: UInt64
    ) throws {
        var numbers = SeededNumbers(seed: seed)
        var moved = 0
        for number in 0..<1500 {
            let rules = Rules.random(&numbers)
            let candidates = Self.candidates(&numbers, healthy: true)
            let policy = try Self.policy(rules)
            let comment: Comment = "seed \(seed), case \(number): \(rules.json) \(candidates)"
            var holdings: [Int64: ReplicaPlan.Holding] = [:]
            for candidate in candidates {
                holdings[candidate.backendID] =
                    [nil, nil, .present, .present, .pending, .damaged, .removing].randomElement(using: &numbers) ?? nil
            }
            func present() -> [PlacementCandidate] { candidates.filter { holdings[$0.backendID] == .present } }
            let least = min(present().count, rules.count)
            var plan = ReplicaPlan.decide(policy, candidates: candidates, sizeBytes: 1, holdings: holdings)
            for _ in 0..<20 where !plan.isComplete || !plan.surplus.isEmpty {
                let removed = plan.surplus.randomElement(using: &numbers)
                if let removed { holdings[removed] = nil }
                if let copied = plan.members.filter({ holdings[$0] != .present }).randomElement(using: &numbers) {
                    try #require(plan.grant(for: copied)?.backendID == copied, comment)
                    holdings[copied] = .present
                    moved += 1
                }
                try #require(present().count >= least, comment)
                plan = ReplicaPlan.decide(policy, candidates: candidates, sizeBytes: 1, holdings: holdings)
            }
            let isPossible = !rules.sets(of: rules.count, from: candidates).isEmpty
            try #require(plan.isComplete == isPossible && (plan.refusal == nil) == isPossible, comment)
            guard isPossible else { continue }
            try #require(plan.surplus == [] && plan.added == [], comment)
            try #require(present().count == rules.count && rules.admits(present()), comment)
        }
        #expect(moved > 500, "the cases of seed \(seed) tell nothing: \(moved)")
    }

    @Test(arguments: [
        (#"{"preset":"standard"}"#, #"{"replicas":{"count":3,"spread":{"region":2}}}"#),
        (
            #"{"preset":"regional","replicas":{"acknowledge":"all"}}"#,
            #"{"replicas":{"count":2,"within":"country","acknowledge":"all"}}"#
        ),
    ])
    func `a preset is short for its numbers`(short: String, long: String) throws {
        let policy = try PolicyDocument(parsing: Array(short.utf8))
        #expect(String(decoding: policy.json, as: UTF8.self) == long)
        #expect(try PolicyDocument(parsing: policy.json) == policy)
    }

    @Test(arguments: [
        (#"{"preset":"best"}"#, "$.preset"), (#"{"preset":"standard","replicas":{"count":2}}"#, "$.preset"),
        (#"{"replicas":{"within":"planet"}}"#, "$.replicas.within"),
        (#"{"replicas":{"within":"country","distinct":"country"}}"#, "$.replicas.within"),
        (#"{"replicas":{"within":"country","spread":{"country":2}}}"#, "$.replicas.spread.country"),
        (#"{"replicas":{"spread":{}}}"#, "$.replicas.spread"),
        (#"{"replicas":{"spread":{"region":2,"country":2}}}"#, "$.replicas.spread"),
        (#"{"replicas":{"spread":{"region":1}}}"#, "$.replicas.spread.region"),
        (#"{"replicas":{"count":2,"spread":{"region":3}}}"#, "$.replicas.spread.region"),
        (#"{"replicas":{"spread":2}}"#, "$.replicas.spread"),
    ])
    func `what cannot be meant is refused with its place`(json: String, path: String) {
        let error = #expect(throws: PolicyError.self) { try PolicyDocument(parsing: Array(json.utf8)) }
        #expect(error?.path == path)
    }
}
