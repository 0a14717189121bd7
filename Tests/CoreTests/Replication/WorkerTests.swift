import Core
import Foundation
import Testing

@Suite struct WorkerTests {
    @Test func `a missing replica is copied byte for byte, and every job is done`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        let counts = try world.drain()
        #expect(counts.copied == 1)
        #expect(counts.copiedBytes == 4)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.contents("de").values.sorted() == world.contents("fi").values.sorted())
        #expect(try world.contents("de").values.sorted() == ["meow"])
        #expect(try world.jobs() == [])
        #expect(try world.spooledFiles == [])
    }

    @Test func `an object larger than any buffer, an empty one and every checksum are copied`() throws {
        let world = try ReplicationScenario()
        let large = String(repeating: "0123456789abcdef", count: 100_000)
        try world.put("large", large, present: ["fi"], pending: ["de"], checksum: nil)
        try world.put("empty", "", present: ["fi"], pending: ["de"])
        for algorithm in ChecksumAlgorithm.allCases {
            try world.put(algorithm.rawValue, "meow", present: ["fi"], pending: ["de"], checksum: algorithm)
        }
        #expect(try world.drain().copied == 2 + ChecksumAlgorithm.allCases.count)
        #expect(try world.contents("de").values.sorted() == world.contents("fi").values.sorted())
        #expect(try world.contents("de").count == 2 + ChecksumAlgorithm.allCases.count)
    }

    @Test func `an overwritten and a deleted object leave nothing behind`() throws {
        let world = try ReplicationScenario()
        let old = try world.put("cat.jpg", "old", present: ["fi", "de"])
        let new = try world.put("cat.jpg", "new", present: ["fi", "de"])
        let gone = try world.put("dog.jpg", "gone", present: ["fi", "fr"])
        try world.delete("dog.jpg")
        #expect(try world.drain().removed == 4)
        for version in [old, gone] { #expect(try !world.hasRow(version)) }
        #expect(try world.replicas(new) == ["fi": .present, "de": .present])
        #expect(try world.contents("fi").values.sorted() == ["new"])
        #expect(try world.contents("de").values.sorted() == ["new"])
        #expect(try world.contents("fr").isEmpty)
        #expect(try world.jobs() == [])
    }

    @Test func `a version that dies before its copy begins is never copied`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.delete("cat.jpg")
        #expect(try world.drain().copied == 0)
        #expect(try !world.hasRow(version))
        #expect(try world.contents("fi").isEmpty)
        #expect(try world.contents("de").isEmpty)
        #expect(try world.jobs() == [])
    }

    @Test(arguments: ["woof", "meo", nil]) func `a bad replica is no source, and is copied anew`(
        content: String?
    ) throws {
        let world = try ReplicationScenario(policy: #"{"replicas":{"count":3,"acknowledge":1}}"#)
        let version = try world.put("cat.jpg", "meow", present: ["de", "fi"], pending: ["fr"])
        if let content {
            try world.corrupt(version, on: "de", to: content)
        } else {
            try FileManager.default.removeItem(at: world.file(version, on: "de"))
        }
        let counts = try world.drain()
        #expect(counts.copied == 2)
        #expect(counts.badSources == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present, "fr": .present])
        for backend in ["fi", "de", "fr"] { #expect(try world.contents(backend).values.sorted() == ["meow"]) }
        #expect(try world.jobs() == [])
    }

    @Test(arguments: ["woof", "meo", "meow!", ""])
    func `without a good replica nothing is copied, and a person is told`(content: String) throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.corrupt(version, on: "fi", to: content)
        let counts = try world.drain()
        #expect(counts.copied == 0)
        #expect(counts.retried == 1)
        #expect(try world.contents("de").isEmpty)
        #expect(try world.replicas(version) == ["fi": .damaged, "de": .pending])
        let job = try #require(try world.jobs(.ready).first)
        #expect(job.attempts == 1)
        #expect(job.lastError?.contains("no good replica") == true)
        let told = try #require(try world.jobs(.dead).first)
        #expect(told.kind == .verify)
        try world.passTime()
        #expect(try world.drain().copied == 0)
        #expect(Set(try world.jobs().map(\.state)) == [.dead], "another reading has found the same")
        #expect(try world.replicas(version) == ["fi": .damaged, "de": .pending])
        try world.corrupt(version, on: "fi", to: "meow")
        #expect(try world.database.write { sql throws(S3Error) in try sql.reviveJob(id: told.id) })
        #expect(try world.drain().copied == 1)
    }

    @Test func `a job that is refused again and again becomes a dead letter, and lives again when asked`() throws {
        let world = try ReplicationScenario()
        try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.setPolicy(#"{"residency":{"allow":["country:FI"]},"replicas":{"count":2,"acknowledge":1}}"#)
        for attempt in 1..<Backoff.maximumAttempts {
            #expect(try world.drain().retried == 1)
            #expect(try world.jobs(.ready).first?.attempts == attempt)
            try world.passTime()
        }
        #expect(try world.drain().buried == 1)
        let dead = try #require(try world.jobs(.dead).first)
        #expect(dead.lastError?.contains("tenant.residency.allow") == true)
        try world.passTime()
        #expect(try world.drain().isEmpty)
        try world.setPolicy(ReplicationScenario.twoCopies)
        #expect(try world.database.write { sql throws(S3Error) in try sql.reviveJob(id: dead.id) })
        #expect(try world.drain().copied == 1)
    }

    @Test func `a job whose worker never survives it becomes a dead letter, too`() throws {
        let world = try ReplicationScenario()
        try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        var now = Timestamp.now()
        for _ in 0..<Backoff.maximumAttempts {
            #expect(try world.claim(at: now, for: 1).count == 1)
            now = now.adding(seconds: 2)
        }
        try world.database.write { sql throws(S3Error) in
            let job = try sql.jobs(state: .leased, limit: 1)[0]
            _ = try sql.extendLease(id: job.id, fence: job.fence, until: ReplicationScenario.start)
        }
        #expect(try world.drain().buried == 1)
    }

    @Test func `an absent store uses up no attempts, and gets its copies once it is back`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        let root = world.directory.appending(path: "de")
        let away = world.directory.appending(path: "away")
        try FileManager.default.moveItem(at: root, to: away)
        for _ in 0..<(Backoff.maximumAttempts + 5) {
            #expect(try world.drain().retried == 1)
            try world.passTime()
        }
        #expect(try world.jobs(.ready).first?.attempts == 0)
        #expect(try world.replicas(version) == ["fi": .present, "de": .pending])
        try FileManager.default.moveItem(at: away, to: root)
        let fresh = Worker(world: try world.reopened(), settings: world.settings(), stop: world.stop)
        try world.passTime()
        try fresh.drain()
        #expect(fresh.counts.current.copied == 1)
        #expect(try world.contents("de").values.sorted() == ["meow"])
    }

    @Test func `a backend that is offline waits, in either direction`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        for backend in ["fi", "de"] {
            try world.set(backend, .offline)
            #expect(try world.drain().retried == 1)
            try world.set(backend, .active)
            try world.passTime()
        }
        #expect(try world.drain().copied == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
    }
}
