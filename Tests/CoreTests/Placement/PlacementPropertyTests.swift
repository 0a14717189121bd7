import Core
import Testing

/// Random policies and backends; every failure names its seed.
@Suite struct PlacementPropertyTests {
    static let casesPerSeed = 1000

    struct Case {
        var documents: [PlacementOracle.Document]
        var locations: [String]
        var tag: Int?
        var candidates: [PlacementCandidate]

        func policy() throws -> EffectivePolicy {
            let parsed = try documents.map { try PolicyDocument(parsing: Array($0.json.utf8)) }
            return try EffectivePolicy(
                tenant: parsed[0], bucket: parsed[1], locations: locations, replicaCountTag: tag)
        }

        func decide(keeping kept: Set<Int64> = []) throws -> PlacementDecision {
            Placement.decide(try policy(), candidates: candidates, sizeBytes: 1, keeping: kept)
        }

        func oracle(count: Int) -> PlacementOracle {
            PlacementOracle(documents: documents, locations: locations, count: count)
        }
    }

    static let regions = ["fi-1", "fi-2", "de-1", "fr-1", "se-1"]
    static let selectors = [
        "country:FI", "country:DE", "country:FR", "jurisdiction:EU", "jurisdiction:EEA", "provider:p", "provider:q",
        "region:fi-1", "region:se-1", "certification:c5",
    ]

    static func some(_ words: [String], atMost limit: Int, _ numbers: inout SeededNumbers) -> [String] {
        Array(words.shuffled(using: &numbers).prefix(Int.random(in: 0...limit, using: &numbers)))
    }

    static func document(_ numbers: inout SeededNumbers) -> PlacementOracle.Document {
        var document = PlacementOracle.Document()
        if Bool.random(using: &numbers) { document.allow = some(selectors, atMost: 4, &numbers) }
        if Int.random(in: 0..<3, using: &numbers) == 0 { document.deny = some(selectors, atMost: 2, &numbers) }
        if Int.random(in: 0..<4, using: &numbers) == 0 {
            document.require = some(["c5", "country:FI"], atMost: 1, &numbers)
        }
        document.deny.removeAll { document.allow.contains($0) }
        document.deny.removeAll { document.require.contains($0) || $0 == "certification:c5" }
        document.count = [nil, nil, 1, 2, 3].randomElement(using: &numbers) ?? nil
        document.distinct =
            [nil, "none", "backend", "region", "country", "provider"].randomElement(using: &numbers) ?? nil
        document.acknowledge = [nil, "1", "\"quorum\"", "\"all\""].randomElement(using: &numbers) ?? nil
        document.order = some(regions, atMost: 3, &numbers)
        return document
    }

    static func candidate(_ id: Int64, _ numbers: inout SeededNumbers) -> PlacementCandidate {
        let location = Location(
            region: regions.randomElement(using: &numbers) ?? "fi-1",
            country: ["FI", "DE", "FR", "SE", nil].randomElement(using: &numbers) ?? nil,
            jurisdictions: some(["EU", "EEA"], atMost: 2, &numbers),
            provider: ["p", "q", "r", nil].randomElement(using: &numbers) ?? nil,
            certifications: some(["c5", "iso27001"], atMost: 2, &numbers))
        let states: [BackendState] = [
            .active, .active, .active, .active, .active, .readOnly, .draining, .offline, .lost,
        ]
        return PlacementCandidate(
            backendID: id, name: "b\(id)", location: location, state: states.randomElement(using: &numbers) ?? .active,
            isHealthy: Int.random(in: 0..<4, using: &numbers) > 0)
    }

    static func randomCase(_ numbers: inout SeededNumbers) -> Case {
        if Int.random(in: 0..<4, using: &numbers) == 0 { return tightCase(&numbers) }
        return Case(
            documents: [document(&numbers), document(&numbers)],
            locations: Int.random(in: 0..<4, using: &numbers) == 0 ? some(regions, atMost: 4, &numbers) : [],
            tag: Int.random(in: 0..<4, using: &numbers) == 0 ? Int.random(in: 1...4, using: &numbers) : nil,
            candidates: (0..<Int64.random(in: 0...7, using: &numbers)).map { candidate($0 + 1, &numbers) })
    }

    /// Nothing is forbidden, but country and provider both have to differ, and there are few of each: a greedy choice
    /// often ends where a better one would not.
    static func tightCase(_ numbers: inout SeededNumbers) -> Case {
        var documents = [PlacementOracle.Document(), PlacementOracle.Document()]
        documents[0].distinct = "country"
        documents[1].distinct = "provider"
        documents[0].count = Int.random(in: 2...3, using: &numbers)
        documents[1].acknowledge = ["1", "\"quorum\"", "\"all\""].randomElement(using: &numbers)
        let candidates = (1...Int64.random(in: 3...6, using: &numbers)).map { id in
            let country = ["FI", "DE", "FR"].randomElement(using: &numbers)
            let provider = ["p", "q", "r"].randomElement(using: &numbers)
            return PlacementCandidate(
                backendID: id, name: "b\(id)",
                location: Location(region: "r\(id)", country: country, provider: provider), state: .active,
                isHealthy: Int.random(in: 0..<6, using: &numbers) > 0)
        }
        return Case(documents: documents, locations: [], tag: nil, candidates: candidates)
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `what is granted is what trying every subset finds`(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        var placed = 0
        var refused = 0
        for number in 0..<Self.casesPerSeed {
            let world = Self.randomCase(&numbers)
            let policy = try world.policy()
            let oracle = world.oracle(count: policy.replicaCount)
            let possible = oracle.best(world.candidates.filter(oracle.mayHold), limit: policy.replicaCount)
            let now = oracle.best(world.candidates.filter(oracle.mayTakeBytesNow), limit: policy.replicaCount)
            let comment: Comment = "seed \(seed), case \(number): \(world)"
            switch try world.decide() {
            case .refuse(let refusal):
                refused += 1
                let isPolicy = possible.count < policy.replicaCount
                try #require(isPolicy || now.count < policy.acknowledge, comment)
                try #require(refusal.isHealth == !isPolicy, comment)
            case .place(let plan):
                placed += 1
                try #require(possible.count == policy.replicaCount && now.count >= policy.acknowledge, comment)
                try #require(plan.grants.map(\.backendID) == now.map(\.backendID), comment)
                try check(plan, world, oracle, comment)
            }
        }
        #expect(placed > 150 && refused > 150, "the cases of seed \(seed) tell nothing: \(placed) and \(refused)")
    }

    /// No grant of any kind breaks a rule; what is pending completes the replicas; when one fails after the others have
    /// the bytes, these keep theirs whenever another can stand beside them.
    func check(_ plan: Plan, _ world: Case, _ oracle: PlacementOracle, _ comment: Comment) throws {
        func candidates(_ grants: [PlacementGrant]) -> [PlacementCandidate] {
            grants.compactMap { grant in world.candidates.first { $0.backendID == grant.backendID } }
        }
        let targets = candidates(plan.grants)
        let pending = candidates(plan.pendingUnhealthy)
        try #require((targets + candidates(plan.spares)).allSatisfy(oracle.mayTakeBytesNow), comment)
        try #require(pending.allSatisfy { oracle.mayHold($0) && !oracle.mayTakeBytesNow($0) }, comment)
        try #require(oracle.areDistinct(targets + pending), comment)
        let wishes = Set(world.documents.compactMap(\.distinct)).subtracting(["none", "backend"])
        if wishes.count < 2 { try #require(targets.count + pending.count == plan.replicaCount, comment) }
        for failed in plan.grants {
            let kept = Set(plan.grants.map(\.backendID)).subtracting([failed.backendID])
            var later = world
            later.candidates = world.candidates.map {
                $0.backendID == failed.backendID ? $0.with(isHealthy: false) : $0
            }
            let left = later.candidates.filter(oracle.mayTakeBytesNow)
            let best = oracle.best(left, limit: plan.replicaCount, keeping: kept)
            guard case .place(let second) = try later.decide(keeping: kept) else {
                try #require(best.count < plan.acknowledge, comment)
                continue
            }
            try #require(second.grants.map(\.backendID) == best.map(\.backendID), comment)
        }
    }

    @Test(arguments: 11...13 as ClosedRange<UInt64>)
    func `the order of the candidates does not matter`(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        for number in 0..<Self.casesPerSeed {
            let world = Self.randomCase(&numbers)
            var shuffled = world
            shuffled.candidates.shuffle(using: &numbers)
            try #require(try world.decide() == shuffled.decide(), "seed \(seed), case \(number): \(world)")
        }
    }

    @Test(arguments: 21...23 as ClosedRange<UInt64>)
    func `more permission never refuses what was placed, less never places what policy refused`(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        for number in 0..<Self.casesPerSeed {
            let world = Self.randomCase(&numbers)
            let comment: Comment = "seed \(seed), case \(number): \(world)"
            let extra = Self.selectors.randomElement(using: &numbers) ?? ""
            var wider = world
            wider.candidates.append(Self.candidate(100, &numbers))
            if !wider.documents[0].allow.isEmpty && !wider.documents[0].deny.contains(extra)
                && !wider.documents[0].allow.contains(extra)
            {
                wider.documents[0].allow.append(extra)
            }
            var narrower = world
            let isKnown = narrower.documents[1].allow + narrower.documents[1].deny + narrower.documents[1].require
            if !isKnown.contains(extra) && extra != "certification:c5" { narrower.documents[1].deny.append(extra) }
            switch try world.decide() {
            case .place(let plan):
                guard case .place(let widerPlan) = try wider.decide() else {
                    Issue.record(comment)
                    continue
                }
                try #require(widerPlan.grants.count >= plan.grants.count, comment)
            case .refuse(let refusal) where !refusal.isHealth:
                guard case .refuse(let narrowerRefusal) = try narrower.decide() else {
                    Issue.record(comment)
                    continue
                }
                try #require(!narrowerRefusal.isHealth, comment)
            case .refuse: continue
            }
        }
    }

    @Test func `explain agrees with the decision for every backend`() throws {
        var numbers = SeededNumbers(seed: 31)
        for _ in 0..<Self.casesPerSeed {
            let world = Self.randomCase(&numbers)
            let rows = Placement.explain(try world.policy(), candidates: world.candidates, sizeBytes: 1)
            let oracle = world.oracle(count: try world.policy().replicaCount)
            #expect(Set(rows.map(\.candidate)) == Set(world.candidates))
            for row in rows where row.verdict.role != .refused { #expect(oracle.mayHold(row.candidate)) }
            guard case .place(let plan) = try world.decide() else { continue }
            let targets = rows.filter { $0.verdict.role == .target }.map(\.candidate.backendID)
            #expect(Set(targets) == Set(plan.grants.map(\.backendID)))
        }
    }
}
