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
                hasReplica: try sql.replicas(of: uploadID).contains { $0.backendID == backendID }
            )
        }
        guard let place = found.place, place.state == .ending else { return try context.finish { _ in .obsolete } }
        let snapshot = try context.snapshot()
        if try context.backend(backendID, in: snapshot).isLost { return try finish(isCleared: !found.hasReplica) }
        let live = try context.reachableBackend(backendID, in: snapshot)
        try context.checkGoingOn()
        try context.ask(live) { backend throws(BackendError) in
            try backend.abortUploads(place.object, uploadID: place.nativeID)
        }
        // Never while the version has, or is about to have, its bytes there: no other job of this version runs on this
        // backend now, and a version is only born of an upload whose row is there.
        if !found.hasReplica {
            try context.ask(live) { backend throws(BackendError) in try backend.delete(place.object) }
        }
        return try finish(isCleared: !found.hasReplica)
    }

    private func finish(isCleared: Bool) throws(JobFailure) -> JobOutcome {
        try context.finish { sql throws(S3Error) in
            try sql.deletePlace(uploadID: uploadID, backendID: backendID, isCleared: isCleared)
            return .uploadEnded
        }
    }
}
