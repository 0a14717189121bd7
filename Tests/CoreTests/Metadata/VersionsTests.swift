import Core
import Testing

@Suite struct VersionsTests {
    let world: MetadataScenario
    let cat = MetadataScenario.key("cat.jpg")

    init() throws { world = try MetadataScenario() }

    @Test func `what was put comes back whole, with its present replicas only`() throws {
        let new = world.newVersion(cat, present: 1, pending: 1)
        let stored = try world.write { db in try db.commitPut(new, unless: { _ in }) }
        let found = try #require(
            try world.read { (db) throws in
                try db.currentVersionWithReplicas(bucketID: world.bucket.id, key: cat)
            })
        #expect(found.version == stored)
        #expect(stored.sequence > 0)
        var expected = new.version
        expected.sequence = stored.sequence
        #expect(stored == expected)
        #expect(found.replicas == new.present)
        let all = try world.read { db in try db.replicas(of: stored.id) }
        #expect(all.map(\.state) == [.present, .pending])
    }

    @Test func `a version with no present replica is still found`() throws {
        let new = world.newVersion(cat, present: 0, pending: 1)
        _ = try world.write { db in try db.commitPut(new, unless: { _ in }) }
        let found = try world.read { (db) throws in
            try db.currentVersionWithReplicas(bucketID: world.bucket.id, key: cat)
        }
        #expect(found?.version.id == new.version.id && found?.replicas == [])
    }

    @Test func `keys that only differ in Unicode form or a zero byte are different keys`() throws {
        for text in ["caf\u{e9}", "cafe\u{301}", "a", "a\0", "a\0b"] { try world.put(text) }
        let page = try world.read { (db) throws in
            try db.list(ListingQuery(bucketID: world.bucket.id, limit: 100))
        }
        #expect(page.entries.count == 5)
    }

    @Test func `an overwrite kills the old version and leaves jobs that remove it`() throws {
        let old = try world.put("cat.jpg", present: 1, pending: 1)
        let new = try world.put("cat.jpg", present: 2)
        #expect(new.sequence > old.sequence)
        try world.read { (db) throws in
            #expect(try db.currentVersion(bucketID: world.bucket.id, key: cat) == new)
            #expect(try db.replicas(of: old.id).map(\.state) == [.removing, .removing])
            let jobs = try db.jobs(state: nil, limit: 10)
            #expect(jobs.map(\.kind) == [.removeReplica, .removeReplica])
            #expect(jobs.allSatisfy { $0.versionID == old.id })
            let versions = try db.versions(bucketID: world.bucket.id, key: cat, limit: 10)
            #expect(versions.map(\.version.id) == [new.id, old.id])
            #expect(versions.map(\.isLatest) == [true, false])
            #expect(versions.map(\.isLive) == [true, false])
            #expect(try db.isLive(new.id) && !db.isLive(old.id))
        }
    }

    @Test func `a failed condition changes nothing`() throws {
        let old = try world.put("cat.jpg")
        let new = world.newVersion(cat)
        let error = #expect(throws: S3Error.self) {
            _ = try world.write { (db) throws in
                try db.commitPut(new) { (current) throws(S3Error) in
                    #expect(current == old)
                    throw S3Error(.preconditionFailed)
                }
            }
        }
        #expect(error?.code == .preconditionFailed)
        try world.read { (db) throws in
            #expect(try db.currentVersion(bucketID: world.bucket.id, key: cat) == old)
            #expect(try db.version(id: new.version.id) == nil)
            #expect(try db.jobs(state: nil, limit: 10).isEmpty)
        }
    }

    @Test func `last modified never runs backwards for a key`() throws {
        let first = try world.put("cat.jpg", at: MetadataScenario.start)
        let second = try world.put("cat.jpg", at: MetadataScenario.start.adding(seconds: -1_200))
        #expect(second.lastModified.milliseconds == first.lastModified.milliseconds + 1)
    }

    @Test func `a delete gives back what died and a second one finds nothing`() throws {
        let version = try world.put("cat.jpg")
        #expect(try world.delete("cat.jpg")?.id == version.id)
        #expect(try world.delete("cat.jpg") == nil)
        try world.read { (db) throws in
            #expect(try db.currentVersion(bucketID: world.bucket.id, key: cat) == nil)
            #expect(try db.jobs(state: .ready, limit: 10).map(\.kind) == [.removeReplica])
            #expect(try db.objectCounts(bucketID: world.bucket.id) == (0, 0))
        }
    }

    @Test func `a dead version's row goes with its last replica and never lives again`() throws {
        let version = try world.put("cat.jpg", present: 1, pending: 1)
        try world.delete("cat.jpg")
        let (first, second) = (world.backends[0].id, world.backends[1].id)
        try world.write { (db) throws in
            for state in [ReplicaState.present, .pending] {
                #expect(try !db.setReplica(versionID: version.id, backendID: second, state: state))
            }
            try db.deleteReplica(versionID: version.id, backendID: second)
            #expect(try db.version(id: version.id) != nil)
            try db.deleteReplica(versionID: version.id, backendID: first)
            #expect(try db.version(id: version.id) == nil)
            #expect(try !db.setReplica(versionID: version.id, backendID: first, state: .removing))
        }
    }

    @Test func `a replica is added once, and to a dead version only to be removed`() throws {
        let version = try world.put("cat.jpg")
        var replica = Replica(
            versionID: version.id, backendID: world.backends[1].id, physicalBucket: "p", physicalKey: [1],
            state: .pending)
        try world.write { (db) throws in
            #expect(try db.insertReplica(replica) && !db.insertReplica(replica))
            try db.deleteReplica(versionID: version.id, backendID: replica.backendID)
        }
        try world.delete("cat.jpg")
        try world.write { (db) throws in
            #expect(try !db.insertReplica(replica))
            replica.state = .removing
            #expect(try db.insertReplica(replica))
            #expect(try db.replicas(of: version.id).count == 2)
        }
    }

    @Test func `a live version keeps its row without replicas`() throws {
        let version = try world.put("cat.jpg")
        try world.write { (db) throws in
            try db.deleteReplica(versionID: version.id, backendID: world.backends[0].id)
            #expect(try db.version(id: version.id) == version)
        }
    }

    @Test func `two versions never share a physical object`() throws {
        var new = world.newVersion(cat)
        let stored = new
        _ = try world.write { db in try db.commitPut(stored, unless: { _ in }) }
        new.version.id = VersionID(at: MetadataScenario.start)
        let second = new
        #expect(throws: S3Error.self) {
            try world.write { db in _ = try db.commitPut(second, unless: { _ in }) }
        }
    }

    @Test func `a bucket that is gone takes no version`() throws {
        try world.write { db in try db.deleteBucket(id: world.bucket.id) }
        let error = #expect(throws: S3Error.self) { try world.put("cat.jpg") }
        #expect(error?.code == .noSuchBucket)
    }

    @Test func `counts are of what clients see`() throws {
        try world.put("a", size: 7)
        try world.put("b", size: 5)
        try world.put("b", size: 1)
        let counts = try world.read { (db) throws in
            try db.objectCounts(bucketID: world.bucket.id)
        }
        #expect(counts == (2, 8))
    }
}
