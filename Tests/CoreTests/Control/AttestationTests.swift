import Core
import Foundation
import Testing

/// What an attestation says of a history that is written by the functions that write it for real.
@Suite struct AttestationTests {
    let world: MetadataScenario
    private let germany: BackendRecord

    static let onlyFinland = #"{"residency":{"allow":["country:FI"]}}"#
    static let onlyGermany = #"{"residency":{"allow":["country:DE"]}}"#

    private let key: AttestationKey

    init() throws {
        world = try MetadataScenario()
        let keys = try MasterKeys(parsing: Array("test:\(String(repeating: "ab", count: 32))".utf8), origin: "test")
        key = try AttestationKey(world.database, keys)
        #expect(try AttestationKey(world.database, keys).publicKey == key.publicKey, "it is made once")
        germany = try world.write { db in
            var record = MetadataScenario.backend("de")
            record.location = Location(region: "de-fra-1", country: "DE")
            return try db.insertBackend(record)
        }
    }

    private func set(_ policy: String) throws {
        try world.write { try $0.setPolicy(tenantID: world.tenant.id, json: Array(policy.utf8), at: .now()) }
    }

    /// Writes an object of now to these backends.
    @discardableResult
    private func put(_ key: String, on backends: [BackendRecord], at time: Timestamp = .now()) throws -> VersionID {
        var new = world.newVersion(MetadataScenario.key(key), at: time, present: 0)
        new.present = backends.map { backend in
            Replica(
                versionID: new.version.id, backendID: backend.id, physicalBucket: "s3gw-\(backend.name)",
                physicalKey: Array("\(key)/\(new.version.id)".utf8), state: .present)
        }
        try world.write { _ = try $0.commitPut(new, unless: { _ in }) }
        return new.version.id
    }

    private func attest() throws -> (versions: [AttestedVersion], summary: Attestation.Summary) {
        let attestation = try Attestation(world.bucket, of: "acme", in: world.database, key)
        var versions: [AttestedVersion] = []
        let summary = try attestation.run { version throws(S3Error) in versions.append(version) }
        return (versions, summary)
    }

    @Test func `what was always allowed has no violation`() throws {
        try set(Self.onlyFinland)
        try put("a", on: [world.backends[0]])
        let (versions, summary) = try attest()
        let place = try #require(versions.first?.places.first)
        #expect(versions.count == 1 && summary == Attestation.Summary(versions: 1, places: 1, placesNow: 1))
        #expect(place.backend == "b0" && place.location.country == "FI" && place.state == .present)
        #expect(place.until == nil && place.policy == 1 && place.notAllowedSince == nil && place.violations.isEmpty)
    }

    @Test func `a place that the policy in force did not allow is a violation for ever`() throws {
        try set(Self.onlyFinland)
        let id = try put("a", on: [germany], at: .now())
        #expect(try attest().summary.arrivals == 1)
        try world.write { db in
            try db.setReplica(versionID: id, backendID: germany.id, state: .removing)
            try db.deleteReplica(versionID: id, backendID: germany.id)
        }
        let (versions, summary) = try attest()
        #expect(summary.arrivals == 1 && summary.stayings == 0)
        let violation = try #require(versions.first?.places.first?.violations.first)
        #expect(violation.kind == .arrival && violation.rule == "tenant.residency.allow")
    }

    @Test func `a write that began under the old policy is no violation when it becomes visible`() throws {
        try set(Self.onlyGermany)
        let begun = Timestamp.now()
        Thread.sleep(forTimeInterval: 0.005)
        try set(Self.onlyFinland)
        try put("a", on: [germany], at: begun)
        let (versions, summary) = try attest()
        #expect(summary.arrivals == 0)
        #expect(summary.stayings == 1, "it has to be moved, and was not yet")
        #expect(versions.first?.places.first?.violations.first?.kind == .staying)
    }

    @Test func `what was moved after a change is shown and is no violation`() throws {
        try set(Self.onlyGermany)
        let id = try put("a", on: [germany])
        Thread.sleep(forTimeInterval: 0.005)
        try set(Self.onlyFinland)
        #expect(try attest().summary.stayings == 1)
        try world.write { db in
            let replica = Replica(
                versionID: id, backendID: world.backends[0].id, physicalBucket: "", physicalKey: [1], state: .pending)
            #expect(try db.insertReplica(replica))
            #expect(try db.setReplica(versionID: id, backendID: world.backends[0].id, physicalBucket: "s3gw-b0"))
            #expect(try db.setReplica(versionID: id, backendID: world.backends[0].id, state: .present))
            try db.setReplica(versionID: id, backendID: germany.id, state: .removing)
            try db.deleteReplica(versionID: id, backendID: germany.id)
        }
        let (versions, summary) = try attest()
        #expect(summary.violations == 0 && summary.places == 2 && summary.placesNow == 1)
        let places = try #require(versions.first?.places)
        #expect(places.map(\.state) == [.removed, .present])
        #expect(places[0].notAllowedSince != nil && places[1].notAllowedSince == nil)
        #expect(places[1].from <= places[1].presentAt ?? Timestamp(milliseconds: 0))
    }

    @Test func `the policy goes by the bucket too, and a removed one allows everything`() throws {
        try world.write { db in
            try db.setPolicy(bucketID: world.bucket.id, json: Array(Self.onlyFinland.utf8), at: .now())
        }
        try put("a", on: [germany])
        #expect(try attest().versions.first?.places.first?.violations.first?.rule == "bucket.residency.allow")
        try world.write { db in _ = try db.removePolicy(bucketID: world.bucket.id, at: .now()) }
        try put("b", on: [germany])
        let (_, summary) = try attest()
        #expect(summary.arrivals == 1 && summary.stayings == 0)
    }

    @Test func `a bucket's locations are rules, as the ledger tells them`() throws {
        let bucket = try world.write { db in
            try db.insertBucket(
                tenantID: world.tenant.id, name: try BucketName(validating: Array("located".utf8)), region: "eu",
                locations: ["de-fra-1"], createdAt: .now())
        }
        try SQLiteConnection(path: world.path).script("UPDATE buckets SET locations = '' WHERE id = \(bucket.id)")
        for backend in [germany, world.backends[0]] {
            var new = world.newVersion(MetadataScenario.key(backend.name), at: .now(), present: 0, in: bucket)
            new.present = [
                Replica(
                    versionID: new.version.id, backendID: backend.id, physicalBucket: "l", physicalKey: [1],
                    state: .present)
            ]
            try world.write { _ = try $0.commitPut(new, unless: { _ in }) }
        }
        let edited = try #require(try world.read { try $0.bucket(id: bucket.id) })
        #expect(edited.locations.isEmpty)
        var rules: [String] = []
        _ = try Attestation(edited, of: "acme", in: world.database, key).run { version throws(S3Error) in
            rules += version.places.flatMap(\.violations).map(\.rule)
        }
        #expect(rules == ["LocationConstraint", "LocationConstraint"], "it arrived, and is still there")
    }

    @Test func `another tenant's policy and another bucket's versions are left out`() throws {
        try world.write { db in
            let other = try db.insertTenant(
                name: "other", canonicalID: String(repeating: "b", count: 64), displayName: "Other", email: nil,
                createdAt: .now())
            try db.setPolicy(tenantID: other.id, json: Array(Self.onlyFinland.utf8), at: .now())
        }
        try put("a", on: [germany])
        #expect(try attest().summary == Attestation.Summary(versions: 1, places: 1, placesNow: 1))
    }

    @Test func `a thousand versions come by id, each once`() throws {
        var ids: [VersionID] = []
        for number in 0..<1000 { ids.append(try put("key-\(number)", on: world.backends)) }
        let (versions, summary) = try attest()
        #expect(versions.map(\.id.description) == ids.map(\.description).sorted())
        #expect(versions.allSatisfy { $0.places.count == 2 })
        #expect(summary == Attestation.Summary(versions: 1000, places: 2000, placesNow: 2000))
    }

    @Test func `an untouched ledger passes, with replicas in every state`() throws {
        try world.put("a", present: 1, pending: 1)
        try world.put("a", present: 2)
        try world.write { db in
            try db.insertUpload(world.newUpload("u"), places: [world.place(of: world.newUpload("u"))])
        }
        try key.keep(try world.read { try $0.ledgerHead() }, in: world.database)
        let report = try LedgerAudit(world.database).run(key)
        #expect(report.findings == [] && report.replicas == 4 && report.signedHeads == 1)
    }

    @Test func `a replica that somebody added or removed by hand is found`() throws {
        let version = try world.put("a", present: 1)
        let connection = try SQLiteConnection(path: world.path)
        try connection.script(
            "UPDATE replicas SET backend_id = \(germany.id) WHERE version_sequence = \(version.sequence)")
        let findings = try LedgerAudit(world.database).run(key).findings
        #expect(findings.count == 2)
        #expect(findings.contains { $0.contains("is in no row of the ledger") })
        #expect(findings.contains { $0.contains("the database knows nothing of them") })
    }
}
