import Core
import Testing

@Suite struct WhatIfTests {
    let world: MetadataScenario
    private let backends: [BackendRecord]

    init() throws {
        world = try MetadataScenario(backends: 0)
        backends = try world.write { db in
            try [("fi", "FI"), ("de", "DE"), ("fr", "FR")].map { name, country in
                var record = MetadataScenario.backend(name)
                record.location = Location(region: "\(name)-1", country: country, provider: "own")
                return try db.insertBackend(record)
            }
        }
        // The scenario's bucket asks for locations that are not here.
        try SQLiteConnection(path: world.path).script("UPDATE buckets SET locations = ''")
    }

    private func set(_ policy: String) throws {
        try world.write { try $0.setPolicy(tenantID: world.tenant.id, json: Array(policy.utf8), at: .now()) }
    }

    private func put(_ key: String, on places: [Int], size: Int64 = 100, tags: [Core.Tag] = []) throws {
        var new = world.newVersion(MetadataScenario.key(key), size: size, present: 0)
        new.version.tags = tags
        new.present = places.map { place in
            Replica(
                versionID: new.version.id, backendID: backends[place].id, physicalBucket: "b",
                physicalKey: Array("\(key)\(new.version.id)".utf8), state: .present)
        }
        try world.write { _ = try $0.commitPut(new, unless: { _ in }) }
    }

    private func without(_ text: String) throws -> WhatIf.BucketEffect? {
        let ids = try BackendSelection.matching(text, backends)
        return try WhatIf.without(ids, world.database).effects().first
    }

    @Test func `versions on it move, and others do not`() throws {
        try set(#"{"replicas":{"count":2}}"#)
        try put("a", on: [0, 1])
        try put("b", on: [0, 2], size: 1000)
        try put("c", on: [1, 2])
        let effect = try #require(try without("fi"))
        #expect(effect.refusal == nil && effect.broken == ReplicaSum())
        #expect(effect.versionsToMove == 2 && effect.copies == ReplicaSum(replicas: 2, bytes: 1100))
        #expect(try without("country:DE")?.copies == ReplicaSum(replicas: 2, bytes: 200))
    }

    @Test func `a policy that cannot be kept without it is named, with what is stored`() throws {
        try set(#"{"residency":{"allow":["country:FI","country:DE"]},"replicas":{"count":2}}"#)
        try put("a", on: [0, 1])
        let effect = try #require(try without("country:FI"))
        #expect(effect.refusal?.rule == "backend.state" || effect.refusal?.rule == "tenant.residency.allow")
        #expect(effect.broken == ReplicaSum(replicas: 1, bytes: 100))
        #expect(try without("fr") == nil)
        #expect(try #require(try without("provider:own")).refusal != nil)
    }

    @Test func `a bucket that is broken already does not break again`() throws {
        try set(#"{"replicas":{"count":4}}"#)
        #expect(try without("fi") == nil)
    }

    @Test func `an object's own number of replicas counts`() throws {
        try set(#"{"replicas":{"count":1}}"#)
        let three = Core.Tag(storedKey: Array("replica-count".utf8), value: Array("3".utf8))
        try put("a", on: [0, 1, 2], tags: [three])
        try put("b", on: [1])
        let effect = try #require(try without("fi"))
        #expect(effect.broken == ReplicaSum(replicas: 1, bytes: 100))
        #expect(effect.refusal != nil && effect.copies.replicas == 0)
    }

    @Test func `a policy is tried out by the same functions`() throws {
        try put("a", on: [0])
        try put("b", on: [1])
        let now = WhatIf.Side(backends)
        var then = now
        then.tenantPolicies[world.tenant.id] = try PolicyDocument(
            parsing: Array(#"{"residency":{"deny":["country:FI"]},"replicas":{"count":2}}"#.utf8))
        let effect = try #require(try WhatIf(world.database, now: now, then: then).effects().first)
        #expect(effect.refusal == nil && effect.versionsToMove == 2)
        #expect(effect.copies.replicas == 3, "two for the one that may not stay, one beside the other")
    }

    @Test func `words that are neither a backend nor a selector are refused`() throws {
        for text in ["nobody", "land:FI", "country:Finland"] {
            #expect(throws: S3Error.self) { try BackendSelection.matching(text, backends) }
        }
    }

    @Test func `groups are few however many versions there are`() throws {
        for number in 0..<200 { try put("k\(number)", on: number % 2 == 0 ? [0, 1] : [1, 2]) }
        let groups = try world.read { try $0.versionGroups(bucketID: world.bucket.id) }
        #expect(groups.count == 2 && groups.allSatisfy { $0.versions == 100 && $0.bytes == 10_000 })
    }
}
