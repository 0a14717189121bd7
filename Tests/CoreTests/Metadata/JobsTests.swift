import Core
import Synchronization
import Testing

@Suite struct JobsTests {
    let world: MetadataScenario
    let now = MetadataScenario.start

    init() throws { world = try MetadataScenario() }

    func insert(_ kind: JobKind, _ version: VersionID?, backend: Int = 0, at time: Timestamp? = nil) throws {
        try world.write {
            try $0.insertJob(
                kind: kind, bucketID: world.bucket.id, versionID: version, backendID: world.backends[backend].id,
                notBefore: time ?? now)
        }
    }

    func claim(_ owner: String, limit: Int = 10, at time: Timestamp, lease: Int64 = 60) throws -> [Job] {
        try world.write {
            try $0.claimJobs(owner: owner, limit: limit, now: time, leaseUntil: time.adding(seconds: lease))
        }
    }

    @Test func `copies are made before anything is removed`() throws {
        let versions = (0..<3).map { _ in VersionID(at: now) }
        try insert(.removeBucket, nil)
        try insert(.removeReplica, versions[0])
        try insert(.replicate, versions[1], at: now.adding(seconds: 5))
        try insert(.replicate, versions[2], at: now.adding(seconds: 4))
        let claimed = try claim("one", limit: 3, at: now.adding(seconds: 10))
        #expect(claimed.map(\.kind) == [.replicate, .replicate, .removeReplica])
        #expect(claimed.map(\.versionID) == [versions[2], versions[1], versions[0]])
        #expect(claimed.allSatisfy { $0.state == .leased && $0.attempts == 1 && $0.fence == 1 })
        #expect(try claim("two", at: now.adding(seconds: 10)).map(\.kind) == [.removeBucket])
    }

    @Test func `a job is not claimed before its time or while its lease lasts`() throws {
        try insert(.replicate, VersionID(at: now), at: now.adding(seconds: 10))
        #expect(try claim("one", at: now.adding(seconds: 9)).isEmpty)
        #expect(try claim("one", at: now.adding(seconds: 10), lease: 60).count == 1)
        #expect(try claim("two", at: now.adding(seconds: 69)).isEmpty)
        #expect(try claim("two", at: now.adding(seconds: 70)).map(\.fence) == [2])
    }

    @Test func `a worker that lost its lease can commit nothing`() throws {
        try insert(.replicate, VersionID(at: now))
        let old = try #require(try claim("one", at: now, lease: 60).first)
        let new = try #require(try claim("two", at: now.adding(seconds: 61)).first)
        #expect(new.id == old.id && new.fence == old.fence + 1 && new.leaseOwner == "two" && new.attempts == 2)
        try world.write { (db) throws in
            #expect(try !db.holdsLease(id: old.id, fence: old.fence))
            #expect(try !db.extendLease(id: old.id, fence: old.fence, until: now.adding(seconds: 999)))
            #expect(try !db.retryJob(id: old.id, fence: old.fence, notBefore: now, error: "late"))
            #expect(try !db.buryJob(id: old.id, fence: old.fence, error: "late"))
            #expect(try !db.finishJob(id: old.id, fence: old.fence))
            #expect(try db.holdsLease(id: new.id, fence: new.fence))
            #expect(try db.finishJob(id: new.id, fence: new.fence))
            #expect(try db.jobs(state: nil, limit: 10).isEmpty)
        }
    }

    @Test func `an extended lease keeps the job`() throws {
        try insert(.replicate, VersionID(at: now))
        let job = try #require(try claim("one", at: now, lease: 60).first)
        try world.write { (db) throws in
            #expect(try db.extendLease(id: job.id, fence: job.fence, until: now.adding(seconds: 600)))
        }
        #expect(try claim("two", at: now.adding(seconds: 300)).isEmpty)
        #expect(try claim("two", at: now.adding(seconds: 600)).count == 1)
    }

    @Test func `a lease claimed by a clock that was ahead ends, and others do not`() throws {
        try insert(.replicate, VersionID(at: now))
        let ahead = try #require(try claim("ahead", at: now.adding(seconds: 1200), lease: 60).first)
        try insert(.replicate, VersionID(at: now))
        #expect(try claim("one", at: now, lease: 60).count == 1)
        try world.write { (db) throws in
            #expect(try db.endLeases(beyond: now.adding(seconds: 180), at: now) == 1)
            #expect(try db.endLeases(beyond: now.adding(seconds: 180), at: now) == 0)
        }
        let again = try #require(try claim("two", at: now, lease: 60).first)
        #expect(again.id == ahead.id && again.fence == ahead.fence + 1)
        #expect(try claim("two", at: now.adding(seconds: 59)).isEmpty)
    }

    @Test func `a failed job waits, and a hopeless one becomes a dead letter that can live again`() throws {
        try insert(.replicate, VersionID(at: now))
        var job = try #require(try claim("one", at: now).first)
        let later = now.adding(seconds: 30)
        try world.write { (db) throws in
            #expect(try db.retryJob(id: job.id, fence: job.fence, notBefore: later, error: "timeout"))
        }
        #expect(try claim("one", at: now.adding(seconds: 29)).isEmpty)
        job = try #require(try claim("one", at: later).first)
        #expect(job.attempts == 2 && job.lastError == "timeout" && job.notBefore == later)
        try world.write { (db) throws in
            #expect(try db.buryJob(id: job.id, fence: job.fence, error: "gone"))
            #expect(try db.jobs(state: .dead, limit: 10).map(\.lastError) == ["gone"])
            #expect(try db.reviveJob(id: job.id, at: later))
        }
        #expect(try claim("one", at: later).map(\.attempts) == [1])
        try world.write { (db) throws in
            #expect(try !db.reviveJob(id: job.id, at: later))
            #expect(try !db.dropJob(id: job.id))
        }
    }

    @Test func `an operator can end a job's wait, and its attempts still count`() throws {
        try insert(.replicate, VersionID(at: now))
        let job = try #require(try claim("one", at: now).first)
        let later = now.adding(seconds: 600)
        try world.write { (db) throws in
            #expect(try db.retryJob(id: job.id, fence: job.fence, notBefore: later, error: "timeout"))
        }
        #expect(try claim("one", at: now.adding(seconds: 1)).isEmpty)
        try world.write { (db) throws in
            #expect(try db.reviveJob(id: job.id, at: now.adding(seconds: 1)))
            #expect(try !db.reviveJob(id: job.id + 1, at: now))
        }
        #expect(try claim("one", at: now.adding(seconds: 1)).map(\.attempts) == [2])
    }

    @Test func `asking again does not make a second job`() throws {
        let version = VersionID(at: now)
        try insert(.replicate, version, at: now.adding(seconds: 50))
        try insert(.replicate, version, at: now.adding(seconds: 20))
        try insert(.replicate, version, at: now.adding(seconds: 80))
        try insert(.replicate, version, backend: 1)
        try insert(.removeBucket, nil)
        try insert(.removeBucket, nil)
        let jobs = try world.read { try $0.jobs(state: .ready, limit: 10) }
        #expect(jobs.map(\.kind) == [.replicate, .replicate, .removeBucket])
        #expect(jobs[0].notBefore == now.adding(seconds: 20))
        let counts = try world.read { try $0.jobCounts() }
        #expect(counts.map(\.count) == [1, 2] && counts.map(\.kind) == [.removeBucket, .replicate])
    }

    @Test func `what is asked for while it is done is done once more`() throws {
        let version = VersionID(at: now)
        try insert(.replicate, version)
        let job = try #require(try claim("one", at: now).first)
        try insert(.replicate, version, at: now.adding(seconds: 5))
        #expect(try claim("two", at: now.adding(seconds: 6)).isEmpty)
        try world.write { (db) throws in #expect(try db.finishJob(id: job.id, fence: job.fence)) }
        let again = try #require(try claim("two", at: now.adding(seconds: 6)).first)
        try world.write { (db) throws in
            #expect(try db.finishJob(id: again.id, fence: again.fence))
            #expect(try db.jobs(state: nil, limit: 10).isEmpty)
        }
    }

    @Test func `nobody removes a replica while another still writes it`() throws {
        let version = VersionID(at: now)
        try insert(.replicate, version)
        let copy = try #require(try claim("one", at: now, lease: 60).first)
        try insert(.removeReplica, version)
        #expect(try claim("two", at: now.adding(seconds: 59)).isEmpty)
        try world.write { (db) throws in #expect(try db.finishJob(id: copy.id, fence: copy.fence)) }
        #expect(try claim("two", at: now.adding(seconds: 59)).map(\.kind) == [.removeReplica])
    }

    @Test func `of two jobs of one urgency about the same bytes one is claimed at a time`() throws {
        let version = VersionID(at: now)
        for kind in [JobKind.endUpload, .removeReplica] { try insert(kind, version) }
        let first = try claim("one", at: now)
        #expect(first.map(\.kind) == [.endUpload])
        try world.write { (db) throws in
            for job in first { #expect(try db.finishJob(id: job.id, fence: job.fence)) }
        }
        #expect(try claim("one", at: now).map(\.kind) == [.removeReplica])
    }

    @Test func `several workers share all jobs and never one`() throws {
        let count = 200
        for _ in 0..<count { try insert(.replicate, VersionID(at: now)) }
        let done = Mutex<[Int64]>([])
        let failures = Threads.run(6) { [path = world.path, now] number in
            let database = try Database.open(path: path)
            while true {
                let jobs = try database.write { (db) throws(S3Error) in
                    try db.claimJobs(
                        owner: "\(number)", limit: 7, now: now, leaseUntil: now.adding(seconds: 60))
                }
                if jobs.isEmpty { return }
                done.withLock { $0 += jobs.map(\.id) }
                for job in jobs {
                    let isFinished = try database.write { (db) throws(S3Error) in
                        try db.finishJob(id: job.id, fence: job.fence)
                    }
                    #expect(isFinished)
                }
            }
        }
        #expect(failures.isEmpty)
        let ids = done.withLock { $0 }
        #expect(ids.count == count && Set(ids).count == count)
    }
}
