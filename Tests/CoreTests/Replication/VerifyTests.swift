import Core
import Foundation
import Testing

/// Reading replicas in full: what is wrong is replaced, and the last copy is never touched.
@Suite struct VerifyTests {
    let world: ReplicationScenario

    init() throws { world = try ReplicationScenario() }

    func verify(_ version: ObjectVersion, on backend: String) throws {
        let backend = try world.id(backend)
        try world.database.write { sql throws(S3Error) in
            try sql.insertJob(
                kind: .verify, bucketID: world.bucket.id, versionID: version.id, backendID: backend,
                notBefore: ReplicationScenario.start)
        }
    }

    @Test func `a good replica stays as it is`() throws {
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try verify(version, on: "de")
        let counts = try world.drain()
        #expect(counts.verified == 1 && counts.copied == 0 && counts.damaged == 0)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.jobs() == [])
    }

    @Test(arguments: ["woof", "meow and more", "me", ""])
    func `a replica with other bytes is replaced by a good one beside it, and removed`(_ wrong: String) throws {
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        let keys = try world.contents("de").keys.sorted()
        try world.corrupt(version, on: "de", to: wrong)
        try verify(version, on: "de")
        let counts = try world.drain()
        #expect(counts.damaged == 1 && counts.repaired == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.contents("de").values.sorted() == ["meow"])
        #expect(try world.contents("de").keys.allSatisfy { !keys.contains($0) })
        #expect(try world.strays(version) == 0)
        #expect(try world.jobs() == [])
    }

    @Test func `a replica that is gone is made again`() throws {
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try FileManager.default.removeItem(at: world.file(version, on: "fi"))
        try verify(version, on: "fi")
        let counts = try world.drain()
        #expect(counts.damaged == 1 && counts.repaired == 1)
        #expect(try world.contents("fi").values.sorted() == ["meow"])
    }

    @Test func `the last replica is kept whatever is in it, never read, and told of`() throws {
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.corrupt(version, on: "fi", to: "woof")
        try verify(version, on: "fi")
        let counts = try world.drain()
        #expect(counts.damaged == 1 && counts.repaired == 0 && counts.copied == 0 && counts.removed == 0)
        #expect(try world.replicas(version) == ["fi": .damaged, "de": .pending])
        #expect(try world.contents("fi").values.sorted() == ["woof"])
        let dead = try world.jobs(.dead)
        #expect(dead.contains { $0.kind == .verify && $0.lastError?.contains("no good replica") == true })
        let readable = try world.database.read { sql throws(S3Error) in
            try sql.currentVersionWithReplicas(bucketID: version.bucketID, key: version.key)?.replicas
        }
        #expect(readable == [])
    }

    @Test func `a store that has the right bytes again serves again, and the missing copies are made`() throws {
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.corrupt(version, on: "fi", to: "woof")
        try verify(version, on: "fi")
        try world.drain()
        try world.corrupt(version, on: "fi", to: "meow")
        for job in try world.jobs(.dead) where job.kind == .verify {
            #expect(try world.database.write { sql throws(S3Error) in try sql.reviveJob(id: job.id) })
        }
        let counts = try world.drain()
        #expect(counts.verified == 1 && counts.copied == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.jobs() == [])
    }

    @Test(arguments: ["fi", "de"])
    func `with all replicas bad each one can be tried again, whichever has the right bytes then`(_ right: String) throws
    {
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        for name in ["fi", "de"] {
            try world.corrupt(version, on: name, to: "woof")
            try verify(version, on: name)
        }
        try world.drain()
        // A copy that was tried before the second replica was found bad waits for its next attempt.
        try world.passTime()
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .damaged, "de": .damaged])
        #expect(Set(try world.jobs().map(\.state)) == [.dead])
        try world.corrupt(version, on: right, to: "meow")
        let id = try world.id(right)
        let job = try #require(try world.jobs(.dead).first { $0.kind == .verify && $0.backendID == id })
        #expect(try world.database.write { sql throws(S3Error) in try sql.reviveJob(id: job.id) })
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        for name in ["fi", "de"] { #expect(try world.contents(name).values.sorted() == ["meow"]) }
        #expect(try world.jobs().filter { $0.state != .dead } == [])
    }

    @Test func `a damaged replica is no source, and with no other the copy is a dead letter`() throws {
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.corrupt(version, on: "fi", to: "woof")
        try world.drain()
        try world.passTime()
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .damaged, "de": .pending])
        #expect(try world.contents("de").isEmpty)
        #expect(Set(try world.jobs().map(\.state)) == [.dead])
    }

    @Test func `an unreachable replica is not condemned`() throws {
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.set("de", .offline)
        try verify(version, on: "de")
        let counts = try world.drain()
        #expect(counts.damaged == 0 && counts.retried == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
    }
}
