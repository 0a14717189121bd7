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
        /// MD5 of the content, 16 bytes.
        var md5: [UInt8] = []
    }

    private var work: PlacedWork { PlacedWork(call: call, bucket: bucket, policy: policy) }

    /// Stores `content` under a fresh physical key on `acknowledge` backends, trying another allowed one for each that
    /// fails.
    ///
    /// Throws the placement's refusal: a 4xx when policy leaves too few, `ServiceUnavailable` when health does.
    func store(_ content: some ObjectContent, as version: ObjectVersion) throws(S3Error) -> Stored {
        let physicalKey = PhysicalKey.make(version.key, version.id)
        let description = ObjectDescription(of: version, in: bucket, tenant: call.tenant, md5: content.md5)
        let work = work
        var stored = Stored()
        var failures: [Int64: String] = [:]
        while true {
            let plan = try work.plan(version.sizeBytes, avoiding: failures)
            let present = Set(stored.present.map(\.backendID))
            let open = plan.grants.filter { !present.contains($0.backendID) }
            let missing = plan.acknowledge - present.count
            guard missing > 0 else {
                stored.pending = pending(open + plan.pendingUnhealthy, version, physicalKey)
                return stored
            }
            let attempts = FanOut.map(Array(open.prefix(missing))) { grant in
                work.attempt(
                    grant.backendID, prepare: { live throws(S3Error) in try work.physicalName(on: live) },
                    { live, name throws(BackendError) in
                        let place = PhysicalObject(bucket: name, key: physicalKey)
                        let receipt = try content.store(as: place, on: live, description: description, grant: grant)
                        return (place: place, md5: receipt.md5)
                    })
            }
            guard !attempts.isEmpty else { throw work.unavailable(failures) }
            var done: [(backendID: Int64, value: (place: PhysicalObject, md5: [UInt8]))] = []
            try work.sort(attempts, into: &done, &failures)
            for (backendID, value) in done { try count(value, on: backendID, of: version, in: &stored) }
        }
    }

    private func count(
        _ value: (place: PhysicalObject, md5: [UInt8]), on backendID: Int64, of version: ObjectVersion,
        in stored: inout Stored
    ) throws(S3Error) {
        guard stored.md5.isEmpty || stored.md5 == value.md5 else {
            throw S3Error(.internalError, cause: "two backends were sent different bytes of \(version.id)")
        }
        stored.md5 = value.md5
        stored.present.append(
            Replica(
                versionID: version.id, backendID: backendID, physicalBucket: value.place.bucket,
                physicalKey: value.place.key, state: .present))
    }

    /// Throws what `store` would throw before it moved a byte.
    func checkPlacement(sizeBytes: Int64) throws(S3Error) { _ = try work.plan(sizeBytes, avoiding: [:]) }

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
                try sql.commitPut(NewVersion(version: version, present: stored.present, pending: stored.pending)) {
                    current throws(S3Error) in try conditions.checkWrite(overETag: current?.eTag)
                }
            }
        } catch {
            // A refusal is certain; after any other failure the row may be there, and then its bytes must stay.
            if error.code.status < 500 { discard(stored) }
            throw error
        }
    }

    /// Removes what `store` wrote, after the database refused it.
    ///
    /// What cannot be removed is found by reconciling.
    func discard(_ stored: Stored) {
        for replica in stored.present {
            guard let live = call.snapshot.backends[replica.backendID] else { continue }
            do throws(BackendError) {
                try live.observe { backend throws(BackendError) in
                    try backend.delete(PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey))
                }
            } catch {
                call.log.warning(
                    "refused object left behind", metadata: call.logMetadata(cause: "\(error.backend): \(error.cause)"))
            }
        }
    }

    /// The physical bucket may not exist yet: the worker makes it.
    private func pending(_ grants: [PlacementGrant], _ version: ObjectVersion, _ key: [UInt8]) -> [Replica] {
        grants.map { grant in
            Replica(
                versionID: version.id, backendID: grant.backendID, physicalBucket: "", physicalKey: key, state: .pending
            )
        }
    }
}
