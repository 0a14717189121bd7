import Core
import Foundation
import Testing

/// Policy before bytes, also for the worker: what was decided at the PUT is decided again.
@Suite struct WorkerPolicyTests {
    @Test func `a replica that policy forbids by now goes to an allowed backend`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["fr"])
        try world.setPolicy(
            #"{"residency":{"allow":["country:FI","country:DE"]},"replicas":{"count":2,"acknowledge":1}}"#)
        let counts = try world.drain()
        #expect(counts.copied == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.contents("fr").isEmpty)
        #expect(try world.jobs() == [])
    }

    @Test func `without an allowed backend the replica waits, and no byte moves`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["fr"])
        try world.setPolicy(#"{"residency":{"allow":["country:FI"]},"replicas":{"count":2,"acknowledge":1}}"#)
        #expect(try world.drain().retried == 1)
        #expect(try world.replicas(version) == ["fi": .present, "fr": .pending])
        #expect(try world.contents("fr").isEmpty)
        #expect(try world.contents("de").isEmpty)
    }

    @Test func `a replica beyond the number policy wants is not made`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.setPolicy(#"{"replicas":{"count":1}}"#)
        #expect(try world.drain().copied == 0)
        #expect(try world.replicas(version) == ["fi": .present])
        #expect(try world.contents("de").isEmpty)
        #expect(try world.jobs() == [])
    }

    @Test func `two copies in one country do not count as two where countries must differ`() throws {
        let world = try ReplicationScenario(
            policy: #"{"replicas":{"count":2,"acknowledge":1,"distinct":"country"}}"#)
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
    }

    @Test func `after a removal that policy no longer wants a copy is made, with a key of its own`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        let backend = try world.id("de")
        try world.database.write { sql throws(S3Error) in
            try sql.setReplica(versionID: version.id, backendID: backend, state: .removing)
            try sql.insertJob(
                kind: .removeReplica, bucketID: world.bucket.id, versionID: version.id, backendID: backend,
                notBefore: ReplicationScenario.start)
        }
        let before = try world.contents("de").keys.sorted()
        let counts = try world.drain()
        #expect(counts.removed == 1)
        #expect(counts.copied == 1)
        #expect(try world.contents("de").keys.allSatisfy { !before.contains($0) })
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.contents("de").values.sorted() == ["meow"])
    }

    @Test func `a replica beyond the number policy wants is removed when a job asks for it`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de", "fr"])
        let backend = try world.id("fr")
        try world.database.write { sql throws(S3Error) in
            try sql.setReplica(versionID: version.id, backendID: backend, state: .removing)
            try sql.insertJob(
                kind: .removeReplica, bucketID: world.bucket.id, versionID: version.id, backendID: backend,
                notBefore: ReplicationScenario.start)
        }
        #expect(try world.drain().removed == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.contents("fr").isEmpty)
    }

    @Test func `what may be the last good bytes of a version are not removed`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        let (good, bad) = (try world.id("de"), try world.id("fi"))
        try world.database.write { sql throws(S3Error) in
            try sql.setReplica(versionID: version.id, backendID: good, state: .removing)
            try sql.insertJob(
                kind: .removeReplica, bucketID: world.bucket.id, versionID: version.id, backendID: good,
                notBefore: ReplicationScenario.start)
            // The one that was to stay turned out to be bad since.
            try sql.setReplica(versionID: version.id, backendID: bad, state: .damaged)
        }
        let counts = try world.drain()
        #expect(counts.removed == 0 && counts.retried == 1)
        #expect(try world.contents("de").values.sorted() == ["meow"])
    }

    @Test func `nothing is removed from where a copy is still to be made`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        let backend = try world.id("de")
        try world.database.write { sql throws(S3Error) in
            try sql.setReplica(versionID: version.id, backendID: backend, state: .removing)
            for (kind, delay) in [(JobKind.removeReplica, Int64(0)), (.replicate, 3600)] {
                try sql.insertJob(
                    kind: kind, bucketID: world.bucket.id, versionID: version.id, backendID: backend,
                    notBefore: ReplicationScenario.start.adding(seconds: delay))
            }
        }
        let counts = try world.drain()
        #expect(counts.removed == 0 && counts.retried == 1)
        #expect(try world.contents("de").values.sorted() == ["meow"])
    }

    @Test func `a removal of a replica that is needed and present does nothing`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        let backend = try world.id("de")
        try world.database.write { sql throws(S3Error) in
            try sql.insertJob(
                kind: .removeReplica, bucketID: world.bucket.id, versionID: version.id, backendID: backend,
                notBefore: ReplicationScenario.start)
        }
        #expect(try world.drain().obsolete == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.contents("de").count == 1)
    }

    @Test func `a deleted bucket is removed from its backends once it is empty, with what was left in it`() throws {
        let world = try ReplicationScenario()
        try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.drain()
        let name = try world.physicalBucket("de")
        // The rest of an upload that was cut short: nobody has a row for it.
        let orphan = world.directory.appending(path: "de").appending(path: name)
        try world.delete("cat.jpg")
        try world.put("dog.jpg", "woof", present: ["de"])
        let stray = try world.file(try world.put("stray", "left behind", present: ["de"]), on: "de")
        let copy = stray.deletingLastPathComponent().appending(path: "copy-" + stray.lastPathComponent)
        try FileManager.default.copyItem(at: stray, to: copy)
        try world.delete("dog.jpg")
        try world.delete("stray")
        try world.deleteBucket()
        try world.drain()
        try world.passTime()
        try world.drain()
        #expect(try world.jobs() == [])
        #expect(!FileManager.default.fileExists(atPath: orphan.path))
        let states = try world.database.read { sql throws(S3Error) in
            try sql.mappings(bucketID: world.bucket.id).map(\.state)
        }
        #expect(states == [.removed, .removed])
    }

    @Test func `the bucket of a living logical bucket is never removed`() throws {
        let world = try ReplicationScenario()
        let name = try world.physicalBucket("fi")
        let backend = try world.id("fi")
        try world.database.write { sql throws(S3Error) in
            try sql.insertJob(
                kind: .removeBucket, bucketID: world.bucket.id, versionID: nil, backendID: backend,
                notBefore: ReplicationScenario.start)
        }
        #expect(try world.drain().obsolete == 1)
        #expect(
            FileManager.default.fileExists(atPath: world.directory.appending(path: "fi").appending(path: name).path))
    }

    @Test func `a bucket that is deleted gets no physical bucket any more`() throws {
        let world = try ReplicationScenario()
        let name = try world.physicalBucket("fi")
        try world.deleteBucket()
        #expect(code { _ = try world.physicalBucket("de") } == .noSuchBucket)
        let backend = try world.id("fi")
        try world.database.write { sql throws(S3Error) in
            let isReady = try sql.setMapping(bucketID: world.bucket.id, backendID: backend, counter: 0, state: .ready)
            if isReady { throw S3Error(.internalError, cause: "a mapping came back") }
        }
        #expect(try world.drain().bucketsRemoved == 1)
        for backend in ["fi", "de"] {
            let root = world.directory.appending(path: backend).path
            #expect(try FileManager.default.contentsOfDirectory(atPath: root).allSatisfy { !$0.hasPrefix("s3gw-") })
        }
        #expect(
            !FileManager.default.fileExists(atPath: world.directory.appending(path: "fi").appending(path: name).path))
    }

    @Test func `a bucket that a store has lost is made again for the next copy`() throws {
        let world = try ReplicationScenario()
        let name = try world.physicalBucket("de")
        try FileManager.default.removeItem(at: world.directory.appending(path: "de").appending(path: name))
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        #expect(try world.drain().copied == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.contents("de").values.sorted() == ["meow"])
        #expect(try world.physicalBucket("de") == name)
    }
}
