/// Brings one version to one backend.
///
/// Everything is read again before it acts and before it commits, so it may be killed, repeated or outrun at any
/// moment. A repeated copy writes the same bytes under the same physical key.
struct ReplicateJob {
    let context: JobContext
    let versionID: VersionID

    private var target: Int64 { context.job.backendID }

    func run() throws(JobFailure) -> JobOutcome {
        let state = try context.read { sql throws(S3Error) in try sql.replicationState(of: versionID) }
        guard let state, state.isLive, let replica = state.replica(on: target), replica.state == .pending else {
            return try context.finish { sql throws(S3Error) in
                try retire(sql)
                return .obsolete
            }
        }
        let snapshot = try context.snapshot()
        let bucket = try bucket(of: state.version)
        switch try need(of: state, in: bucket, snapshot) {
        case .wait(let failure, let cause): throw JobFailure(failure, cause)
        case .surplus:
            return try context.finish { sql throws(S3Error) in
                try remove(sql, bucketID: bucket.id)
                return .obsolete
            }
        case .elsewhere(let grants): return try move(state, bucket, to: grants, snapshot)
        case .copy(let grant): return try copy(state, replica, bucket, grant, snapshot)
        }
    }

    private func bucket(of version: ObjectVersion) throws(JobFailure) -> Bucket {
        let bucket = try context.read { sql throws(S3Error) in try sql.bucket(id: version.bucketID) }
        guard let bucket else { throw JobFailure(.refused, "a live version without a bucket") }
        return bucket
    }

    private func need(
        of state: ReplicationState, in bucket: Bucket, _ snapshot: WorldSnapshot
    ) throws(JobFailure) -> ReplicaNeed {
        do throws(S3Error) {
            return ReplicaNeed.decide(
                try snapshot.policy(for: bucket, tags: state.version.tags), candidates: snapshot.candidates(),
                sizeBytes: state.version.sizeBytes, target: target, present: state.backends(.present),
                pending: state.backends(.pending))
        } catch {
            throw JobFailure(error)
        }
    }

    // MARK: Copy

    private func copy(
        _ state: ReplicationState, _ replica: Replica, _ bucket: Bucket, _ grant: PlacementGrant,
        _ snapshot: WorldSnapshot
    ) throws(JobFailure) -> JobOutcome {
        let live = try context.backend(target, in: snapshot)
        let parts = try context.read { sql throws(S3Error) in try sql.versionParts(sequence: state.version.sequence) }
        let sources = state.replicas.filter { $0.state == .present }
        if parts.isEmpty {
            let source = ReplicaSource(context: context, version: state.version)
            let (spool, md5) = try source.fetch(sources, snapshot)
            let place = try record(replica, in: context.physicalBucket(bucket, on: live, in: snapshot))
            try context.checkGoingOn()
            let reader: PayloadReader
            do throws(S3Error) { reader = try spool.makeReader() } catch { throw JobFailure(error) }
            let description = try description(of: state.version, in: bucket, md5, snapshot)
            let receipt = try send(reader, to: place, on: live, description, grant)
            guard receipt.md5 == md5 else {
                throw JobFailure(.refused, "\(live.name) was sent other bytes than those that were verified")
            }
            return try commit(place, live, sizeBytes: state.version.sizeBytes)
        }
        let place = try record(replica, in: context.physicalBucket(bucket, on: live, in: snapshot))
        let copy = ReplicateParts(
            context: context, version: state.version, parts: parts, sources: sources, snapshot: snapshot)
        try copy.send(to: place, on: live, try description(of: state.version, in: bucket, nil, snapshot), grant)
        return try commit(place, live, sizeBytes: state.version.sizeBytes)
    }

    private func description(
        of version: ObjectVersion, in bucket: Bucket, _ md5: [UInt8]?, _ snapshot: WorldSnapshot
    ) throws(JobFailure) -> ObjectDescription {
        let tenant: Tenant?
        do throws(S3Error) { tenant = try snapshot.tenant(bucket.tenantID) } catch { throw JobFailure(error) }
        guard let tenant else { throw JobFailure(.refused, "bucket \(bucket.id) has no tenant") }
        return ObjectDescription(of: version, in: bucket, tenant: tenant, md5: md5)
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
    private func record(_ replica: Replica, in physicalBucket: String) throws(JobFailure) -> PhysicalObject {
        let place = PhysicalObject(bucket: physicalBucket, key: replica.physicalKey)
        guard replica.physicalBucket != physicalBucket else { return place }
        let isRecorded = try context.write { sql throws(S3Error) -> Bool in
            guard try sql.holdsLease(id: context.job.id, fence: context.job.fence) else { return false }
            return try sql.setReplica(versionID: versionID, backendID: target, physicalBucket: physicalBucket)
        }
        guard isRecorded else { throw JobFailure(abandoned: "another worker has the job") }
        return place
    }

    /// Counts the copy, unless the version died while it was made: then the copy has to go again.
    private func commit(
        _ place: PhysicalObject, _ live: LiveBackend, sizeBytes: Int64
    ) throws(JobFailure) -> JobOutcome {
        let outcome = try context.finish { sql throws(S3Error) in
            let state = try sql.replicationState(of: versionID)
            guard let state, state.isLive, state.replica(on: target)?.state == .pending else {
                try retire(sql)
                return .obsolete
            }
            try sql.setReplica(versionID: versionID, backendID: target, state: .present)
            return .copied
        }
        switch outcome {
        case .done(.copied): context.counts.add { $0.copiedBytes += sizeBytes }
        case .abandoned: try takeBack(place, live)
        default: break
        }
        return outcome
    }

    /// The claim was lost while the copy was made: what nobody knows of any more must not stay.
    private func takeBack(_ place: PhysicalObject, _ live: LiveBackend) throws(JobFailure) {
        let isForgotten = try context.write { sql throws(S3Error) -> Bool in
            guard let state = try sql.replicationState(of: versionID) else { return true }
            let replica = Replica(
                versionID: versionID, backendID: target, physicalBucket: place.bucket, physicalKey: place.key,
                state: .removing)
            if try sql.insertReplica(replica) { try insertRemoval(sql, bucketID: state.version.bucketID) }
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
        try insertRemoval(sql, bucketID: bucketID)
    }

    private func insertRemoval(_ sql: any SQLConnection, bucketID: Int64) throws(S3Error) {
        try sql.insertJob(
            kind: .removeReplica, bucketID: bucketID, versionID: versionID, backendID: target, notBefore: .now())
    }

    /// Gives the replica to the first of `grants`; what an earlier attempt may have left at the old place is removed.
    private func move(
        _ state: ReplicationState, _ bucket: Bucket, to grants: [PlacementGrant], _ snapshot: WorldSnapshot
    ) throws(JobFailure) -> JobOutcome {
        guard let grant = grants.first, let old = state.replica(on: target) else {
            throw JobFailure(.unavailable, "no other backend can have the replica now")
        }
        return try context.finish { sql throws(S3Error) in
            let now = try sql.replicationState(of: versionID)
            guard let now, now.isLive, now.replica(on: grant.backendID) == nil else {
                try retire(sql)
                return .obsolete
            }
            let replica = Replica(
                versionID: versionID, backendID: grant.backendID, physicalBucket: "", physicalKey: old.physicalKey,
                state: .pending)
            guard try sql.insertReplica(replica) else {
                throw S3Error(.internalError, cause: "a replica on backend \(grant.backendID) is there already")
            }
            try remove(sql, bucketID: bucket.id)
            try sql.insertJob(
                kind: .replicate, bucketID: bucket.id, versionID: versionID, backendID: grant.backendID,
                notBefore: .now())
            return .moved
        }
    }
}
