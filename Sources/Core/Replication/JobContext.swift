import Logging

/// What one attempt at a job works with.
struct JobContext: Sendable {
    let world: World
    let lease: JobLease
    let spoolDirectory: String
    let stop: StopSignal
    let log: Logger
    let counts: WorkerCounts
    let planning: Planning
    let pace: TransferPace

    var job: Job { lease.job }
    var database: Database { world.database }

    func read<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(JobFailure) -> T {
        do throws(S3Error) { return try database.read(body) } catch { throw JobFailure(error) }
    }

    func write<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(JobFailure) -> T {
        do throws(S3Error) { return try database.write(body) } catch { throw JobFailure(error) }
    }

    /// Ends the job in one transaction with `body`'s changes; nothing is changed when the claim was lost.
    func finish(_ body: (any SQLConnection) throws(S3Error) -> JobOutcome.Done) throws(JobFailure) -> JobOutcome {
        let done = try write { sql throws(S3Error) -> JobOutcome.Done? in
            guard try sql.finishJob(id: job.id, fence: job.fence) else { return nil }
            return try body(sql)
        }
        guard let done else {
            lease.markLost()
            return .abandoned("another worker has the job")
        }
        return .done(done)
    }

    /// Makes the job a dead letter at once, in one transaction with `body`'s changes: no attempt would do better.
    func bury(
        _ cause: String, _ body: (any SQLConnection) throws(S3Error) -> Void
    ) throws(JobFailure) -> JobOutcome {
        let isOurs = try write { sql throws(S3Error) -> Bool in
            guard try sql.buryJob(id: job.id, fence: job.fence, error: cause) else { return false }
            try body(sql)
            return true
        }
        if isOurs { return .buried(cause) }
        lease.markLost()
        return .abandoned("another worker has the job")
    }

    /// Waits until that many bytes may be moved from or to the backend.
    func paced(_ bytes: Int64, _ live: LiveBackend) {
        pace.wait(for: bytes, backendID: live.backend.record.id, stop: stop)
    }

    /// Throws when going on is of no use: another worker has the job, or this one has to stop.
    func checkGoingOn() throws(JobFailure) {
        if lease.isLost { throw JobFailure(abandoned: "another worker has the job") }
        if stop.isStopped { throw JobFailure(abandoned: "the worker stops") }
    }

    func snapshot() throws(JobFailure) -> WorldSnapshot {
        do throws(S3Error) { return try world.snapshot() } catch { throw JobFailure(error) }
    }

    func backend(_ id: Int64, in snapshot: WorldSnapshot) throws(JobFailure) -> LiveBackend {
        guard let live = snapshot.backends[id] else { throw JobFailure(.refused, "backend \(id) is gone") }
        return live
    }

    /// The backend of that id; throws when there is none, when it is offline, or while its breaker is open.
    ///
    /// Only looks: the call itself takes the one trial that a half-open breaker allows.
    func reachableBackend(_ id: Int64, in snapshot: WorldSnapshot) throws(JobFailure) -> LiveBackend {
        let live = try backend(id, in: snapshot)
        guard live.isReadable else { throw JobFailure(.unavailable, "\(live.name) is offline") }
        guard live.breaker.admits() else {
            throw JobFailure(.unavailable, "\(live.name) failed lately; not asked again yet")
        }
        return live
    }

    func ask<T>(
        _ live: LiveBackend, _ call: (any Backend) throws(BackendError) -> T
    ) throws(JobFailure) -> T {
        do throws(BackendError) { return try live.observe(call) } catch { throw JobFailure(error) }
    }

    /// Returns the bucket's physical name on that backend, making the bucket when it is not there.
    func physicalBucket(_ bucket: Bucket, on live: LiveBackend, in snapshot: WorldSnapshot) throws(JobFailure) -> String
    {
        do throws(S3Error) {
            if let name = try snapshot.physicalName(of: bucket, on: live.backend.record.id) { return name }
            guard let tenant = try snapshot.tenant(bucket.tenantID) else {
                throw S3Error(.internalError, cause: "bucket \(bucket.id) has no tenant")
            }
            return try world.provisioner.ensure(bucket, of: tenant, on: live)
        } catch {
            throw JobFailure(error)
        }
    }

    /// Makes a bucket again that the store has lost; its name is ours by the mapping's row.
    func remakeBucket(_ name: String, on live: LiveBackend) throws(JobFailure) {
        let creation = try ask(live) { backend throws(BackendError) in try backend.createBucket(name) }
        guard creation != .taken else {
            throw JobFailure(.refused, "\(live.name): somebody else took our bucket's name")
        }
        log.warning("a lost bucket was made again", metadata: ["backend": "\(live.name)"])
    }
}
