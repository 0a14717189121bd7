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
        let snapshot = try context.snapshot()
        if state.isLive {
            guard replica.state == .removing else { return try obsolete() }
            if try isNeeded(state, snapshot) { return try keep(state) }
        }
        try delete(replica, isOfParts: MultipartETag.split(state.version.eTag) != nil, snapshot)
        return try context.finish { sql throws(S3Error) in
            try sql.deleteReplica(versionID: versionID, backendID: place)
            return .removed
        }
    }

    private func obsolete() throws(JobFailure) -> JobOutcome {
        try context.finish { _ in .obsolete }
    }

    private func isNeeded(_ state: ReplicationState, _ snapshot: WorldSnapshot) throws(JobFailure) -> Bool {
        do throws(S3Error) {
            let bucket = try context.database.read { sql throws(S3Error) in try sql.bucket(id: state.version.bucketID) }
            guard let bucket else { throw S3Error(.internalError, cause: "a live version without a bucket") }
            return ReplicaNeed.isNeeded(
                place, policy: try snapshot.policy(for: bucket, tags: state.version.tags),
                candidates: snapshot.candidates(),
                present: state.backends(.present))
        } catch {
            throw JobFailure(error)
        }
    }

    /// Policy wants it again: it is copied anew, since an earlier attempt may have removed its bytes.
    private func keep(_ state: ReplicationState) throws(JobFailure) -> JobOutcome {
        try context.finish { sql throws(S3Error) in
            try sql.setReplica(versionID: versionID, backendID: place, state: .pending)
            try sql.insertJob(
                kind: .replicate, bucketID: state.version.bucketID, versionID: versionID, backendID: place,
                notBefore: .now())
            return .moved
        }
    }

    /// Deleting what is not there succeeds, so this may be repeated.
    ///
    /// The copy of a version made of parts may have been cut short: then an upload of it is there.
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
