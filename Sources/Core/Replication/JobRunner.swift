import Logging

/// Does one claimed job and writes down how it ended.
struct JobRunner: Sendable {
    let world: World
    let settings: Worker.Settings
    let stop: StopSignal
    let pace: TransferPace
    let counts: WorkerCounts
    private let log = Logger(label: "s3gw.worker")

    init(world: World, settings: Worker.Settings, stop: StopSignal, pace: TransferPace, counts: WorkerCounts) {
        self.world = world
        self.settings = settings
        self.stop = stop
        self.pace = pace
        self.counts = counts
    }

    /// Throws only when the database does not take the result: the lease then ends by itself.
    @discardableResult
    func run(_ lease: JobLease) throws(S3Error) -> JobOutcome {
        let job = lease.job
        guard job.attempts <= Backoff.maximumAttempts else {
            let outcome = JobOutcome.failed(.refused, cause: job.lastError ?? "no worker survived this job")
            try settle(lease, outcome)
            return outcome
        }
        let context = JobContext(
            world: world, lease: lease, spoolDirectory: settings.spoolDirectory, stop: stop, log: log, counts: counts,
            planning: Planning(world: world, graceMilliseconds: Int64(settings.replicationGraceMilliseconds)),
            pace: pace)
        let outcome: JobOutcome
        do throws(JobFailure) { outcome = try attempt(context) } catch { outcome = error.outcome }
        try settle(lease, outcome)
        return outcome
    }

    private func attempt(_ context: JobContext) throws(JobFailure) -> JobOutcome {
        let job = context.job
        switch (job.kind, job.versionID) {
        case (.replicate, .some(let versionID)), (.move, .some(let versionID)):
            return try ReplicateJob(context: context, versionID: versionID).run()
        case (.removeReplica, .some(let versionID)):
            return try RemoveReplicaJob(context: context, versionID: versionID).run()
        case (.verify, .some(let versionID)): return try VerifyJob(context: context, versionID: versionID).run()
        case (.endUpload, .some(let uploadID)): return try EndUploadJob(context: context, uploadID: uploadID).run()
        case (.expire, .some(let versionID)): return try ExpireJob(context: context, versionID: versionID).run()
        case (.removeBucket, _): return try RemoveBucketJob(context: context).run()
        case (_, .none): throw JobFailure(.refused, "the job names no version")
        }
    }

    private func settle(_ lease: JobLease, _ outcome: JobOutcome) throws(S3Error) {
        let job = lease.job
        var metadata = Self.metadata(of: job)
        switch outcome {
        case .done(let done):
            counts.count(done)
            log.debug("job done", metadata: metadata.merging(["result": "\(done.rawValue)"]) { $1 })
        case .buried(let cause):
            counts.add { $0.buried += 1 }
            metadata["cause"] = "\(cause)"
            log.critical("job given up", metadata: metadata)
        case .abandoned(let cause):
            counts.add { $0.abandoned += 1 }
            metadata["cause"] = "\(cause)"
            log.notice("job abandoned", metadata: metadata)
            guard !lease.isLost else { return }
            try retry(job, at: .now(), cause: job.lastError ?? cause, countsAttempt: false)
        case .failed(let failure, let cause):
            metadata["cause"] = "\(cause)"
            let now = Timestamp.now()
            switch Backoff.verdict(after: failure, of: job, at: now, chance: Double.random(in: 0..<1)) {
            case .retry(let time):
                counts.add { $0.retried += 1 }
                metadata["retry"] = "\(time.iso8601)"
                log.warning("job failed", metadata: metadata)
                try retry(job, at: time, cause: cause, countsAttempt: failure == .refused)
            case .bury:
                counts.add { $0.buried += 1 }
                log.error("job given up", metadata: metadata)
                _ = try world.database.write { sql throws(S3Error) in
                    try sql.buryJob(id: job.id, fence: job.fence, error: cause)
                }
            }
        }
    }

    /// A lease that was lost in between is no failure: the job is another worker's.
    private func retry(_ job: Job, at time: Timestamp, cause: String, countsAttempt: Bool) throws(S3Error) {
        _ = try world.database.write { sql throws(S3Error) in
            try sql.retryJob(
                id: job.id, fence: job.fence, notBefore: time, error: cause, countsAttempt: countsAttempt)
        }
    }

    private static func metadata(of job: Job) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "job": "\(job.id)", "kind": "\(job.kind.rawValue)", "backendId": "\(job.backendID)",
            "attempt": "\(job.attempts)",
        ]
        if let version = job.versionID { metadata["version"] = "\(version)" }
        return metadata
    }
}
