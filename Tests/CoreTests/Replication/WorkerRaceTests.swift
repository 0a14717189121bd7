import Core
import Foundation
import Synchronization
import Testing

/// What happens to others' changes while a copy is under way.
///
/// A file backend takes its bucket's lock to put an object in place: holding that lock keeps a copy exactly there.
@Suite struct WorkerRaceTests {
    /// Runs a worker until its copy of `version` to `de` is about to be put in place, does `change`, then lets it go on.
    private func whileCopying(
        _ version: ObjectVersion, in world: ReplicationScenario, leaseSeconds: Int = 60, _ change: () throws -> Void
    ) throws -> WorkerCounts.Values {
        let bucket = try world.physicalBucket("de")
        let held = try FileLock(world.directory.appending(path: "de").appending(path: bucket))
        let worker = Worker(
            world: try world.reopened(), settings: world.settings(owner: "slow", leaseSeconds: leaseSeconds),
            stop: world.stop)
        let work = Background { try worker.drain() }
        try world.waitUntil { try world.physicalBucketOfReplica(version, on: "de") == bucket }
        try change()
        held.release()
        try work.wait()
        return worker.counts.current
    }

    @Test func `a version that dies while it is copied leaves nothing behind`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        let counts = try whileCopying(version, in: world) { try world.delete("cat.jpg") }
        #expect(counts.copied == 0)
        try world.drain()
        #expect(try !world.hasRow(version))
        #expect(try world.contents("de").isEmpty)
        #expect(try world.contents("fi").isEmpty)
        #expect(try world.jobs() == [])
    }

    @Test func `a version that is overwritten while it is copied makes room for the new one`() throws {
        let world = try ReplicationScenario()
        let old = try world.put("cat.jpg", "old", present: ["fi"], pending: ["de"])
        var new: ObjectVersion?
        _ = try whileCopying(old, in: world) { new = try world.put("cat.jpg", "new", present: ["fi"], pending: ["de"]) }
        try world.drain()
        #expect(try world.replicas(#require(new)) == ["fi": .present, "de": .present])
        #expect(try world.contents("de").values.sorted() == ["new"])
        #expect(try world.contents("fi").values.sorted() == ["new"])
    }

    @Test func `a lost lease commits nothing`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        let later = Timestamp.now().adding(seconds: 120)
        var claimed: [Job] = []
        let counts = try whileCopying(version, in: world) { claimed = try world.claim(owner: "other", at: later) }
        #expect(claimed.count == 1)
        #expect(counts.copied == 0)
        #expect(counts.abandoned == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .pending])
        let job = try #require(try world.jobs(.leased).first)
        #expect(job.leaseOwner == "other")
        #expect(job.attempts == 2)
    }

    @Test func `a copy that nobody knows of any more is taken back`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        var isForgotten = false
        let counts = try whileCopying(version, in: world) {
            try world.delete("cat.jpg")
            try world.expireLeases()
            try world.drain()
            isForgotten = try !world.hasRow(version)
        }
        #expect(isForgotten)
        #expect(counts.abandoned == 1)
        #expect(try world.contents("de").isEmpty)
        #expect(try world.jobs() == [])
    }

    @Test func `a lease is kept for as long as the copy takes`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        var claimed: [Job] = []
        let counts = try whileCopying(version, in: world, leaseSeconds: 1) {
            Thread.sleep(forTimeInterval: 2.5)
            claimed = try world.claim(owner: "other")
        }
        #expect(claimed == [])
        #expect(counts.copied == 1)
        #expect(try world.replicas(version) == ["fi": .present, "de": .present])
    }

    @Test func `two workers share the work and do none of it twice`() throws {
        let world = try ReplicationScenario()
        let count = 40
        for number in 0..<count { try world.put("cat-\(number)", "meow \(number)", present: ["fi"], pending: ["de"]) }
        let workers = try ["one", "two"].map { owner in
            Worker(world: try world.otherProcess(), settings: world.settings(owner: owner), stop: world.stop)
        }
        let works = workers.map { worker in Background { try worker.drain() } }
        for work in works { try work.wait() }
        #expect(workers.map(\.counts.current.copied).reduce(0, +) == count)
        #expect(workers.allSatisfy { $0.counts.current.abandoned == 0 && $0.counts.current.retried == 0 })
        #expect(try world.contents("de").values.sorted() == world.contents("fi").values.sorted())
        #expect(try world.contents("de").count == count)
        #expect(try world.jobs() == [])
    }

    @Test func `a job is claimed by one worker only`() throws {
        let world = try ReplicationScenario()
        for number in 0..<10 { try world.put("cat-\(number)", "meow", present: ["fi"], pending: ["de"]) }
        let first = try world.claim(owner: "one").map(\.id)
        #expect(first.count == 10)
        #expect(try world.claim(owner: "two") == [])
    }

    @Test func `a worker that runs finds new work, and ends when it is told to`() throws {
        let world = try ReplicationScenario()
        let worker = Worker(world: world.world, settings: world.settings(), stop: world.stop)
        let work = Background { try worker.run() }
        let version = try world.put("cat.jpg", "meow", present: ["fi"], pending: ["de"])
        try world.waitUntil { try world.replicas(version)["de"] == .present }
        world.stop.stop()
        try work.wait()
        try world.put("dog.jpg", "woof", present: ["fi"], pending: ["de"])
        Thread.sleep(forTimeInterval: 0.1)
        #expect(try world.jobs(.ready).count == 1)
    }
}

/// One piece of work on a thread of its own.
final class Background: Sendable {
    private let result = Mutex<Result<Void, any Error>?>(nil)

    init(_ work: @escaping @Sendable () throws -> Void) {
        Thread { [self] in
            let outcome = Result { try work() }
            result.withLock { $0 = outcome }
        }.start()
    }

    /// Returns when the work has ended; throws what it threw, or after 30 seconds.
    func wait() throws {
        for _ in 0..<6000 {
            if let outcome = result.withLock({ $0 }) { return try outcome.get() }
            Thread.sleep(forTimeInterval: 0.005)
        }
        throw ScenarioTimeout()
    }
}

struct ScenarioTimeout: Error {}

/// An exclusive `flock` on a directory.
private final class FileLock {
    private let descriptor: Int32

    init(_ url: URL) throws {
        descriptor = unsafe open(url.path, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else { throw CocoaError(.fileLocking) }
    }

    func release() { flock(descriptor, LOCK_UN) }

    deinit { close(descriptor) }
}

extension ReplicationScenario {
    /// Throws after 20 seconds without.
    func waitUntil(_ condition: () throws -> Bool) throws {
        for _ in 0..<4000 {
            if try condition() { return }
            Thread.sleep(forTimeInterval: 0.005)
        }
        throw ScenarioTimeout()
    }

    func physicalBucketOfReplica(_ version: ObjectVersion, on backend: String) throws -> String? {
        let wanted = try id(backend)
        return try database.read { sql throws(S3Error) in try sql.replicas(of: version.id) }
            .first { $0.backendID == wanted }?.physicalBucket
    }

    /// What a worker leaves that was killed some time ago.
    func expireLeases() throws {
        let leased = try jobs(.leased)
        try database.write { sql throws(S3Error) in
            for job in leased { _ = try sql.extendLease(id: job.id, fence: job.fence, until: Self.start) }
        }
    }
}
