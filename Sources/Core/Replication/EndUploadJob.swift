/// Clears what a multipart upload that has ended left on one backend: the native upload, and the object when it was
/// completed there and became no version.
struct EndUploadJob {
    let context: JobContext
    let uploadID: VersionID

    private var backendID: Int64 { context.job.backendID }

    func run() throws(JobFailure) -> JobOutcome {
        let found = try context.read { sql throws(S3Error) in
            (
                place: try sql.uploadPlace(uploadID, backendID: backendID),
                replica: try sql.replicas(of: uploadID).first { $0.backendID == backendID }
            )
        }
        guard let place = found.place, place.state == .ending else { return try context.finish { _ in .obsolete } }
        let snapshot = try context.snapshot()
        let hasReplica = found.replica != nil
        if try context.backend(backendID, in: snapshot).isLost { return try finish(isCleared: !hasReplica) }
        let live = try context.reachableBackend(backendID, in: snapshot)
        try context.checkGoingOn()
        try context.ask(live) { backend throws(BackendError) in
            try backend.abortUploads(place.object, uploadID: place.nativeID)
        }
        // Never the place of a replica: the version is only born at places that are open, and a copy has another key.
        let isReplica =
            found.replica?.physicalBucket == place.physicalBucket && found.replica?.physicalKey == place.physicalKey
        if !isReplica {
            try context.ask(live) { backend throws(BackendError) in try backend.delete(place.object) }
        }
        return try finish(isCleared: !hasReplica)
    }

    private func finish(isCleared: Bool) throws(JobFailure) -> JobOutcome {
        try context.finish { sql throws(S3Error) in
            try sql.deletePlace(uploadID: uploadID, backendID: backendID, isCleared: isCleared)
            return .uploadEnded
        }
    }
}
