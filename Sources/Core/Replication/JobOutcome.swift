/// How one attempt at a job ended.
package enum JobOutcome: Sendable, Equatable {
    /// The job's row is gone, in one transaction with what it changed; the words are for the log.
    case done(Done)
    /// The job is a dead letter already, in one transaction with what it changed: no attempt would do better.
    case buried(String)
    /// Nothing was changed; the job has to be tried again.
    case failed(Backoff.Failure, cause: String)
    /// The claim was lost or the worker stops; nothing was changed.
    case abandoned(String)

    package enum Done: String, Sendable, CaseIterable {
        case copied
        case removed
        case bucketRemoved = "bucket-removed"
        case uploadEnded = "upload-ended"
        /// A lifecycle rule ended a version or an upload.
        case expired
        /// A copy was made, and the replica that it takes the place of is to be removed.
        case moved
        /// The copy has to go elsewhere: another job was made.
        case redirected
        /// A replica was read in full, and is right.
        case verified
        /// A replica was read in full, and is missing or wrong: a job for a new copy was made.
        case condemned
        /// There was nothing to do any more.
        case obsolete
    }
}

/// Why an attempt stops; thrown inside of a job.
struct JobFailure: Error {
    let outcome: JobOutcome

    init(_ failure: Backoff.Failure, _ cause: String) { outcome = .failed(failure, cause: cause) }

    init(abandoned cause: String) { outcome = .abandoned(cause) }

    /// Full and unreachable stores come back; what was refused waits for a person.
    init(_ error: BackendError) {
        let cause = "\(error.backend): \(error.cause)"
        switch error.kind {
        case .unavailable, .full, .short: self.init(.unavailable, cause)
        case .missing, .refused, .conflict, .damaged: self.init(.refused, cause)
        case .stopped: self.init(abandoned: cause)
        }
    }

    init(_ error: S3Error) {
        self.init(error.code.status == 503 ? .unavailable : .refused, error.cause ?? error.message)
    }
}
