/// Removes one replica that nothing needs: of a dead version, or one that policy has no use for.
struct RemoveReplicaJob {
    let context: JobContext
    let versionID: VersionID

    private var place: Int64 { context.job.backendID }

    func run() throws(JobFailure) -> JobOutcome {
        let found = try context.read { sql throws(S3Error) in
            (
                state: try sql.replicationState(of: versionID),
                isCopying: try sql.hasOpenJob(kind: .replicate, versionID: versionID, backendID: place)
            )
        }
        guard let state = found.state, let replica = state.replica(on: place) else { return try obsolete() }
        // A copy that is under way would bring the bytes back behind our back.
        guard !found.isCopying else { throw JobFailure(.unavailable, "a copy to the same place is not finished") }
        if state.isLive {
            guard replica.state == .removing else { return try obsolete() }
            if let kept = try keepUnlessSurplus() { return kept }
        }
        let version = state.version
        let isOfParts =
            MultipartETag.split(version.eTag) != nil || version.sizeBytes >= ReplicateParts.thresholdBytes
        try delete(replica, isOfParts: isOfParts, try context.snapshot())
        return try context.finish { sql throws(S3Error) in
            try sql.deleteReplica(versionID: versionID, backendID: place)
            return .removed
        }
    }

    private func obsolete() throws(JobFailure) -> JobOutcome {
        try context.finish { _ in .obsolete }
    }

    /// Returns nil when the version, as far as it lives, has no need of this replica.
    ///
    /// One that policy wants again is copied anew, since an earlier attempt may have removed its bytes. Throws while no
    /// other is present: these may be the last bytes.
    private func keepUnlessSurplus() throws(JobFailure) -> JobOutcome? {
        let change = try context.read { sql throws(S3Error) in try context.planning.change(of: versionID, sql) }
        guard let change else { return nil }
        if change.plan.members.contains(place) {
            return try context.finish { sql throws(S3Error) in
                // A dead version wants nothing; its own job is this one.
                guard try sql.setReplica(versionID: versionID, backendID: place, state: .pending) else {
                    try sql.insertJob(
                        kind: .removeReplica, bucketID: change.version.bucketID, versionID: versionID,
                        backendID: place, notBefore: .now())
                    return .obsolete
                }
                try sql.insertJob(
                    kind: .replicate, bucketID: change.version.bucketID, versionID: versionID, backendID: place,
                    notBefore: .now())
                return .moved
            }
        }
        guard change.hasPresent else {
            throw JobFailure(.unavailable, "the version is not present anywhere else")
        }
        return nil
    }

    /// Deleting what is not there succeeds, so this may be repeated.
    ///
    /// The copy of a version made of parts, or of a large one, may have been cut short: then an upload of it is there.
    private func delete(_ replica: Replica, isOfParts: Bool, _ snapshot: WorldSnapshot) throws(JobFailure) {
        // Without a physical bucket nothing was ever sent.
        guard !replica.physicalBucket.isEmpty else { return }
        // A lost store is not asked; should it come back, reconciling removes what is left there.
        if try context.backend(place, in: snapshot).isLost { return }
        let live = try context.reachableBackend(place, in: snapshot)
        try context.checkGoingOn()
        do throws(BackendError) {
            try live.observe { backend throws(BackendError) in
                let object = PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey)
                if isOfParts { try backend.abortUploads(object, uploadID: nil) }
                try backend.delete(object)
            }
        } catch {
            if error.kind != .missing { throw JobFailure(error) }
        }
    }
}
