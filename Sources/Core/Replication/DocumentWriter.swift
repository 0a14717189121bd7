import Logging

/// Keeps sealed copies of the configuration on the backends: each tenant's and bucket's where its policy allows it, the
/// installation's own on all.
///
/// The content follows from the configuration generation, and each generation has a key of its own, so that several
/// workers may write at once. Belongs to one thread.
final class DocumentWriter {
    private let world: World
    private let stop: StopSignal
    private let log = Logger(label: "s3gw.worker")
    /// The generation of which everything is where it belongs.
    private var done: Int64?
    private var notBefore = Timestamp(milliseconds: 0)

    /// How soon an incomplete round is tried again.
    private static let retrySeconds: Int64 = 30

    init(world: World, stop: StopSignal) {
        self.world = world
        self.stop = stop
    }

    private struct Wanted {
        let document: RecoveryDocument
        let grants: [PlacementGrant]
        /// Backends that policy allows and that cannot be written now.
        let waiting: Set<Int64>
        let digest: [UInt8]
        let json: [UInt8]
    }

    /// Writes what has changed since the last round; returns false when something is still missing somewhere.
    @discardableResult
    func pass() throws(S3Error) -> Bool {
        let generation = try world.database.read { sql throws(S3Error) in try sql.configurationGeneration() }
        guard generation != done else { return true }
        guard Timestamp.now() >= notBefore else { return false }
        let snapshot = try world.snapshot()
        let (read, documents, places) = try collect()
        let placesByName = Dictionary(grouping: places, by: \.name)
        var isComplete = true
        var kept: Set<DocumentPlace> = []
        var replaced: Set<DocumentPlace> = []
        for document in documents {
            guard !stop.isStopped else { return false }
            let own = placesByName[document.subject.name] ?? []
            guard let wanted = try wanted(document, snapshot) else {
                isComplete = false
                kept.formUnion(own)
                continue
            }
            // What policy allows and cannot be written now keeps what it has.
            let waiting = own.filter { wanted.waiting.contains($0.backendID) }
            kept.formUnion(waiting)
            if !wanted.waiting.isEmpty { isComplete = false }
            var hasChanged = own.contains { place in
                !wanted.waiting.contains(place.backendID) && !wanted.grants.contains { $0.backendID == place.backendID }
            }
            for grant in wanted.grants {
                let old = own.first { $0.backendID == grant.backendID }
                if let old, old.digest == wanted.digest, old.physicalBucket == bucketName(grant, snapshot) {
                    kept.insert(old)
                    continue
                }
                hasChanged = true
                guard let live = snapshot.backends[grant.backendID] else { continue }
                do throws(JobFailure) {
                    if let other = try write(wanted, generation: read, on: live, grant) { replaced.insert(other) }
                } catch {
                    isComplete = false
                    // What was there stays until its successor is.
                    if let old { kept.insert(old) }
                    log.warning(
                        "a copy of the configuration is not written yet",
                        metadata: ["document": "\(document.subject.name)", "cause": "\(error.words)"])
                }
            }
            if hasChanged, case .bucket(let id) = document.subject {
                // Where the records of its versions belong may have changed with it.
                try world.database.write { sql throws(S3Error) in try sql.requestRecordSweep(bucketID: id) }
            }
        }
        for place in replaced.union(places) where !kept.contains(place) {
            if try !remove(place, snapshot) { isComplete = false }
        }
        if isComplete { done = read } else { notBefore = Timestamp.now().adding(seconds: Self.retrySeconds) }
        return isComplete
    }

    /// Everything of one generation.
    private func collect() throws(S3Error) -> (Int64, [RecoveryDocument], [DocumentPlace]) {
        try world.database.read { sql throws(S3Error) in
            var documents = [RecoveryDocument(subject: .installation, tables: try sql.installationRows())]
            for id in try sql.everyTenantID() {
                documents.append(RecoveryDocument(subject: .tenant(id), tables: try sql.tenantRows(id: id)))
            }
            for bucket in try sql.everyBucket() {
                documents.append(
                    RecoveryDocument(subject: .bucket(bucket.id), tables: try sql.bucketRows(id: bucket.id)))
            }
            return (try sql.configurationGeneration(), documents, try sql.documentPlaces())
        }
    }

    /// Another one since the master key was replaced: then everything is written again.
    private func bucketName(_ grant: PlacementGrant, _ snapshot: WorldSnapshot) -> String? {
        snapshot.backends[grant.backendID].map { world.recoveryBucket(on: $0.name) }
    }

    /// Returns nil when policy leaves no place now.
    private func wanted(_ document: RecoveryDocument, _ snapshot: WorldSnapshot) throws(S3Error) -> Wanted? {
        let policy: EffectivePolicy
        switch document.subject {
        case .installation:
            policy = try EffectivePolicy(tenant: nil, bucket: nil, locations: [], replicaCountTag: nil)
        case .tenant(let id): policy = try snapshot.policy(forNewBucketOf: id, locations: [])
        case .bucket(let id):
            let bucket = try world.database.read { sql throws(S3Error) in try sql.anyBucket(id: id) }
            guard let bucket else { return nil }
            policy = try snapshot.policy(for: bucket)
        }
        switch Placement.decide(policy, candidates: snapshot.candidates(), sizeBytes: 0) {
        case .refuse(let refusal):
            log.notice(
                "a copy of the configuration has no place",
                metadata: ["document": "\(document.subject.name)", "cause": "\(refusal.explanation)"])
            return nil
        case .place(let plan):
            let json = document.json
            let grants = plan.grants + plan.spares
            let allowed = snapshot.backends.values.map(\.backend.record).filter { record in
                record.state != .lost && policy.rules.allSatisfy { $0.violation(by: record.location) == nil }
            }
            return Wanted(
                document: document, grants: grants,
                waiting: Set(allowed.map(\.id)).subtracting(grants.map(\.backendID)),
                digest: Crypto.sha256(json + Array(" \(plan.replicaCount)".utf8)), json: json)
        }
    }

    /// Returns the document that has no row after this: another worker may have written one meanwhile, of an older generation
    /// than this one or of a newer.
    private func write(
        _ wanted: Wanted, generation: Int64, on live: LiveBackend, _ grant: PlacementGrant
    ) throws(JobFailure) -> DocumentPlace? {
        let name = wanted.document.subject.name
        let bytes = world.seal(wanted.json, named: name)
        let bucket = world.recoveryBucket(on: live.name)
        let object = PhysicalObject(bucket: bucket, key: RecoveryKey.document(name, generation: generation))
        var metadata = [HeaderField(name: "s3gw-document", value: [0x31])]
        world.descriptionProof.sign(&metadata)
        let description = ObjectDescription(
            sizeBytes: Int64(bytes.count), md5: Crypto.md5(bytes), sha256: nil, metadata: metadata)
        let send = { (backend: any Backend) throws(BackendError) in
            let reader: PayloadReader
            do throws(S3Error) { reader = try PayloadReader(plain: .memory(bytes)) } catch {
                throw BackendError(.stopped, backend: live.name, error.cause ?? error.message)
            }
            _ = try backend.put(object, from: reader, description: description, grant: grant)
        }
        do throws(BackendError) {
            do throws(BackendError) { try live.observe(send) } catch {
                guard error.kind == .missing else { throw error }
                let creation = try live.observe { backend throws(BackendError) in try backend.createBucket(bucket) }
                guard creation != .taken else {
                    throw BackendError(.refused, backend: live.name, "somebody else has the recovery bucket's name")
                }
                try live.observe(send)
            }
        } catch {
            throw JobFailure(error)
        }
        do throws(S3Error) {
            return try world.database.write { sql throws(S3Error) in
                try sql.setDocumentPlace(
                    DocumentPlace(
                        name: name, backendID: grant.backendID, physicalBucket: bucket, generation: generation,
                        digest: wanted.digest))
            }
        } catch {
            throw JobFailure(error)
        }
    }

    /// Removes a document that has a successor, or that policy keeps out of there now; false when it is still there.
    private func remove(_ place: DocumentPlace, _ snapshot: WorldSnapshot) throws(S3Error) -> Bool {
        if let live = snapshot.backends[place.backendID], !live.isLost {
            let object = PhysicalObject(
                bucket: place.physicalBucket, key: RecoveryKey.document(place.name, generation: place.generation))
            do throws(BackendError) {
                guard live.isReadable else { return false }
                try live.observe { backend throws(BackendError) in try backend.delete(object) }
            } catch {
                if error.kind != .missing { return false }
            }
        }
        try world.database.write { sql throws(S3Error) in try sql.deleteDocumentPlace(place) }
        return true
    }
}
