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

    /// What came of one attempt at one backend.
    private enum Attempt: Sendable {
        case stored(Replica, md5: [UInt8])
        case failed(backendID: Int64, cause: String)
        /// Our own side failed: no other backend would fare better.
        case impossible(cause: String)
    }

    /// Stores `content` under a fresh physical key on `acknowledge` backends, trying another allowed one for each that
    /// fails.
    ///
    /// Throws the placement's refusal: a 4xx when policy leaves too few, `ServiceUnavailable` when health does.
    func store(_ content: some ObjectContent, as version: ObjectVersion) throws(S3Error) -> Stored {
        let physicalKey = PhysicalKey.make(version.key, version.id)
        let description = ObjectDescription(of: version, in: bucket, tenant: call.tenant, md5: content.md5)
        var stored = Stored()
        var failures: [Int64: String] = [:]
        while true {
            let plan = try plan(version.sizeBytes, avoiding: failures)
            let present = Set(stored.present.map(\.backendID))
            let open = plan.grants.filter { !present.contains($0.backendID) }
            let missing = plan.acknowledge - present.count
            guard missing > 0 else {
                stored.pending = pending(open + plan.pendingUnhealthy, version, physicalKey)
                return stored
            }
            let attempts = FanOut.map(Array(open.prefix(missing))) { grant in
                attempt(grant, version.id, physicalKey, content, description)
            }
            guard !attempts.isEmpty else { throw unavailable(failures) }
            for attempt in attempts { try take(attempt, into: &stored, &failures) }
        }
    }

    /// Throws what `store` would throw before it moved a byte.
    func checkPlacement(sizeBytes: Int64) throws(S3Error) { _ = try plan(sizeBytes, avoiding: [:]) }

    /// Makes what `store` wrote visible unless `conditions` fail at that very moment; returns the version as committed.
    func commit(
        _ version: ObjectVersion, _ stored: Stored, unless conditions: Conditions
    ) throws(S3Error) -> ObjectVersion {
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

    private func plan(_ sizeBytes: Int64, avoiding failures: [Int64: String]) throws(S3Error) -> Plan {
        let candidates = call.snapshot.candidates().map { candidate in
            failures[candidate.backendID] == nil ? candidate : candidate.unhealthy
        }
        switch Placement.decide(policy, candidates: candidates, sizeBytes: sizeBytes) {
        case .place(let plan): return plan
        case .refuse(let refusal):
            guard failures.isEmpty else { throw unavailable(failures) }
            throw refusal.s3Error
        }
    }

    private func unavailable(_ failures: [Int64: String]) -> S3Error {
        S3Error(.serviceUnavailable, cause: failures.values.sorted().joined(separator: "; ")).header("Retry-After", "1")
    }

    private func attempt(
        _ grant: PlacementGrant, _ versionID: VersionID, _ key: [UInt8], _ content: some ObjectContent,
        _ description: ObjectDescription
    ) -> Attempt {
        guard let live = call.snapshot.backends[grant.backendID] else {
            return .failed(backendID: grant.backendID, cause: "backend \(grant.backendID) is gone")
        }
        let name: String
        do throws(S3Error) { name = try physicalName(on: live) } catch {
            return .failed(backendID: grant.backendID, cause: error.cause ?? error.message)
        }
        do throws(BackendError) {
            let receipt = try content.store(
                as: PhysicalObject(bucket: name, key: key), on: live, description: description, grant: grant)
            let replica = Replica(
                versionID: versionID, backendID: grant.backendID, physicalBucket: name, physicalKey: key,
                state: .present)
            return .stored(replica, md5: receipt.md5)
        } catch {
            let cause = "\(error.backend): \(error.cause)"
            return error.kind == .stopped
                ? .impossible(cause: cause) : .failed(backendID: grant.backendID, cause: cause)
        }
    }

    private func physicalName(on live: LiveBackend) throws(S3Error) -> String {
        if let known = try call.snapshot.physicalName(of: bucket, on: live.backend.record.id) { return known }
        return try call.world.provisioner.ensure(bucket, of: call.tenant, on: live)
    }

    private func take(
        _ attempt: Attempt, into stored: inout Stored, _ failures: inout [Int64: String]
    ) throws(S3Error) {
        switch attempt {
        case .stored(let replica, let md5):
            guard stored.md5.isEmpty || stored.md5 == md5 else {
                throw S3Error(.internalError, cause: "two backends were sent different bytes of \(replica.versionID)")
            }
            stored.md5 = md5
            stored.present.append(replica)
        case .failed(let backendID, let cause):
            failures[backendID] = cause
            call.log.warning("backend failed", metadata: call.logMetadata(cause: cause))
        case .impossible(let cause):
            throw S3Error(.internalError, cause: cause)
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
