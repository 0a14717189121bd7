import Logging

/// What is compared beside objects: native uploads, policy, and the recovery bucket.
extension ReconcileRun {
    // MARK: Uploads

    /// Native uploads of which no row speaks.
    mutating func uploads(of mapping: BucketMapping) throws(JobFailure) {
        var last: BackendUpload?
        while true {
            let page: [BackendUpload]
            do throws(BackendError) {
                page = try live.observe { backend throws(BackendError) in
                    try backend.listUploads(mapping.physicalName, after: last, limit: Reconciler.uploadPageSize)
                }
            } catch {
                // A store that cannot tell, or a bucket that is not there.
                if error.kind == .refused || error.kind == .missing { return }
                throw JobFailure(error)
            }
            for upload in page { try stray(upload, mapping) }
            guard page.count == Reconciler.uploadPageSize, let end = page.last, end != last else { return }
            last = end
            try reconciler.progress(&self)
        }
    }

    private mutating func stray(_ upload: BackendUpload, _ mapping: BucketMapping) throws(JobFailure) {
        let backendID = backendID
        // Only keys of ours end with a version.
        guard let id = PhysicalKey.version(reading: upload.key), !mayBeUnderWay(since: id.writtenAt) else { return }
        guard try !read({ sql throws(S3Error) in try sql.isUnderWay(id, backendID: backendID) }) else { return }
        let noted = try note(
            Finding(
                kind: .upload, backendID: backendID, physicalBucket: mapping.physicalName, physicalKey: upload.key,
                bucketID: mapping.bucketID, versionID: id, detail: "upload \(upload.uploadID)"))
        // An upload carries no proof: in a bucket that others had before us it may be theirs.
        guard !mapping.isAdopted, isOld(noted, writtenAt: id.writtenAt) else { return }
        let isAsked = try write { sql throws(S3Error) in
            guard try !sql.isUnderWay(id, backendID: backendID) else { return false }
            try sql.endPlace(
                UploadPlace(
                    uploadID: id, backendID: backendID, bucketID: mapping.bucketID,
                    physicalBucket: mapping.physicalName, physicalKey: upload.key, nativeID: upload.uploadID),
                at: .now())
            return true
        }
        if isAsked { summary.repairs += 1 }
    }

    // MARK: Policy

    /// Tells whether the bucket's policy still allows this backend; if not, every version of it is looked at again.
    mutating func places(of mapping: BucketMapping) throws(JobFailure) {
        let bucket = try read { sql throws(S3Error) in try sql.bucket(id: mapping.bucketID) }
        guard let bucket else { return }
        let policy: EffectivePolicy
        do throws(S3Error) { policy = try reconciler.world.snapshot().policy(for: bucket) } catch {
            throw JobFailure(error)
        }
        let location = live.backend.record.location
        let violations = policy.rules.compactMap { rule in rule.violation(by: location).map { "\(rule.name): \($0)" } }
        guard let violation = violations.first else { return }
        let hasReplicas = try read { sql throws(S3Error) in
            try sql.hasReplicas(backendID: mapping.backendID, physicalBucket: mapping.physicalName)
        }
        guard hasReplicas else { return }
        try note(
            Finding(
                kind: .misplaced, backendID: mapping.backendID, physicalBucket: mapping.physicalName, physicalKey: [],
                bucketID: mapping.bucketID, detail: "replicas here break \(violation)"),
            repairing: { sql throws(S3Error) in try sql.requestReplan(bucketID: mapping.bucketID, at: .now()) })
    }

    // MARK: The recovery bucket

    /// Records and documents: those that are missing are written again, those that were replaced are removed.
    mutating func recoveryBucket() throws(JobFailure) {
        let current = reconciler.world.recoveryBucket(on: live.name)
        let places = try read { sql throws(S3Error) in try sql.documentPlaces() }.filter { $0.backendID == backendID }
        let names = Set([current] + places.map(\.physicalBucket))
        for name in names.sorted() {
            do throws(JobFailure) { try records(in: name, isCurrent: name == current) } catch {
                try noteDisorder(error, in: name, bucketID: nil)
            }
        }
    }

    private mutating func records(in bucket: String, isCurrent: Bool) throws(JobFailure) {
        let backendID = backendID
        let database = reconciler.world.database
        var listing = SortedPages<BackendListEntry>(
            pageSize: Reconciler.pageSize(live.backend.record), key: \.key
        ) { [live] last throws(JobFailure) in
            do throws(BackendError) {
                return try live.observe { backend throws(BackendError) in
                    try backend.list(bucket, after: last?.key, limit: Reconciler.pageSize(backend.record))
                }
            } catch {
                if error.kind == .missing { return [] }
                throw JobFailure(error)
            }
        }
        var rows = SortedPages<RecordPlace>(
            pageSize: Reconciler.rowPageSize, key: \.physicalKey
        ) { last throws(JobFailure) in
            do throws(S3Error) {
                return try database.read { sql throws(S3Error) in
                    try sql.recordPlaces(
                        backendID: backendID, physicalBucket: bucket, after: last, limit: Reconciler.rowPageSize)
                }
            } catch {
                throw JobFailure(error)
            }
        }
        while let pair = try SortedPages.next(&listing, &rows) {
            switch pair {
            case .both(_, let place):
                // The master key was replaced: the record belongs into another bucket.
                if !isCurrent { try askAgain(place, isThere: true) }
            case .left(let entry): try leftover(entry, bucket)
            case .right(let place): try askAgain(place, isThere: false)
            }
        }
    }

    /// Has a record written again where it belongs.
    private mutating func askAgain(_ place: RecordPlace, isThere: Bool) throws(JobFailure) {
        if !isThere {
            let object = PhysicalObject(bucket: place.physicalBucket, key: place.physicalKey)
            guard try head(object) == nil else { return }
            guard place.isWritten else { return }
        }
        try write { sql throws(S3Error) in
            if !isThere { try sql.deleteRecordPlace(place) }
            try sql.askForRecord(of: place.versionID, at: .now())
        }
        summary.repairs += 1
    }

    /// Changes of the configuration that a backup may be behind; more is no number of ours.
    private static let longestLostTime: Int64 = 1_000_000

    /// A document that no worker of this database can have written yet: the database was put back from a backup.
    private mutating func lostTime(
        _ object: PhysicalObject, _ reached: Int64, since generation: Int64
    ) throws(JobFailure) {
        guard reached - generation <= Self.longestLostTime, let head = try head(object),
            reconciler.world.descriptionProof.holds(for: head.metadata)
        else { return }
        try write { sql throws(S3Error) in try sql.leaveLostTimeBehind(reached) }
        summary.repairs += 1
        reconciler.log.notice(
            "the database was put back from a backup: the copies of the configuration are written anew",
            metadata: ["backend": "\(live.name)", "generation": "\(generation)", "reached": "\(reached)"])
    }

    private mutating func leftover(_ entry: BackendListEntry, _ bucket: String) throws(JobFailure) {
        let backendID = backendID
        let object = PhysicalObject(bucket: bucket, key: entry.key)
        var writtenAt = Timestamp(milliseconds: 0)
        var versionID: VersionID?
        if let record = RecoveryKey.record(reading: entry.key) {
            let place = RecordPlace(
                versionID: record.version, revision: record.revision, backendID: backendID, physicalBucket: bucket,
                isWritten: true)
            guard try !read({ sql throws(S3Error) in try sql.hasRecordPlace(place) }) else { return }
            writtenAt = record.version.writtenAt
            versionID = record.version
        } else if let document = RecoveryKey.document(reading: entry.key) {
            let (generation, noted) = try read { sql throws(S3Error) in
                (try sql.configurationGeneration(), try sql.documentPlace(named: document.name, on: backendID))
            }
            if document.generation > generation {
                try lostTime(object, document.generation, since: generation)
            } else if let noted, noted.physicalBucket == bucket, noted.generation <= document.generation {
                return
            }
        } else {
            try note(
                Finding(
                    kind: .foreign, backendID: backendID, physicalBucket: bucket, physicalKey: entry.key,
                    sizeBytes: entry.sizeBytes, detail: "its name is none of ours"))
            return
        }
        guard let head = try head(object), reconciler.world.descriptionProof.holds(for: head.metadata) else { return }
        let noted = try note(
            Finding(
                kind: .leftover, backendID: backendID, physicalBucket: bucket, physicalKey: entry.key,
                versionID: versionID, sizeBytes: entry.sizeBytes, detail: "it was replaced, or its version is gone"))
        guard isOld(noted, writtenAt: writtenAt) else { return }
        // Nobody writes this key again: a record's revision and a document's generation are used once.
        do throws(BackendError) {
            try live.observe { backend throws(BackendError) in try backend.delete(object) }
        } catch {
            throw JobFailure(error)
        }
        try write { sql throws(S3Error) in try sql.forgetFinding(id: noted.id) }
        summary.repairs += 1
    }
}

extension VersionID {
    /// When the write began that made it.
    var writtenAt: Timestamp {
        Timestamp(milliseconds: bytes.prefix(6).reduce(Int64(0)) { $0 << 8 | Int64($1) })
    }
}
