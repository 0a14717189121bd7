import Core
import Testing

@Suite struct PolicyDocumentTests {
    static let example = """
        { "residency": { "allow": ["country:FI", "country:DE", "jurisdiction:EU"], "deny": ["provider:example"],
                         "require": ["iso27001"] },
          "replicas":  { "count": 2, "distinct": "country", "acknowledge": 1, "order": ["fi-hel-1", "de-fra-1"] } }
        """

    func parse(_ text: String) throws(PolicyError) -> PolicyDocument { try PolicyDocument(parsing: Array(text.utf8)) }

    @Test func `the example of the design is read whole`() throws {
        let policy = try parse(Self.example)
        #expect(policy.residency.allow.map(\.description) == ["country:FI", "country:DE", "jurisdiction:EU"])
        #expect(policy.residency.deny.map(\.description) == ["provider:example"])
        #expect(policy.residency.require.map(\.description) == ["certification:iso27001"])
        #expect(policy.replicas.count == 2 && policy.replicas.distinct == .country)
        #expect(policy.replicas.acknowledge == .number(1) && policy.replicas.order == ["fi-hel-1", "de-fra-1"])
    }

    @Test(arguments: [
        Self.example, "{}", #"{"replicas":{"count":16,"acknowledge":"quorum"}}"#,
        #"{"replicas":{"acknowledge":"all"}}"#,
        #"{"residency":{"require":["country:FI","c5"]}}"#,
        #"{"residency":{"allow":["region:eu-1","certification:c5"]}}"#,
    ])
    func `the canonical form reads back as the same policy`(text: String) throws {
        let policy = try parse(text)
        let again = try PolicyDocument(parsing: policy.json)
        #expect(again == policy && again.json == policy.json)
    }

    @Test(arguments: [
        ("[]", "$: should be an object, not a list"),
        ("{\"a\":1", "$: line 1, column 7: a comma or } should stand here"),
        (#"{"replica":{}}"#, #"$.replica: unknown; the nearest known name is "replicas""#),
        (#"{"replicas":{"cuont":2}}"#, #"$.replicas.cuont: unknown; the nearest known name is "count""#),
        (
            #"{"residency":{"allowed":["country:FI"]}}"#,
            #"$.residency.allowed: unknown; the nearest known name is "allow""#
        ),
        (#"{"residency":[]}"#, "$.residency: should be an object, not a list"),
        (
            #"{"residency":{"allow":"country:FI"}}"#,
            #"$.residency.allow: should be a list of strings, not "country:FI""#
        ),
        (#"{"residency":{"allow":["country:FI",7]}}"#, "$.residency.allow[1]: should be a string, not 7"),
        (
            #"{"residency":{"allow":[]}}"#,
            "$.residency.allow: should have 1 to 256 entries; leave it out to have no such rule"
        ),
        (
            #"{"residency":{"allow":["land:FI"]}}"#,
            #"$.residency.allow[0]: unknown selector "land"; the nearest known one is "#
        ),
        (#"{"residency":{"allow":["contry:FI"]}}"#, #"unknown selector "contry"; the nearest known one is "country""#),
        (#"{"residency":{"allow":["iso27001"]}}"#, #"$.residency.allow[0]: "iso27001" should be one of country, "#),
        (
            #"{"residency":{"deny":["country:UK"]}}"#,
            #"$.residency.deny[0]: "UK" is not a country; it should be two upper"#
        ),
        (#"{"residency":{"deny":["country:fi"]}}"#, #""fi" is not a country"#),
        (#"{"residency":{"deny":["country:"]}}"#, #""" is not a country"#),
        (#"{"residency":{"allow":["jurisdiction:eu"]}}"#, #""eu" is not a jurisdiction"#),
        (#"{"residency":{"allow":["region:a,b"]}}"#, #""a,b" is not a region"#),
        (#"{"residency":{"require":["ISO27001"]}}"#, #""ISO27001" is not a certification"#),
        (#"{"residency":{"allow":["country:FI","country:FI"]}}"#, #"$.residency.allow[1]: "country:FI" stands twice"#),
        (#"{"replicas":{"count":0}}"#, "$.replicas.count: should be a whole number from 1 to 16, not 0"),
        (#"{"replicas":{"count":17}}"#, "from 1 to 16, not 17"),
        (#"{"replicas":{"count":2.0}}"#, "$.replicas.count: should be a whole number from 1 to 16, not a number"),
        (#"{"replicas":{"count":"2"}}"#, #"$.replicas.count: should be a whole number from 1 to 16, not "2""#),
        (#"{"replicas":{"distinct":"countries"}}"#, "should be one of none, backend, region, country, provider, not"),
        (
            #"{"replicas":{"acknowledge":"most"}}"#,
            #"$.replicas.acknowledge: should be a whole number, "quorum" or "all""#
        ),
        (
            #"{"replicas":{"count":2,"acknowledge":3}}"#,
            "$.replicas.acknowledge: 3 is more than the 2 replicas of count"
        ),
        (#"{"replicas":{"order":["fi hel"]}}"#, #"$.replicas.order[0]: "fi hel" is not a region label"#),
        (
            #"{"replicas":{"count":1,"count":2}}"#,
            #"$: line 1, column 24: the member "count" stands twice in one object"#
        ),
        (#"{"presets":"standard"}"#, "$.presets: unknown"),
    ])
    func `a refusal names the place and the remedy`(text: String, expected: String) {
        #expect {
            try PolicyDocument(parsing: Array(text.utf8))
        } throws: { error in
            let description = (error as? PolicyError)?.description ?? ""
            return description.contains(expected)
        }
    }

    @Test func `a bucket may not ask for fewer replicas than its tenant has to keep`() throws {
        let tenant = try parse(#"{"replicas":{"count":2}}"#)
        #expect(throws: PolicyError.self) { try parse(#"{"replicas":{"count":1}}"#).checkNarrows(tenant) }
        try parse(#"{"replicas":{"count":2}}"#).checkNarrows(tenant)
        try parse(#"{"replicas":{"count":3}}"#).checkNarrows(tenant)
        try parse(#"{"replicas":{"count":1}}"#).checkNarrows(nil)
    }
}
