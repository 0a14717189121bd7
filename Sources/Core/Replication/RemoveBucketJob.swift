import Logging

/// Removes the physical bucket of a deleted logical bucket, or one on a drained backend, after its last replica has gone.
struct RemoveBucketJob {
    let context: JobContext

    /// Objects removed in one attempt; the next attempt goes on.
    static let maximumSweep = 10_000
    private static let pageSize = 1000

    func run() throws(JobFailure) -> JobOutcome {
        let job = context.job
        let (mappings, isDeleted) = try context.read { sql throws(S3Error) in
            let mappings = try sql.mappings(bucketID: job.bucketID).filter {
                $0.backendID == job.backendID && $0.state == .removing
            }
            return (mappings, try sql.bucket(id: job.bucketID) == nil)
        }
        guard !mappings.isEmpty else { return try context.finish { _ in .obsolete } }
        let snapshot = try context.snapshot()
        let isLost = try context.backend(job.backendID, in: snapshot).isLost
        let live = isLost ? nil : try context.reachableBackend(job.backendID, in: snapshot)
        for mapping in mappings {
            let isInUse = try context.read { sql throws(S3Error) -> Bool in
                if try sql.hasReplicas(backendID: mapping.backendID, physicalBucket: mapping.physicalName) {
                    return true
                }
                return try sql.hasUploadPlaces(backendID: mapping.backendID, physicalBucket: mapping.physicalName)
            }
            guard !isInUse else { throw JobFailure(.unavailable, "the bucket is not empty yet") }
            // A bucket that was there before us is not ours to remove, and neither is what else is in it.
            if let live, !mapping.isAdopted { try remove(mapping.physicalName, live, maySweep: isDeleted) }
        }
        return try context.finish { sql throws(S3Error) in
            for mapping in mappings {
                try sql.setMapping(
                    bucketID: mapping.bucketID, backendID: mapping.backendID, counter: mapping.counter, state: .removed)
            }
            return .bucketRemoved
        }
    }

    /// Where the logical bucket lives on, a write that was placed before its backend was drained may still bring bytes:
    /// then nothing is swept, and the bucket stays until it is empty.
    private func remove(_ name: String, _ live: LiveBackend, maySweep: Bool) throws(JobFailure) {
        do throws(BackendError) {
            try live.observe { backend throws(BackendError) in try backend.deleteBucket(name) }
        } catch {
            switch error.kind {
            case .missing: return
            case .conflict where maySweep: break
            case .conflict: throw JobFailure(.unavailable, "\(live.name): the bucket is not empty")
            default: throw JobFailure(error)
            }
            try sweep(name, live)
            try context.ask(live) { backend throws(BackendError) in try backend.deleteBucket(name) }
        }
    }

    /// Removes what writes left behind that were cut short: the bucket was made by us, its name is never used again, and no
    /// row speaks of anything in it.
    private func sweep(_ name: String, _ live: LiveBackend) throws(JobFailure) {
        var swept = 0
        while swept < Self.maximumSweep {
            let page = try context.ask(live) { backend throws(BackendError) in
                try backend.list(name, after: nil, limit: Self.pageSize)
            }
            if page.isEmpty { break }
            for entry in page {
                try context.checkGoingOn()
                try context.ask(live) { backend throws(BackendError) in
                    try backend.delete(PhysicalObject(bucket: name, key: entry.key))
                }
            }
            swept += page.count
        }
        context.log.notice(
            "swept a deleted bucket", metadata: ["backend": "\(live.name)", "bucket": "\(name)", "objects": "\(swept)"])
    }
}
