/// Removes one replica that nothing needs: of a dead version, or one that policy has no use for.
struct RemoveReplicaJob {
    let context: JobContext
    let versionID: VersionID

    private var place: Int64 { context.job.backendID }

    func run() throws(JobFailure) -> JobOutcome {
        let found = try context.read { sql throws(S3Error) in
            (
                state: try sql.replicationState(of: versionID),
                hasStrays: try !sql.strays(of: versionID, backendID: place).isEmpty,
                isCopying: try sql.hasOpenCopy(versionID: versionID, backendID: place)
            )
        }
        guard let state = found.state, state.replica(on: place) != nil || found.hasStrays else {
            return try obsolete()
        }
        let version = state.version
        let isOfParts =
            MultipartETag.split(version.eTag) != nil || version.sizeBytes >= ReplicateParts.thresholdBytes
        let snapshot = try context.snapshot()
        if found.hasStrays { try removeStrays(of: version, isOfParts: isOfParts, snapshot) }
        guard let replica = state.replica(on: place) else { return try obsolete(.removed) }
        if state.isLive {
            guard replica.state == .removing else { return try obsolete(found.hasStrays ? .removed : .obsolete) }
            try requireOthers()
        }
        // A copy that is under way would bring the bytes back behind our back.
        guard !found.isCopying else { throw JobFailure(.unavailable, "a copy to the same place is not finished") }
        // Uploads of the key that an original has are somebody else's: copies have keys of their own.
        try delete(
            replica.physicalBucket, replica.physicalKey, isOfParts: isOfParts && !replica.isOriginal(of: version),
            snapshot)
        return try context.finish { sql throws(S3Error) in
            try sql.deleteReplica(versionID: versionID, backendID: place)
            #if S3GW_PLANTED_BUGS
                if PlantedBug.noFencing.isOn { return .removed }
            #endif
            // Policy may want a copy here again: it is made at a place of its own.
            try context.planning.change(of: versionID, sql)?.apply(sql, at: .now(), renews: false)
            return .removed
        }
    }

    private func obsolete(_ done: JobOutcome.Done = .obsolete) throws(JobFailure) -> JobOutcome {
        try context.finish { _ in done }
    }

    /// Removes what lies at places that no replica names.
    ///
    /// A copy that was coming and that nobody makes any more is given up first, so that no later attempt goes on with it.
    private func removeStrays(
        of version: ObjectVersion, isOfParts: Bool, _ snapshot: WorldSnapshot
    ) throws(JobFailure) {
        let strays = try context.write { sql throws(S3Error) -> [Stray]? in
            guard try sql.holdsLease(id: context.job.id, fence: context.job.fence) else { return nil }
            if try !sql.hasOpenCopy(versionID: versionID, backendID: place) {
                try sql.giveUpReplacement(versionID: versionID, backendID: place)
            }
            return try sql.strays(of: versionID, backendID: place).filter { $0.state == .going }
        }
        guard let strays else { throw JobFailure(abandoned: "another worker has the job") }
        for stray in strays {
            let isOurs = PhysicalKey.isKey(stray.physicalKey, of: version.key, version.id)
            try delete(stray.physicalBucket, stray.physicalKey, isOfParts: isOfParts && isOurs, snapshot)
        }
        try context.write { sql throws(S3Error) in
            try sql.deleteStrays(strays, of: versionID, backendID: place)
        }
    }

    /// Throws while no other replica of a live version is present: these may be the last bytes.
    private func requireOthers() throws(JobFailure) {
        let change = try context.read { sql throws(S3Error) in try context.planning.change(of: versionID, sql) }
        guard let change, !change.hasPresent else { return }
        throw JobFailure(.unavailable, "the version is not present anywhere else")
    }

    /// Deleting what is not there succeeds, so this may be repeated.
    ///
    /// The copy of a version made of parts, or of a large one, may have been cut short: then an upload of it is there.
    /// Whoever does so late, because another worker has done it meanwhile, does no harm: the place is never used again.
    private func delete(
        _ bucket: String, _ key: [UInt8], isOfParts: Bool, _ snapshot: WorldSnapshot
    ) throws(JobFailure) {
        // Without a physical bucket nothing was ever sent.
        guard !bucket.isEmpty else { return }
        // A lost store is not asked; should it come back, reconciling removes what is left there.
        if try context.backend(place, in: snapshot).isLost { return }
        let live = try context.reachableBackend(place, in: snapshot)
        try context.checkGoingOn()
        do throws(BackendError) {
            try live.observe { backend throws(BackendError) in
                let object = PhysicalObject(bucket: bucket, key: key)
                if isOfParts { try backend.abortUploads(object, uploadID: nil) }
                try backend.delete(object)
            }
        } catch {
            if error.kind != .missing { throw JobFailure(error) }
        }
    }
}
