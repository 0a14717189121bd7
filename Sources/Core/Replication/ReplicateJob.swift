/// Brings one version to one backend: the jobs `replicate` and `move`.
///
/// A move differs in its commit only: there the new replica becomes present, and the one that it takes the place of goes.
/// Everything is read again before it acts and before it commits, so it may be killed, repeated or outrun at any
/// moment. A repeated attempt writes the same bytes under the same physical key; a replica that is made again after it was
/// removed, or found to be damaged, has another key.
struct ReplicateJob {
    let context: JobContext
    let versionID: VersionID

    private var target: Int64 { context.job.backendID }

    func run() throws(JobFailure) -> JobOutcome {
        let state = try context.read { sql throws(S3Error) in try sql.replicationState(of: versionID) }
        guard let state, state.isLive, let replica = state.replica(on: target), replica.isOwed else {
            return try context.finish { sql throws(S3Error) in
                try retire(sql)
                return .obsolete
            }
        }
        let change = try context.read { sql throws(S3Error) in
            try context.planning.change(of: versionID, sql)
        }
        guard let plan = change?.plan else { throw JobFailure(.unavailable, "the version died just now") }
        guard plan.members.contains(target) else { return try leave(plan) }
        guard let grant = plan.grant(for: target) else { throw JobFailure(.unavailable, "the backend is not well") }
        let snapshot = try context.snapshot()
        return try copy(state, replica, try bucket(of: state.version), grant, snapshot)
    }

    private func bucket(of version: ObjectVersion) throws(JobFailure) -> Bucket {
        let bucket = try context.read { sql throws(S3Error) in try sql.bucket(id: version.bucketID) }
        guard let bucket else { throw JobFailure(.refused, "a live version without a bucket") }
        return bucket
    }

    // MARK: Copy

    private func copy(
        _ state: ReplicationState, _ replica: Replica, _ bucket: Bucket, _ grant: PlacementGrant,
        _ snapshot: WorldSnapshot
    ) throws(JobFailure) -> JobOutcome {
        let live = try context.backend(target, in: snapshot)
        let parts = try context.read { sql throws(S3Error) in try sql.versionParts(sequence: state.version.sequence) }
        let sources = state.replicas.filter { $0.state == .present }
        guard !sources.isEmpty else { return try giveUp(state.version) }
        let ranges = parts.isEmpty ? ReplicateParts.ranges(of: state.version) : nil
        if parts.isEmpty && ranges == nil {
            let source = ReplicaSource(context: context, version: state.version)
            let (spool, md5) = try source.fetch(sources, snapshot)
            let place = try record(replica, in: context.physicalBucket(bucket, on: live, in: snapshot))
            try context.checkGoingOn()
            let reader: PayloadReader
            do throws(S3Error) { reader = try spool.makeReader() } catch { throw JobFailure(error) }
            let description = try description(of: state.version, in: bucket, md5, snapshot)
            context.paced(state.version.sizeBytes, live)
            let receipt = try send(reader, to: place, on: live, description, grant)
            guard receipt.md5 == md5 else {
                throw JobFailure(.refused, "\(live.name) was sent other bytes than those that were verified")
            }
            return try commit(
                place, live, sizeBytes: state.version.sizeBytes, found: try checksum(of: spool, state.version))
        }
        let place = try record(replica, in: context.physicalBucket(bucket, on: live, in: snapshot))
        let copy = ReplicateParts(
            context: context, version: state.version, parts: ranges ?? parts, isRanges: ranges != nil,
            sources: sources, snapshot: snapshot)
        let found = try copy.send(
            to: place, on: live, try description(of: state.version, in: bucket, nil, snapshot), grant)
        return try commit(place, live, sizeBytes: state.version.sizeBytes, found: found)
    }

    /// No replica is good; a person who tries again what is given up here finds out which store has the right bytes again.
    private func giveUp(_ version: ObjectVersion) throws(JobFailure) -> JobOutcome {
        try context.bury("no good replica of the version is left") { sql throws(S3Error) in
            for replica in try sql.replicas(of: versionID) where replica.state == .damaged {
                try sql.insertJob(
                    kind: .verify, bucketID: version.bucketID, versionID: versionID, backendID: replica.backendID,
                    notBefore: .now())
            }
        }
    }

    /// The checksum of an adopted object of parts, of whose content nothing is known.
    private func checksum(of spool: SpoolFile, _ version: ObjectVersion) throws(JobFailure) -> ObjectChecksum? {
        guard version.checksum == nil, MultipartETag.split(version.eTag) != nil else { return nil }
        do throws(S3Error) { return try RangeDigest.checksum(of: try spool.makeReader()) } catch {
            throw JobFailure(error)
        }
    }

    private func description(
        of version: ObjectVersion, in bucket: Bucket, _ md5: [UInt8]?, _ snapshot: WorldSnapshot
    ) throws(JobFailure) -> ObjectDescription {
        let tenant: Tenant?
        do throws(S3Error) { tenant = try snapshot.tenant(bucket.tenantID) } catch { throw JobFailure(error) }
        guard let tenant else { throw JobFailure(.refused, "bucket \(bucket.id) has no tenant") }
        return ObjectDescription(
            of: version, in: bucket, tenant: tenant, md5: md5, proof: context.world.descriptionProof)
    }

    /// Sends the bytes; a bucket that the store has lost is made again, since its name is ours by the mapping's row.
    private func send(
        _ reader: PayloadReader, to place: PhysicalObject, on live: LiveBackend, _ description: ObjectDescription,
        _ grant: PlacementGrant
    ) throws(JobFailure) -> PutReceipt {
        let put = { (backend: any Backend) throws(BackendError) in
            try backend.put(place, from: reader, description: description, grant: grant)
        }
        do throws(BackendError) { return try live.observe(put) } catch {
            guard error.kind == .missing else { throw JobFailure(error) }
        }
        try context.remakeBucket(place.bucket, on: live)
        reader.rewind()
        return try context.ask(live, put)
    }

    /// Writes down where the bytes are about to go, so that a later removal finds them whatever happens here.
    ///
    /// What is damaged stays as it is until the new copy is there, beside it.
    private func record(_ replica: Replica, in physicalBucket: String) throws(JobFailure) -> PhysicalObject {
        if replica.state == .damaged { return try replacement(in: physicalBucket) }
        let place = PhysicalObject(bucket: physicalBucket, key: replica.physicalKey)
        guard replica.physicalBucket != physicalBucket else { return place }
        let isRecorded = try context.write { sql throws(S3Error) -> Bool in
            guard try sql.holdsLease(id: context.job.id, fence: context.job.fence) else { return false }
            return try sql.setReplica(versionID: versionID, backendID: target, physicalBucket: physicalBucket)
        }
        guard isRecorded else { throw JobFailure(abandoned: "another worker has the job") }
        return place
    }

    private func replacement(in physicalBucket: String) throws(JobFailure) -> PhysicalObject {
        let place = try context.write { sql throws(S3Error) -> Stray? in
            guard try sql.holdsLease(id: context.job.id, fence: context.job.fence) else { return nil }
            return try sql.beginReplacement(
                versionID: versionID, backendID: target, physicalBucket: physicalBucket)
        }
        guard let place else { throw JobFailure(abandoned: "another worker has the job") }
        return PhysicalObject(bucket: place.physicalBucket, key: place.physicalKey)
    }

    /// Counts the copy, unless the version died while it was made: then the copy has to go again.
    private func commit(
        _ place: PhysicalObject, _ live: LiveBackend, sizeBytes: Int64, found: ObjectChecksum?
    ) throws(JobFailure) -> JobOutcome {
        var isRepair = false
        let outcome = try context.finish { sql throws(S3Error) in
            let state = try sql.replicationState(of: versionID)
            guard let state, state.isLive, let replica = state.replica(on: target), replica.isOwed else {
                try retire(sql)
                return .obsolete
            }
            isRepair = replica.state == .damaged
            guard try isCounted(replica, at: place, sql) else {
                try insertJob(.replicate, sql, bucketID: state.version.bucketID)
                return .obsolete
            }
            if let found {
                // Another copy may have found it out meanwhile, of other bytes: the next attempt compares with it.
                guard state.version.checksum == nil || state.version.checksum == found else {
                    throw S3Error(.serviceUnavailable, cause: "two copies of the version have different checksums")
                }
                try sql.setChecksum(versionID: versionID, found)
            }
            try sql.setReplica(versionID: versionID, backendID: target, state: .present)
            let isMoved = try leaveSource(sql)
            // With this one present, those that policy has no use for may go.
            try context.planning.change(of: versionID, sql)?.apply(sql, at: .now(), renews: false)
            return isMoved ? .moved : .copied
        }
        switch outcome {
        case .done(.copied), .done(.moved):
            context.counts.add { $0.copiedBytes += sizeBytes }
            if isRepair { noteRepair(live) }
        case .abandoned: try takeBack(place, live)
        default: break
        }
        return outcome
    }

    /// Ends the replica that a move was to take the place of, in the transaction that makes the new one present; false for
    /// another job, and where policy wants the old one again.
    ///
    /// There are as many copies as before, so this holds also where policy wants more than there are.
    private func leaveSource(_ sql: any SQLConnection) throws(S3Error) -> Bool {
        guard let source = context.job.sourceBackendID, let change = try context.planning.change(of: versionID, sql),
            change.plan.members.contains(target), change.plan.leaving.contains(source),
            try sql.setReplica(versionID: versionID, backendID: source, state: .removing)
        else { return false }
        try sql.insertJob(
            kind: .removeReplica, bucketID: change.version.bucketID, versionID: versionID, backendID: source,
            notBefore: .now())
        return true
    }

    /// Whether the replica is, or becomes, what was written at `place`.
    private func isCounted(
        _ replica: Replica, at place: PhysicalObject, _ sql: any SQLConnection
    ) throws(S3Error) -> Bool {
        guard replica.state == .damaged else {
            return replica.physicalBucket == place.bucket && replica.physicalKey == place.key
        }
        return try sql.finishReplacement(
            versionID: versionID, backendID: target, physicalBucket: place.bucket, physicalKey: place.key)
    }

    private func noteRepair(_ live: LiveBackend) {
        context.counts.add { $0.repaired += 1 }
        context.log.notice(
            "a replica was repaired", metadata: ["version": "\(versionID)", "backend": "\(live.name)"])
    }

    /// The claim was lost while the copy was made: what nobody knows of any more must not stay.
    private func takeBack(_ place: PhysicalObject, _ live: LiveBackend) throws(JobFailure) {
        let isForgotten = try context.write { sql throws(S3Error) -> Bool in
            guard let state = try sql.replicationState(of: versionID) else { return true }
            let replica = Replica(
                versionID: versionID, backendID: target, physicalBucket: place.bucket, physicalKey: place.key,
                state: .removing)
            if try sql.insertReplica(replica) {
                try insertJob(.removeReplica, sql, bucketID: state.version.bucketID)
            } else {
                // Another copy was made there since, or what this one was to replace is right after all.
                let isComing = try sql.strays(of: versionID, backendID: target).contains {
                    $0.physicalBucket == place.bucket && $0.physicalKey == place.key
                }
                if !isComing { try sql.removeStray(at: replica) }
            }
            return false
        }
        // A version without a row never comes back, so nothing can need this key again.
        if isForgotten { try context.ask(live) { backend throws(BackendError) in try backend.delete(place) } }
    }

    // MARK: No copy

    /// Sees to it that a replica of a dead version that was never counted is removed.
    private func retire(_ sql: any SQLConnection) throws(S3Error) {
        guard let state = try sql.replicationState(of: versionID), !state.isLive, state.replica(on: target) != nil
        else {
            return
        }
        try remove(sql, bucketID: state.version.bucketID)
    }

    private func remove(_ sql: any SQLConnection, bucketID: Int64) throws(S3Error) {
        try sql.setReplica(versionID: versionID, backendID: target, state: .removing)
        try insertJob(.removeReplica, sql, bucketID: bucketID)
    }

    private func insertJob(_ kind: JobKind, _ sql: any SQLConnection, bucketID: Int64) throws(S3Error) {
        try sql.insertJob(
            kind: kind, bucketID: bucketID, versionID: versionID, backendID: target, notBefore: .now())
    }

    /// Policy has no use for the replica here: others take its place, where there are others.
    private func leave(_ plan: ReplicaPlan) throws(JobFailure) -> JobOutcome {
        if let refusal = plan.refusal {
            throw JobFailure(refusal.isHealth ? .unavailable : .refused, refusal.explanation)
        }
        return try context.finish { sql throws(S3Error) in
            guard let change = try context.planning.change(of: versionID, sql) else {
                try retire(sql)
                return .obsolete
            }
            try change.apply(sql, at: .now(), renews: false)
            // It is wanted here again since a moment ago.
            if change.plan.members.contains(target) {
                try sql.insertJob(
                    kind: .replicate, bucketID: change.version.bucketID, versionID: versionID, backendID: target,
                    notBefore: .now())
            }
            return change.plan.added.isEmpty ? .obsolete : .redirected
        }
    }
}
