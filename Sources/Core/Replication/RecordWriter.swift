import Logging

/// Writes, replaces and removes the records of versions, so that the backends alone tell everything that a client can
/// see (docs/decisions/0006-rebuild.md).
///
/// What a record says follows from the version and the record's revision, and each revision has a key of its own: several
/// workers may write one at once, and an old worker cannot overwrite what a newer one wrote. Every place is written down
/// before a backend hears of it.
struct RecordWriter: Sendable {
    let world: World
    let stop: StopSignal
    private let log = Logger(label: "s3gw.worker")

    /// Records looked at in one go, and how many of them at once.
    private static let batch = 64
    private static let concurrency = 8
    /// Longer than the slowest store takes for one small object.
    private static let claimSeconds: Int64 = 120
    private static let longestRetrySeconds: Int64 = 60

    init(world: World, stop: StopSignal) {
        self.world = world
        self.stop = stop
    }

    /// Does what is due now; false when there was nothing.
    func pass() throws(S3Error) -> Bool {
        let now = Timestamp.now()
        let hasWork = try world.database.read { sql throws(S3Error) in
            if try sql.hasRecordSweep() { return true }
            return try sql.hasDueRecord(at: now)
        }
        guard hasWork else { return false }
        let due = try world.database.write { sql throws(S3Error) in
            let until = now.adding(seconds: Self.claimSeconds)
            let claimed = try sql.claimRecords(limit: Self.batch, now: now, until: until)
            guard claimed.isEmpty else { return claimed }
            // Only then, so that what clients change never waits for more than one step of a sweep.
            _ = try sql.sweepRecords(limit: Self.batch, at: now)
            return try sql.claimRecords(limit: Self.batch, now: now, until: until)
        }
        var failure: S3Error?
        var rest = due[...]
        while !rest.isEmpty, !stop.isStopped {
            let outcomes = FanOut.map(Array(rest.prefix(Self.concurrency))) { due -> S3Error? in
                do throws(S3Error) {
                    try settle(due)
                    return nil
                } catch {
                    return error
                }
            }
            rest = rest.dropFirst(Self.concurrency)
            failure = failure ?? outcomes.compactMap(\.self).first
        }
        if let failure { throw failure }
        // A step of a sweep may find nothing to do and not be the last one.
        return true
    }

    // MARK: One record

    /// What the database says at one moment about the version of a record.
    private struct Look {
        var bucket: Bucket?
        var state: ReplicationState?
        var parts: [VersionPart] = []
        var places: [RecordPlace] = []
        /// Where a write that came to nothing may have left an object.
        var leftOn: Set<Int64> = []
        /// False when the record changed since it was claimed: then another claim comes.
        var isCurrent = true
    }

    private func look(_ due: DueRecord) throws(S3Error) -> Look {
        try world.database.read { sql throws(S3Error) in
            var look = Look(isCurrent: try sql.holdsRecord(due))
            look.bucket = try sql.bucket(id: due.bucketID)
            look.state = try sql.replicationState(of: due.versionID)
            if let state = look.state, state.isLive {
                look.parts = try sql.versionParts(sequence: state.version.sequence)
            }
            look.places = try sql.recordPlaces(of: due.versionID)
            look.leftOn = Set(try sql.uploadPlaces(due.versionID).filter { $0.state == .ending }.map(\.backendID))
            return look
        }
    }

    private func settle(_ due: DueRecord) throws(S3Error) {
        let look = try look(due)
        guard look.isCurrent else { return }
        do throws(JobFailure) {
            if let state = look.state, state.isLive {
                try keep(due, look, state)
            } else if let state = look.state, !state.replicas.isEmpty {
                try bury(due, look, beside: Set(state.replicas.map(\.backendID)), places: try places(state))
            } else if !look.leftOn.isEmpty {
                try bury(due, look, beside: look.leftOn)
            } else {
                try forget(due, look)
            }
        } catch {
            let delay = min(Int64(1) << Int64(min(due.attempts, 16)), Self.longestRetrySeconds)
            log.warning(
                "a record is not written yet",
                metadata: ["version": "\(due.versionID)", "cause": "\(error.words)", "retryAfterSeconds": "\(delay)"])
            try world.database.write { sql throws(S3Error) in
                try sql.retryRecord(due, at: Timestamp.now().adding(seconds: delay))
            }
        }
    }

    /// The record of a live version is to be where policy wants it, and nowhere else.
    private func keep(_ due: DueRecord, _ look: Look, _ state: ReplicationState) throws(JobFailure) {
        guard let bucket = look.bucket else { throw JobFailure(.refused, "a live version without a bucket") }
        let tenant = try tenant(of: bucket)
        let description = VersionDescription(
            tenant: tenant.canonicalID, bucket: bucket.name.bytes, version: state.version, parts: look.parts)
        let record = VersionRecord(
            versionID: due.versionID, revision: due.revision, tenant: tenant.canonicalID, bucket: bucket.name.bytes,
            content: .live(description), places: try places(state))
        let targets = try targets(
            bucket, tags: state.version.tags, beside: Set(state.replicas.map(\.backendID)))
        let written = try write(record, due, look.places, to: targets)
        let stale = look.places.filter { place in !written.contains { $0 == place.key } }
        try remove(stale)
        try finish { sql throws(S3Error) in try sql.settleRecord(due) }
    }

    /// A dead version whose bytes are not gone yet must not come back as live.
    private func bury(
        _ due: DueRecord, _ look: Look, beside backends: Set<Int64>, places: [RecordedPlace] = []
    ) throws(JobFailure) {
        guard let bucket = look.bucket else {
            // The bucket's own document says that it is gone.
            return try finish { sql throws(S3Error) in try sql.settleRecord(due) }
        }
        let written = try writeTombstone(due, bucket, look.places, beside: backends, originals: places)
        try remove(look.places.filter { place in !written.contains { $0 == place.key } })
        try finish { sql throws(S3Error) in try sql.settleRecord(due) }
    }

    /// Nothing is left of the version: neither is to be of its record.
    private func forget(_ due: DueRecord, _ look: Look) throws(JobFailure) {
        do throws(JobFailure) { try remove(look.places) } catch {
            // What cannot be removed now is contradicted elsewhere meanwhile.
            let left = try reading { sql throws(S3Error) in try sql.recordPlaces(of: due.versionID) }
            if let bucket = look.bucket {
                _ = try writeTombstone(due, bucket, left, beside: Set(left.map(\.backendID)))
            }
            throw error
        }
        try finish { sql throws(S3Error) in try sql.forgetRecord(due) }
    }

    private func writeTombstone(
        _ due: DueRecord, _ bucket: Bucket, _ places: [RecordPlace], beside backends: Set<Int64>,
        originals: [RecordedPlace] = []
    ) throws(JobFailure) -> [RecordPlace.Key] {
        let tenant = try tenant(of: bucket)
        let record = VersionRecord(
            versionID: due.versionID, revision: due.revision, tenant: tenant.canonicalID, bucket: bucket.name.bytes,
            content: .dead, places: originals)
        return try write(record, due, places, to: try targets(bucket, tags: [], beside: backends))
    }

    /// Where the version lies under a key that is not its own.
    private func places(_ state: ReplicationState) throws(JobFailure) -> [RecordedPlace] {
        let originals = state.replicas.filter { $0.isOriginal(of: state.version) && !$0.physicalBucket.isEmpty }
        guard !originals.isEmpty else { return [] }
        let backends: [Int64: LiveBackend]
        do throws(S3Error) { backends = try world.snapshot().backends } catch { throw JobFailure(error) }
        return originals.compactMap { replica in
            backends[replica.backendID].map { live in
                RecordedPlace(backend: live.name, bucket: replica.physicalBucket, key: replica.physicalKey)
            }
        }
    }

    // MARK: Where

    private struct Target: Sendable {
        let live: LiveBackend
        let grant: PlacementGrant
        let physicalBucket: String
    }

    private func tenant(of bucket: Bucket) throws(JobFailure) -> Tenant {
        let tenant = try reading { sql throws(S3Error) in try sql.tenant(id: bucket.tenantID) }
        guard let tenant else { throw JobFailure(.refused, "bucket \(bucket.id) has no tenant") }
        return tenant
    }

    /// As many places as the version has replicas, and those of `beside` that may have it: what is lost with a replica
    /// is lost with it, and no sooner.
    private func targets(
        _ bucket: Bucket, tags: [Tag], beside backends: Set<Int64>
    ) throws(JobFailure) -> [Target] {
        let plan: Plan
        do throws(S3Error) {
            let snapshot = try world.snapshot()
            let policy = try snapshot.policy(for: bucket, tags: tags)
            switch Placement.decide(policy, candidates: snapshot.candidates(), sizeBytes: 0) {
            case .refuse(let refusal): throw refusal.s3Error
            case .place(let found): plan = found
            }
            let grants = plan.grants + plan.spares.filter { backends.contains($0.backendID) }
            var targets: [Target] = []
            for grant in grants {
                guard let live = snapshot.backends[grant.backendID] else { continue }
                let name = world.recoveryBucket(on: live.name)
                targets.append(Target(live: live, grant: grant, physicalBucket: name))
            }
            return targets
        } catch {
            throw JobFailure(error)
        }
    }

    // MARK: Writing

    /// Returns where the record is; throws when a target does not have it in the end.
    private func write(
        _ record: VersionRecord, _ due: DueRecord, _ places: [RecordPlace], to targets: [Target]
    ) throws(JobFailure) -> [RecordPlace.Key] {
        let wanted = targets.map { target in
            RecordPlace(
                versionID: due.versionID, revision: due.revision, backendID: target.grant.backendID,
                physicalBucket: target.physicalBucket, isWritten: true)
        }
        let missing = zip(targets, wanted).filter { !places.contains($0.1) }
        guard !missing.isEmpty else { return wanted.map(\.key) }
        let isCurrent = try writing { sql throws(S3Error) in
            guard try sql.holdsRecord(due) else { return false }
            for (_, place) in missing {
                var planned = place
                planned.isWritten = false
                try sql.insertRecordPlace(planned)
            }
            return true
        }
        guard isCurrent else { throw JobFailure(abandoned: "the version changed meanwhile") }
        let bytes = record.bytes(world.descriptionProof)
        let metadata = record.metadata(world.descriptionProof)
        let failures = FanOut.map(missing) { target, place -> BackendError? in
            do throws(BackendError) {
                try put(bytes, metadata, at: place, target)
                return nil
            } catch {
                return error
            }
        }
        var failure: BackendError?
        var done: [RecordPlace] = []
        for ((_, place), error) in zip(missing, failures) {
            if let error { failure = error } else { done.append(place) }
        }
        try writing { sql throws(S3Error) in for place in done { try sql.insertRecordPlace(place) } }
        if let failure { throw JobFailure(failure) }
        return wanted.map(\.key)
    }

    private func put(
        _ bytes: [UInt8], _ metadata: [HeaderField], at place: RecordPlace, _ target: Target
    ) throws(BackendError) {
        let object = PhysicalObject(bucket: place.physicalBucket, key: place.physicalKey)
        let description = ObjectDescription(
            sizeBytes: Int64(bytes.count), md5: Crypto.md5(bytes), sha256: nil, metadata: metadata)
        let send = { (backend: any Backend) throws(BackendError) in
            let reader: PayloadReader
            do throws(S3Error) { reader = try PayloadReader(plain: .memory(bytes)) } catch {
                throw BackendError(.stopped, backend: target.live.name, error.cause ?? error.message)
            }
            _ = try backend.put(object, from: reader, description: description, grant: target.grant)
        }
        do throws(BackendError) { return try target.live.observe(send) } catch {
            guard error.kind == .missing else { throw error }
        }
        // The first record there, or the store has lost the bucket.
        let creation = try target.live.observe { backend throws(BackendError) in
            try backend.createBucket(place.physicalBucket)
        }
        guard creation != .taken else {
            throw BackendError(.refused, backend: target.live.name, "somebody else took our bucket's name")
        }
        try target.live.observe(send)
    }

    /// Removes record objects; throws when one cannot be removed now.
    private func remove(_ places: [RecordPlace]) throws(JobFailure) {
        guard !places.isEmpty else { return }
        let snapshot: WorldSnapshot
        do throws(S3Error) { snapshot = try world.snapshot() } catch { throw JobFailure(error) }
        var failure: JobFailure?
        for place in places {
            do throws(JobFailure) {
                // A backend that is gone for good keeps nothing of ours.
                if let live = snapshot.backends[place.backendID], !live.isLost {
                    guard live.isReadable else { throw JobFailure(.unavailable, "\(live.name) is offline") }
                    do throws(BackendError) {
                        try live.observe { backend throws(BackendError) in
                            try backend.delete(PhysicalObject(bucket: place.physicalBucket, key: place.physicalKey))
                        }
                    } catch {
                        if error.kind != .missing { throw JobFailure(error) }
                    }
                }
                try writing { sql throws(S3Error) in try sql.deleteRecordPlace(place) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    // MARK: Database

    private func reading<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(JobFailure) -> T {
        do throws(S3Error) { return try world.database.read(body) } catch { throw JobFailure(error) }
    }

    private func writing<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(JobFailure) -> T {
        do throws(S3Error) { return try world.database.write(body) } catch { throw JobFailure(error) }
    }

    private func finish(_ body: (any SQLConnection) throws(S3Error) -> Void) throws(JobFailure) { try writing(body) }
}

extension RecordPlace {
    struct Key: Hashable {
        let revision: Int64
        let backendID: Int64
        let physicalBucket: String
    }

    var key: Key { Key(revision: revision, backendID: backendID, physicalBucket: physicalBucket) }
}

extension JobFailure {
    /// For the log.
    var words: String {
        switch outcome {
        case .failed(_, let cause), .abandoned(let cause), .buried(let cause): cause
        case .done(let done): done.rawValue
        }
    }
}
