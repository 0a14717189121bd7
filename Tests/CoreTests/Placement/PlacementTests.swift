import Core
import Testing

@Suite struct PlacementTests {
    static func backend(
        _ id: Int64, _ name: String, country: String? = nil, provider: String? = nil, state: BackendState = .active,
        healthy: Bool = true, limit: Int64? = nil
    ) -> PlacementCandidate {
        PlacementCandidate(
            backendID: id, name: name,
            location: Location(region: name, country: country, jurisdictions: ["EU"], provider: provider), state: state,
            isHealthy: healthy, maximumObjectSizeBytes: limit)
    }

    let finland = backend(1, "fi-1", country: "FI", provider: "p")
    let secondFinland = backend(2, "fi-2", country: "FI", provider: "q")
    let germany = backend(3, "de-1", country: "DE", provider: "p")
    let france = backend(4, "fr-1", country: "FR", provider: "q")

    func policy(_ text: String = "{}", bucket: String = "{}", locations: [String] = []) throws -> EffectivePolicy {
        try EffectivePolicy(
            tenant: PolicyDocument(parsing: Array(text.utf8)), bucket: PolicyDocument(parsing: Array(bucket.utf8)),
            locations: locations, replicaCountTag: nil)
    }

    func plan(_ policy: EffectivePolicy, _ candidates: PlacementCandidate...) throws -> Plan {
        switch Placement.decide(policy, candidates: candidates, sizeBytes: 1) {
        case .place(let plan): plan
        case .refuse(let refusal): throw refusal
        }
    }

    func refusal(_ policy: EffectivePolicy, _ candidates: PlacementCandidate..., size: Int64 = 1) -> PlacementRefusal? {
        guard case .refuse(let refusal) = Placement.decide(policy, candidates: candidates, sizeBytes: size) else {
            return nil
        }
        return refusal
    }

    @Test func `replicas go to different countries in the policy's order`() throws {
        let policy = try policy(#"{"replicas":{"count":2,"distinct":"country","order":["fi-2","de-1"]}}"#)
        let plan = try plan(policy, finland, secondFinland, germany, france)
        #expect(plan.grants.map(\.backendID) == [2, 3] && plan.spares.map(\.backendID) == [1, 4])
    }

    @Test func `what has the bytes stays when another fails, unless nothing can stand beside it`() throws {
        let country = ["fi": "FI", "x": "DE", "b": "DE", "y": "SE"]
        let provider = ["fi": "p", "x": "p", "b": "q", "y": "r"]
        func backends(without failed: String) -> [PlacementCandidate] {
            ["fi", "x", "b", "y"].enumerated().map { index, name in
                PlacementCandidate(
                    backendID: Int64(index), name: name,
                    location: Location(region: name, country: country[name], provider: provider[name]),
                    state: .active, isHealthy: name != failed)
            }
        }
        let policy = try policy(
            #"{"replicas":{"count":2,"distinct":"country","order":["fi","x","b","y"]}}"#,
            bucket: #"{"replicas":{"distinct":"provider"}}"#)
        func grants(_ decision: PlacementDecision) -> [Int64] {
            guard case .place(let plan) = decision else { return [] }
            return plan.grants.map(\.backendID)
        }
        #expect(grants(Placement.decide(policy, candidates: backends(without: ""), sizeBytes: 1)) == [0, 2])
        let after = backends(without: "fi")
        #expect(grants(Placement.decide(policy, candidates: after, sizeBytes: 1)) == [1, 3])
        #expect(grants(Placement.decide(policy, candidates: after, sizeBytes: 1, keeping: [2])) == [2, 3])
        let alone = after.filter { $0.name != "y" }
        #expect(grants(Placement.decide(policy, candidates: alone, sizeBytes: 1, keeping: [2])) == [2])
    }

    @Test func `the first location is the primary, unless the bucket's own policy orders otherwise`() throws {
        let tenant = #"{"replicas":{"count":2,"order":["de-1"]}}"#
        let locations = ["fr-1", "de-1", "fi-1"]
        let plain = try plan(policy(tenant, locations: locations), finland, secondFinland, germany, france)
        #expect(plain.grants.map(\.backendID) == [4, 3] && plain.spares.map(\.backendID) == [1])
        let ordered = try policy(tenant, bucket: #"{"replicas":{"order":["fi-1"]}}"#, locations: locations)
        #expect(try plan(ordered, finland, secondFinland, germany, france).grants.map(\.backendID) == [1, 4])
    }

    @Test func `a choice never runs into a dead end that another choice avoids`() throws {
        // Tenant: different countries; bucket: different providers. fi-2 first would leave nothing beside it but DE/p.
        let policy = try policy(
            #"{"replicas":{"count":2,"distinct":"country","order":["fi-2"]}}"#,
            bucket: #"{"replicas":{"distinct":"provider"}}"#)
        #expect(try plan(policy, finland, secondFinland, france).grants.map(\.backendID) == [1, 4])
        #expect(try plan(policy, finland, secondFinland, france, germany).grants.map(\.backendID) == [2, 3])
    }

    @Test func `the refusal names the rule that leaves too few, and no backend`() throws {
        let cases: [(EffectivePolicy, String)] = [
            (try policy(#"{"replicas":{"count":4}}"#), "replicas.count"),
            (try policy(#"{"residency":{"allow":["country:SE"]}}"#), "tenant.residency.allow"),
            (
                try policy(
                    #"{"residency":{"allow":["country:FI","country:DE"]}}"#,
                    bucket: #"{"residency":{"deny":["country:DE"]},"replicas":{"count":2}}"#), "bucket.residency.deny"
            ),
            (try policy(#"{"residency":{"require":["iso27001"]}}"#), "tenant.residency.require"),
            (try policy(locations: ["se-1"]), "LocationConstraint"),
            (
                try policy(#"{"residency":{"allow":["country:FI"]},"replicas":{"count":2,"distinct":"country"}}"#),
                "tenant.residency.allow"
            ),
            (try policy(#"{"replicas":{"count":3,"distinct":"country"}}"#), "replicas.distinct"),
        ]
        for (policy, rule) in cases {
            let refusal = refusal(policy, finland, germany, Self.backend(9, "xx", country: "DE"))
            #expect(refusal?.rule == rule && refusal?.isHealth == false)
            #expect(refusal?.s3Error.code == .policyRefused && refusal?.explanation.contains(rule) == true)
            #expect(refusal?.explanation.contains("fi-1") == false)
        }
    }

    @Test func `too few healthy backends are a reason to try again, too few allowed are not`() throws {
        let sickGermany = Self.backend(3, "de-1", country: "DE", healthy: false)
        let offFrance = Self.backend(4, "fr-1", country: "FR", state: .offline)
        let both = try policy(#"{"replicas":{"count":2,"acknowledge":"all"}}"#)
        let error = try #require(refusal(both, finland, sickGermany)).s3Error
        #expect(error.code == .serviceUnavailable && error.headers.first?.name == "Retry-After")
        #expect(refusal(both, finland, offFrance)?.isHealth == true)
        #expect(refusal(both, finland)?.isHealth == false)
        let one = try plan(policy(#"{"replicas":{"count":2}}"#), finland, offFrance, sickGermany)
        #expect(
            one.grants.map(\.backendID) == [1] && one.pendingUnhealthy.map(\.backendID) == [3] && one.acknowledge == 1)
    }

    @Test func `read-only and draining backends take no new bytes`() throws {
        for state in [BackendState.readOnly, .draining, .lost] {
            let other = Self.backend(3, "de-1", country: "DE", state: state)
            #expect(refusal(try policy(#"{"replicas":{"count":2}}"#), finland, other)?.rule == "backend.state")
            #expect(try plan(policy(), other, france).grants.map(\.backendID) == [4])
        }
    }

    @Test func `an object goes only where one of its size is taken`() throws {
        let small = Self.backend(1, "a", limit: 10)
        #expect(refusal(try policy(), small, size: 10) == nil)
        #expect(refusal(try policy(), small, size: 11)?.rule == "backend.size")
    }

    @Test func `a backend of unknown country does not stand beside others that must differ, but may stand alone`()
        throws
    {
        let unknown = Self.backend(9, "aa")
        let two = try policy(#"{"replicas":{"count":2,"distinct":"country"}}"#)
        #expect(refusal(two, unknown, finland)?.rule == "replicas.distinct")
        #expect(
            try plan(policy(#"{"replicas":{"distinct":"country"}}"#), unknown, finland).grants.map(\.backendID) == [9])
    }

    @Test func `explain says for each backend what becomes of it and why`() throws {
        let policy = try policy(#"{"residency":{"deny":["country:DE"]},"replicas":{"count":2,"order":["fr-1"]}}"#)
        let sick = Self.backend(5, "se-1", country: "SE", healthy: false)
        let rows = Placement.explain(policy, candidates: [finland, germany, france, sick, secondFinland], sizeBytes: 1)
        #expect(rows.map(\.candidate.name) == ["fr-1", "de-1", "fi-1", "fi-2", "se-1"])
        #expect(rows.map(\.verdict.role) == [.target, .refused, .target, .spare, .unhealthy])
        #expect(rows[1].verdict.reason == "tenant.residency.deny: matches country:DE")
    }

    @Test func `an upload goes on at a backend that is drained, as far as all other rules allow`() throws {
        let finnish = try policy(#"{"residency":{"allow":["country:FI"]}}"#)
        func goesOn(_ candidate: PlacementCandidate, size: Int64 = 1) -> Bool {
            Placement.continuing(finnish, candidate, sizeBytes: size)?.backendID == candidate.backendID
        }
        #expect(goesOn(Self.backend(1, "fi-1", country: "FI", state: .draining)))
        #expect(!goesOn(Self.backend(1, "fi-1", country: "FI", state: .draining, healthy: false)))
        for state in [BackendState.active, .readOnly, .offline, .lost] {
            #expect(!goesOn(Self.backend(1, "fi-1", country: "FI", state: state)))
        }
        // A policy that became narrower since holds for the parts that are still to come.
        #expect(!goesOn(Self.backend(2, "de-1", country: "DE", state: .draining)))
        #expect(!goesOn(Self.backend(3, "no-1", state: .draining)))
        #expect(goesOn(Self.backend(1, "fi-1", country: "FI", state: .draining, limit: 5), size: 5))
        #expect(!goesOn(Self.backend(1, "fi-1", country: "FI", state: .draining, limit: 5), size: 6))
    }
}
