import Core
import Foundation
import Testing

/// Moves: a copy, and the end of the replica whose place it takes, in one transaction.
@Suite struct MoveTests {
    private static let fiFR =
        #"{"residency":{"allow":["country:FI","country:FR"]},"replicas":{"count":2,"acknowledge":1}}"#

    /// Looks at all versions of the bucket again, without doing a job.
    private func replan(_ world: ReplicationScenario, _ version: ObjectVersion) throws {
        let replicas = try world.database.read { sql throws(S3Error) in try sql.replicas(of: version.id) }
        let snapshot = try world.world.snapshot()
        try world.database.write { sql throws(S3Error) in
            let change = ReplicaChange(
                version, replicas, try snapshot.policy(for: world.bucket, tags: []), snapshot.candidates())
            try change.apply(sql, at: .now(), renews: true)
        }
    }

    private func copies(_ world: ReplicationScenario) throws -> [Job] {
        try world.jobs().filter { JobKind.copies.contains($0.kind) }
    }

    @Test func `a place that policy forbids now is left by a move, asked for once`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.setPolicy(Self.fiFR)
        for _ in 0..<3 { try replan(world, version) }
        let jobs = try copies(world)
        #expect(jobs.count == 1 && jobs.first?.kind == .move)
        #expect(try jobs.first?.backendID == world.id("fr") && jobs.first?.sourceBackendID == world.id("de"))
        let counts = try world.drain()
        #expect(counts.copied == 1 && counts.moved == 1 && counts.removed == 1)
        #expect(try world.replicas(version) == ["fi": .present, "fr": .present])
        #expect(try world.contents("de").isEmpty)
        #expect(try world.jobs() == [])
    }

    @Test func `where more copies are owed than leave, each is made for itself`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["de"])
        try world.setPolicy(Self.fiFR)
        try replan(world, version)
        #expect(try copies(world).map(\.kind) == [.replicate, .replicate])
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "fr": .present])
        #expect(try world.contents("de").isEmpty)
    }

    @Test func `of two replicas that leave for one place, one is moved and the other removed`() throws {
        let world = try ReplicationScenario(policy: #"{"replicas":{"count":1}}"#)
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.setPolicy(#"{"residency":{"allow":["country:FR"]},"replicas":{"count":1}}"#)
        try replan(world, version)
        #expect(try copies(world).map(\.sourceBackendID) == [world.id("de")])
        try world.drain()
        #expect(try world.replicas(version) == ["fr": .present])
    }

    @Test
    func `a move ends its source also where policy leaves too few places, and there are as many copies as before`()
        throws
    {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.setPolicy(#"{"residency":{"allow":["country:FR"]},"replicas":{"count":2,"acknowledge":1}}"#)
        try world.drain()
        let replicas = try world.replicas(version)
        #expect(replicas["fr"] == .present && replicas.count == 2 && replicas.values.allSatisfy { $0 == .present })
    }

    @Test func `a draining backend is left by moves`() throws {
        let world = try ReplicationScenario(policy: #"{"replicas":{"count":1}}"#)
        let version = try world.put("cat.jpg", "meow", present: ["de"])
        try world.set("de", .draining)
        let counts = try world.drain()
        #expect(counts.moved == 1 && counts.removed == 1)
        #expect(try world.replicas(version)["de"] == nil)
        #expect(try world.replicas(version).values.sorted { $0.rawValue < $1.rawValue } == [.present])
        #expect(try world.contents("de").isEmpty)
    }

    @Test func `what a lost backend had is made again, not moved`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.set("de", .lost)
        try replan(world, version)
        #expect(try copies(world).map(\.kind) == [.replicate])
    }

    @Test func `policy that wants the old place again while the copy is made keeps it`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.setPolicy(Self.fiFR)
        try replan(world, version)
        let held = try HeldBucket(world, "fr")
        let worker = Worker(world: try world.reopened(), settings: world.settings(owner: "slow"), stop: world.stop)
        let work = Background { try worker.drain() }
        let bucket = try world.physicalBucket("fr")
        try world.waitUntil { try world.physicalBucketOfReplica(version, on: "fr") == bucket }
        try world.setPolicy(
            #"{"residency":{"allow":["country:FI","country:DE"]},"replicas":{"count":2,"acknowledge":1}}"#)
        held.release()
        try work.wait()
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.contents("fr").isEmpty)
        #expect(try world.contents("de").values.sorted() == ["meow"])
        #expect(worker.counts.current.moved == 0)
        #expect(try world.jobs() == [])
    }

    @Test func `a version that dies while it is moved leaves nothing behind`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.setPolicy(Self.fiFR)
        try replan(world, version)
        try world.delete("cat.jpg")
        #expect(try copies(world) == [])
        try world.drain()
        #expect(try !world.hasRow(version))
        for backend in ["fi", "de", "fr"] { #expect(try world.contents(backend).isEmpty) }
    }

    @Test func `a move whose only source is damaged removes nothing`() throws {
        let world = try ReplicationScenario(policy: #"{"replicas":{"count":1}}"#)
        let version = try world.put("cat.jpg", "meow", present: ["de"])
        try world.corrupt(version, on: "de", to: "woof")
        try world.set("de", .draining)
        let counts = try world.drain()
        #expect(counts.copied == 0 && counts.removed == 0 && counts.badSources > 0)
        #expect(try world.contents("de").values.sorted() == ["woof"])
        #expect(try world.replicas(version)["de"] == .damaged)
    }

    @Test func `a damaged source does not keep a move from the good copy`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.corrupt(version, on: "de", to: "woof")
        try world.setPolicy(Self.fiFR)
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "fr": .present])
        #expect(try world.contents("fr").values.sorted() == ["meow"])
        #expect(try world.contents("de").isEmpty)
    }

    @Test func `a move of a version in one place goes before that of one in two`() throws {
        let world = try ReplicationScenario(policy: #"{"replicas":{"count":2,"acknowledge":1}}"#)
        let safer = try world.put("safer", "meow", present: ["fi", "de"])
        let rare = try world.put("rare", "meow", present: ["de"])
        let target = try world.id("fr")
        let source = try world.id("de")
        try world.database.write { sql throws(S3Error) in
            for version in [safer, rare] {
                try sql.insertJob(
                    kind: .move, bucketID: world.bucket.id, versionID: version.id, backendID: target, from: source,
                    notBefore: ReplicationScenario.start)
            }
        }
        #expect(try world.claim().map(\.versionID) == [rare.id, safer.id])
    }
}

/// Holds the lock of a physical bucket, which keeps every copy there from being put in place.
private final class HeldBucket {
    private let descriptor: Int32

    init(_ world: ReplicationScenario, _ backend: String) throws {
        let path = world.directory.appending(path: backend).appending(path: try world.physicalBucket(backend)).path
        descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else { throw CocoaError(.fileLocking) }
    }

    func release() { flock(descriptor, LOCK_UN) }

    deinit { close(descriptor) }
}
