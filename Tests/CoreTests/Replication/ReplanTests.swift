import Core
import Foundation
import Testing

/// What is stored already follows policy, tags and backends when these change.
@Suite struct ReplanTests {
    static let finland = #"{"residency":{"allow":["country:FI","country:FR"]},"replicas":{"count":2,"acknowledge":1}}"#

    @Test func `what a narrower policy forbids moves, and never is there less than policy wants`() throws {
        let world = try ReplicationScenario()
        let versions = try (0..<20).map { try world.put("cat-\($0)", "meow \($0)", present: ["fi", "de"]) }
        try world.setPolicy(Self.finland)
        let counts = try world.drain()
        #expect(counts.copied == 20 && counts.removed == 20)
        for version in versions { #expect(try world.replicas(version) == ["fi": .present, "fr": .present]) }
        #expect(try world.contents("de").isEmpty)
        #expect(try world.contents("fr").count == 20)
        #expect(try world.jobs() == [])
        let progress = try world.database.read { sql throws(S3Error) in try sql.replanProgress() }
        #expect(progress.map(\.looked) == [20] && progress.map(\.short) == [0] && progress.map(\.isDone) == [true])
    }

    @Test func `nothing is removed from a forbidden place while the new one cannot be made`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.setPolicy(Self.finland)
        try FileManager.default.removeItem(at: world.directory.appending(path: "fr"))
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "de": .present, "fr": .pending])
        #expect(try world.contents("de").count == 1)
    }

    @Test func `with too few places left everything stays, and the shortage is counted`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.setPolicy(#"{"residency":{"allow":["country:FI"]},"replicas":{"count":2,"acknowledge":1}}"#)
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        let progress = try world.database.read { sql throws(S3Error) in try sql.replanProgress() }
        #expect(progress.map(\.short) == [1])
    }

    @Test func `more and fewer copies are made when the number changes`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.setPolicy(#"{"replicas":{"count":3,"acknowledge":1}}"#)
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "de": .present, "fr": .present])
        try world.setPolicy(#"{"replicas":{"count":1,"order":["fr-1"]}}"#)
        try world.drain()
        #expect(try world.replicas(version) == ["fr": .present])
        #expect(try world.contents("fi").isEmpty)
        #expect(try world.contents("de").isEmpty)
    }

    @Test func `another order of preference alone moves nothing`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.setPolicy(#"{"replicas":{"count":2,"acknowledge":1,"order":["fr-1"]}}"#)
        #expect(try world.drain().copied == 0)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
    }

    @Test func `a draining backend is emptied, and one that comes back keeps what is still there`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.set("de", .draining)
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "fr": .present])
        #expect(try world.contents("de").isEmpty)
        let other = try world.put("dog.jpg", "woof", present: ["fi", "fr"])
        try world.set("fr", .draining)
        try world.set("fr", .active)
        #expect(try world.drain().copied == 0)
        #expect(try world.replicas(other) == ["fi": .present, "fr": .present])
    }

    @Test func `a read-only backend keeps what it has and gets nothing`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        let owed = try world.put("dog.jpg", "woof", present: ["fi"], pending: ["de"])
        try world.set("de", .readOnly)
        try world.drain()
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
        #expect(try world.replicas(owed) == ["fi": .present, "fr": .present])
    }

    @Test func `a backend is given up only after the grace, and what is superfluous goes when it is back`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        let backend = try world.id("de")
        func check(failure: String?, secondsAgo: Int64) throws {
            try world.database.write { sql throws(S3Error) in
                for _ in 0..<2 {
                    _ = try sql.recordCheck(
                        BackendCheck(
                            backendID: backend, at: .now().adding(seconds: -secondsAgo), milliseconds: nil,
                            failure: failure))
                }
            }
        }
        try check(failure: "no answer", secondsAgo: 60)
        #expect(try world.drain().copied == 0)
        try check(failure: nil, secondsAgo: 0)
        try check(failure: "no answer", secondsAgo: 3600)
        #expect(try world.drain().copied == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present, "fr": .present])
        try check(failure: nil, secondsAgo: 0)
        #expect(try world.drain().removed == 1)
        #expect(try world.replicas(version).count == 2)
    }

    @Test func `a walk over more than one batch looks at every version once`() throws {
        let world = try ReplicationScenario()
        for number in 0..<450 { try world.put("cat-\(number)", "meow", present: ["fi"]) }
        try world.setPolicy(#"{"replicas":{"count":2,"acknowledge":1}}"#)
        #expect(try world.drain().copied == 450)
        let progress = try world.database.read { sql throws(S3Error) in try sql.replanProgress() }
        #expect(progress.map(\.looked) == [450])
    }

    @Test func `a version in one place is copied before one in two`() throws {
        let world = try ReplicationScenario(policy: #"{"replicas":{"count":3,"acknowledge":1}}"#)
        let safer = try world.put("safer", "meow", present: ["fi", "de"], pending: ["fr"])
        let rare = try world.put("rare", "meow", present: ["fi"], pending: ["de", "fr"])
        let first = try world.database.write { sql throws(S3Error) in
            try sql.claimJobs(
                owner: "w", limit: 3, now: .now().adding(seconds: 1), leaseUntil: .now().adding(seconds: 60))
        }
        #expect(first.map(\.versionID) == [rare.id, rare.id, safer.id])
    }
}
