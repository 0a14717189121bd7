import Logging

/// Brings the bytes of a new version to as many backends as policy wants acknowledged, before it may become visible.
struct ObjectWriter {
    let call: Call
    let bucket: Bucket
    let policy: EffectivePolicy

    /// Where the bytes are, and where the worker has to bring them.
    struct Stored {
        var present: [Replica] = []
        var pending: [Replica] = []
        /// Where the bytes may have arrived although the backend did not say so: to be removed again.
        var doubtful: [Replica] = []
        /// MD5 of the content, 16 bytes.
        var md5: [UInt8] = []
        /// What was computed on the way.
        var checksum: ObjectChecksum?
        /// Whether what was written beside the bytes says all of the version.
        var isDescribed = false
        /// The checksum that it says; another one may become known on the way.
        var describedChecksum: ObjectChecksum?
    }

    private var work: PlacedWork { PlacedWork(call: call, bucket: bucket, policy: policy) }

    /// Stores `content` under a fresh physical key on `acknowledge` backends, trying another allowed one for each that
    /// fails.
    ///
    /// Throws the placement's refusal: a 4xx when policy leaves too few, `ServiceUnavailable` when health does. What is
    /// on a backend by then is written down to be removed.
    func store(_ content: some ObjectContent, as version: ObjectVersion) throws(S3Error) -> Stored {
        var stored = Stored()
        do throws(S3Error) { try fill(&stored, with: content, version) } catch {
            leave(stored.present + stored.doubtful)
            throw error
        }
        return stored
    }

    private func fill(
        _ stored: inout Stored, with content: some ObjectContent, _ version: ObjectVersion
    ) throws(S3Error) {
        let physicalKey = PhysicalKey.make(version.key, version.id)
        let description = ObjectDescription(
            of: asWritten(version), in: bucket, tenant: call.tenant, md5: content.md5,
            proof: call.world.descriptionProof)
        let work = work
        stored.isDescribed = description.isWhole
        stored.describedChecksum = version.checksum
        var failures: [Int64: String] = [:]
        while true {
            let plan = try work.plan(
                version.sizeBytes, avoiding: failures, keeping: Set(stored.present.map(\.backendID)))
            drop(&stored, outside: plan)
            let present = Set(stored.present.map(\.backendID))
            let open = plan.grants.filter { !present.contains($0.backendID) }
            let missing = plan.acknowledge - present.count
            guard missing > 0 else {
                stored.pending = pending(open + plan.pendingUnhealthy, version)
                return
            }
            let attempts = FanOut.map(Array(open.prefix(missing))) { grant in
                work.attempt(
                    grant.backendID, prepare: { live throws(S3Error) in try work.physicalName(on: live) },
                    { live, name throws(BackendError) in
                        let place = PhysicalObject(bucket: name, key: physicalKey)
                        let receipt = try content.store(as: place, on: live, description: description, grant: grant)
                        return (place: place, receipt: receipt)
                    })
            }
            guard !attempts.isEmpty else { throw work.unavailable(failures) }
            for case .failed(let backendID, let error) in attempts where error.leavesDoubt {
                if let place = try doubtful(backendID, version, physicalKey) { stored.doubtful.append(place) }
            }
            var done: [(backendID: Int64, value: (place: PhysicalObject, receipt: PutReceipt))] = []
            var impossible: S3Error?
            do throws(S3Error) { try work.sort(attempts, into: &done, &failures) } catch { impossible = error }
            for (backendID, value) in done { try count(value, on: backendID, of: version, in: &stored) }
            if let impossible { throw impossible }
        }
    }

    /// What cannot stand beside those that take the place of a failed one does not count, and is removed again.
    private func drop(_ stored: inout Stored, outside plan: Plan) {
        let granted = Set(plan.grants.map(\.backendID))
        for var replica in stored.present where !granted.contains(replica.backendID) {
            replica.state = .removing
            stored.doubtful.append(replica)
        }
        stored.present.removeAll { !granted.contains($0.backendID) }
    }

    /// Where an attempt that failed may have left the bytes; nil when nothing can have been sent.
    private func doubtful(
        _ backendID: Int64, _ version: ObjectVersion, _ key: [UInt8]
    ) throws(S3Error) -> Replica? {
        guard let name = try call.snapshot.physicalName(of: bucket, on: backendID) else { return nil }
        return Replica(
            versionID: version.id, backendID: backendID, physicalBucket: name, physicalKey: key, state: .removing)
    }

    /// As the bucket's versioning of this moment makes it; the commit decides, and has a record made where it differs.
    private func asWritten(_ version: ObjectVersion) -> ObjectVersion {
        var version = version
        version.isNull = bucket.versioning != .enabled
        return version
    }

    private func count(
        _ value: (place: PhysicalObject, receipt: PutReceipt), on backendID: Int64, of version: ObjectVersion,
        in stored: inout Stored
    ) throws(S3Error) {
        guard stored.md5.isEmpty || stored.md5 == value.receipt.md5 else {
            throw S3Error(.internalError, cause: "two backends were sent different bytes of \(version.id)")
        }
        stored.md5 = value.receipt.md5
        stored.checksum = value.receipt.checksum
        stored.present.append(
            Replica(
                versionID: version.id, backendID: backendID, physicalBucket: value.place.bucket,
                physicalKey: value.place.key, state: .present))
    }

    /// Throws what `store` would throw before it moved a byte.
    func checkPlacement(sizeBytes: Int64) throws(S3Error) { _ = try work.plan(sizeBytes) }

    /// Makes what `store` wrote visible unless `conditions` fail at that very moment; returns the version as committed.
    func commit(
        _ version: ObjectVersion, _ stored: Stored, unless conditions: Conditions
    ) throws(S3Error) -> ObjectVersion {
        #if S3GW_PLANTED_BUGS
            if PlantedBug.acknowledgeBeforeCommit.isOn, !PlantedBug.isLate {
                PlantedBug.later { do throws(S3Error) { _ = try commit(version, stored, unless: conditions) } catch {} }
                return version
            }
        #endif
        do throws(S3Error) {
            return try call.database.write { sql throws(S3Error) in
                let new = NewVersion(
                    version: asWritten(version), present: stored.present, pending: stored.pending,
                    removing: stored.doubtful,
                    isDescribed: stored.isDescribed && stored.describedChecksum == version.checksum)
                return try sql.commitPut(new) { current throws(S3Error) in
                    try conditions.checkWrite(overETag: current?.eTag)
                }
            }
        } catch {
            // A refusal is certain; after any other failure the row may be there, and then its bytes must stay.
            if error.code.status < 500 { discard(stored) }
            throw error
        }
    }

    /// Removes what `store` wrote, after the database refused it; what cannot be removed now is a job.
    func discard(_ stored: Stored) {
        var left = stored.doubtful
        for replica in stored.present {
            guard let live = call.snapshot.backends[replica.backendID] else { continue }
            do throws(BackendError) {
                try live.observe { backend throws(BackendError) in
                    try backend.delete(PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey))
                }
            } catch {
                left.append(replica)
                call.log.warning(
                    "refused object left behind", metadata: call.logMetadata(cause: "\(error.backend): \(error.cause)"))
            }
        }
        leave(left)
    }

    /// Has a job clear the places of a version that never was; when that cannot be written down, reconciling finds them.
    private func leave(_ places: [Replica]) {
        guard !places.isEmpty else { return }
        do throws(S3Error) {
            try call.database.write { sql throws(S3Error) in
                for place in places {
                    let upload = UploadPlace(
                        uploadID: place.versionID, backendID: place.backendID, bucketID: bucket.id,
                        physicalBucket: place.physicalBucket, physicalKey: place.physicalKey)
                    try sql.endPlace(upload, at: .now())
                }
            }
        } catch {
            call.log.warning(
                "a failed write left bytes behind", metadata: call.logMetadata(cause: error.cause ?? error.message))
        }
    }

    /// The physical bucket may not exist yet: the worker makes it.
    private func pending(_ grants: [PlacementGrant], _ version: ObjectVersion) -> [Replica] {
        grants.map { grant in
            Replica(
                versionID: version.id, backendID: grant.backendID, physicalBucket: "",
                physicalKey: PhysicalKey.makeCopy(version.key, version.id), state: .pending)
        }
    }
}

extension BackendError {
    /// Whether an object may have arrived all the same.
    fileprivate var leavesDoubt: Bool {
        switch kind {
        case .refused, .missing, .stopped: false
        case .unavailable, .conflict, .damaged, .short, .full: true
        }
    }
}
