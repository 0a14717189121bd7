import Core
import Testing

@Suite struct EffectivePolicyTests {
    func effective(
        _ tenant: String? = nil, _ bucket: String? = nil, locations: [String] = [], tag: Int? = nil
    ) throws -> EffectivePolicy {
        try EffectivePolicy(
            tenant: try tenant.map { try PolicyDocument(parsing: Array($0.utf8)) },
            bucket: try bucket.map { try PolicyDocument(parsing: Array($0.utf8)) }, locations: locations,
            replicaCountTag: tag)
    }

    @Test func `without any policy there is one replica, acknowledged, anywhere`() throws {
        let policy = try effective()
        #expect(policy.replicaCount == 1 && policy.acknowledge == 1 && policy.rules.isEmpty && policy.distinct.isEmpty)
    }

    @Test(
        arguments: [
            (2, nil, nil, 2), (nil, 3, nil, 3), (2, 3, nil, 3), (2, 1, nil, 2), (2, nil, 3, 3), (2, nil, 1, 2),
            (2, 4, 3, 3),
            (2, 4, 1, 2), (nil, 3, 1, 1), (nil, nil, 5, 5),
        ] as [(Int?, Int?, Int?, Int)])
    func `a bucket raises the number, a tag moves it, the tenant's stays the least`(
        tenant: Int?, bucket: Int?, tag: Int?, expected: Int
    ) throws {
        let document = { (count: Int?) in count.map { #"{"replicas":{"count":\#($0)}}"# } }
        let policy = try effective(document(tenant), document(bucket), tag: tag)
        #expect(policy.replicaCount == expected && policy.replicaCountFloor == tenant ?? 1)
    }

    @Test(arguments: [
        ("1", 4, 1), ("3", 4, 3), (#""quorum""#, 1, 1), (#""quorum""#, 2, 2), (#""quorum""#, 3, 2),
        (#""quorum""#, 4, 3),
        (#""all""#, 4, 4), ("3", 2, 2),
    ])
    func `acknowledge becomes a number that is never more than the replicas`(
        text: String, count: Int, expected: Int
    ) throws {
        #expect(try effective(#"{"replicas":{"acknowledge":\#(text)}}"#, tag: count).acknowledge == expected)
    }

    @Test func `of two acknowledgements the larger holds`() throws {
        let tenant = #"{"replicas":{"count":3,"acknowledge":2}}"#
        #expect(try effective(tenant, #"{"replicas":{"acknowledge":1}}"#).acknowledge == 2)
        #expect(try effective(tenant, #"{"replicas":{"acknowledge":"all"}}"#).acknowledge == 3)
    }

    @Test func `rules of tenant, bucket and location hold together`() throws {
        let policy = try effective(
            #"{"residency":{"allow":["jurisdiction:EU"]},"replicas":{"distinct":"country"}}"#,
            #"{"residency":{"deny":["country:DE"],"require":["c5"]},"replicas":{"distinct":"provider"}}"#,
            locations: ["fi-1", "fr-1"])
        let names = [
            "tenant.residency.allow", "bucket.residency.deny", "bucket.residency.require", "LocationConstraint",
        ]
        #expect(policy.rules.map(\.name) == names && policy.distinct == [.country, .provider])
        let broken = { (location: Location) in
            zip(names, policy.rules).filter { $0.1.violation(by: location) != nil }.map(\.0)
        }
        var finland = Location(
            region: "fi-1", country: "FI", jurisdictions: ["EU"], certifications: ["c5", "iso27001"])
        #expect(broken(finland) == [])
        finland.certifications = []
        #expect(broken(finland) == [names[2]])
        #expect(
            broken(Location(region: "fi-2", country: "FI", jurisdictions: ["EU"], certifications: ["c5"])) == [names[3]]
        )
        #expect(broken(Location(region: "fi-1")) == Array(names[0...2]))
    }

    @Test func `what is not known is never allowed, and may be the denied`() throws {
        let unknown = Location(region: "somewhere")
        for attribute in ["country:FI", "jurisdiction:EU", "provider:p", "certification:c5"] {
            for rule in ["allow", "deny", "require"] {
                let policy = try effective(#"{"residency":{"\#(rule)":["\#(attribute)"]}}"#)
                #expect(policy.rules[0].violation(by: unknown) != nil)
            }
        }
        let other = Location(
            region: "r", country: "SE", jurisdictions: ["EEA"], provider: "q", certifications: ["iso27001"])
        for attribute in ["country:FI", "jurisdiction:EU", "provider:p", "certification:c5", "region:s"] {
            #expect(try effective(#"{"residency":{"deny":["\#(attribute)"]}}"#).rules[0].violation(by: other) == nil)
        }
    }

    @Test func `a bad location or tag is refused`() {
        #expect(throws: S3Error.self) { try effective(locations: ["a b"]) }
        #expect(throws: S3Error.self) { try effective(locations: ["a", "a"]) }
        #expect(throws: S3Error.self) { try effective(tag: 0) }
        #expect(throws: S3Error.self) { try effective(tag: 17) }
    }
}
