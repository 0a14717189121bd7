import Core
import Foundation
import Testing

/// Objects at places that no replica names: each is removed, and none ever becomes a replica's again.
@Suite struct StrayTests {
    let world: ReplicationScenario

    init() throws { world = try ReplicationScenario() }

    private func replica(_ version: ObjectVersion, on backend: String) throws -> Replica {
        let wanted = try world.id(backend)
        return try #require(
            try world.database.read { sql throws(S3Error) in try sql.replicas(of: version.id) }
                .first { $0.backendID == wanted })
    }

    private func ask(_ kind: JobKind, _ version: ObjectVersion, on backend: String) throws {
        let backend = try world.id(backend)
        try world.database.write { sql throws(S3Error) in
            try sql.insertJob(
                kind: kind, bucketID: world.bucket.id, versionID: version.id, backendID: backend,
                notBefore: ReplicationScenario.start)
        }
    }

    @Test func `a write that may have arrived where a copy is to come is removed, and the copy is made beside it`()
        throws
    {
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"], doubtful: ["de"])
        #expect(try world.strays(version) == 1)
        let counts = try world.drain()
        #expect(counts.copied == 1 && counts.removed == 1)
        #expect(try world.strays(version) == 0)
        #expect(try world.jobs() == [])
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.contents("de").values.sorted() == ["meow"])
    }

    @Test func `what was to replace a damaged replica goes when the replica turns out to be right`() throws {
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        let old = try replica(version, on: "de")
        let backend = try world.id("de")
        let coming = try world.database.write { sql throws(S3Error) in
            try sql.setReplica(versionID: version.id, backendID: backend, state: .damaged)
            return try sql.beginReplacement(
                versionID: version.id, backendID: backend, physicalBucket: old.physicalBucket)
        }
        let again = try world.database.write { sql throws(S3Error) in
            try sql.beginReplacement(versionID: version.id, backendID: backend, physicalBucket: old.physicalBucket)
        }
        #expect(coming != nil && again == coming, "a second attempt goes on with the first one's place")
        try ask(.verify, version, on: "de")
        let counts = try world.drain()
        #expect(counts.verified == 1 && counts.removed == 1)
        #expect(try replica(version, on: "de") == old)
        #expect(try world.strays(version) == 0)
    }

    @Test
    func `a place of a replica never becomes a stray, and a stray of a dead version keeps its row until it is gone`()
        throws
    {
        let version = try world.put("cat.jpg", "meow", present: ["fi"])
        let place = try replica(version, on: "fi")
        var stray = place
        stray.physicalKey = PhysicalKey.makeCopy(version.key, version.id)
        try world.database.write { [stray] sql throws(S3Error) in
            #expect(try !sql.removeStray(at: place))
            #expect(try sql.removeStray(at: stray))
        }
        try world.delete("cat.jpg")
        try world.database.write { sql throws(S3Error) in
            try sql.deleteReplica(versionID: version.id, backendID: place.backendID)
        }
        #expect(try world.hasRow(version))
        try world.drain()
        #expect(try !world.hasRow(version))
        #expect(try world.strays(version) == 0)
    }
}
