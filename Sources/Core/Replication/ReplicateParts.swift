/// The copy of a large version part by part, which goes on where an earlier attempt was cut short.
///
/// The spool holds one part at a time. A version that was made of parts is copied in the same parts, each proven right
/// before the target sees it, so that the target's own ETag is the version's. Any other is copied in ranges, whose MD5
/// or checksum together is proven before the store is told to make the object of them: until then nobody can read them
/// there. Of an adopted object of parts neither may be known: its checksum is found out on the way.
struct ReplicateParts {
    let context: JobContext
    let version: ObjectVersion
    /// Of the version, or `ranges`.
    let parts: [VersionPart]
    /// Whether only the whole can be proven.
    let isRanges: Bool
    let sources: [Replica]
    let snapshot: WorldSnapshot

    /// Objects of this size and larger are copied in ranges.
    static let thresholdBytes: Int64 = 64 << 20
    /// What a crash makes be sent again; more for objects that would have too many ranges.
    static let shortestRangeBytes: Int64 = 16 << 20
    private static let maximumRanges: Int64 = 9_000

    private var target: Int64 { context.job.backendID }

    /// The ranges in which a version is copied that has no parts; nil for one that is sent in one piece.
    static func ranges(of version: ObjectVersion) -> [VersionPart]? {
        guard version.sizeBytes >= thresholdBytes else { return nil }
        let mebibytes = (version.sizeBytes / maximumRanges) >> 20 + 1
        let rangeBytes = max(shortestRangeBytes, mebibytes << 20)
        let starts = Array(stride(from: 0, to: version.sizeBytes, by: Int64.Stride(rangeBytes)))
        return starts.enumerated().compactMap { index, offset in
            PartNumber(index + 1).map { number in
                VersionPart(
                    number: number, offset: offset, sizeBytes: min(rangeBytes, version.sizeBytes - offset), md5: [],
                    checksum: nil)
            }
        }
    }

    /// Makes the whole copy at `place`; returns the checksum that was found out.
    func send(
        to place: PhysicalObject, on live: LiveBackend, _ description: ObjectDescription, _ grant: PlacementGrant
    ) throws(JobFailure) -> ObjectChecksum? {
        let earlier = try resume(place, live)
        let progress = if let earlier { earlier } else { try begin(place, live, description, grant) }
        var running = isRanges ? RangeDigest(of: version, saved: progress.digest) : nil
        var made: [NativePart] = []
        var md5s: [[UInt8]] = []
        for part in parts {
            if let known = progress.parts[part.number.value] {
                made.append(NativePart(number: part.number, token: known.token, sizeBytes: part.sizeBytes))
                md5s.append(known.md5)
                continue
            }
            let receipt = try copy(part, to: place, progress.nativeID, on: live, grant, &running)
            try note(receipt, of: part, running)
            made.append(NativePart(number: part.number, token: receipt.token, sizeBytes: part.sizeBytes))
            md5s.append(receipt.md5)
        }
        if let running, !running.isRight {
            throw try giveUp(place, live, progress.nativeID)
        }
        let eTag = isRanges ? MultipartETag.make(md5s: md5s) : version.eTag
        let whole = NativeObject(parts: made, eTag: eTag, description: description)
        try noticingLoss(on: live) { backend throws(BackendError) in
            try backend.completeUpload(place, uploadID: progress.nativeID, as: whole)
        }
        return running?.found
    }

    // MARK: Beginning

    /// Returns what an earlier attempt has done; nil when there is nothing to go on with.
    private func resume(_ place: PhysicalObject, _ live: LiveBackend) throws(JobFailure) -> CopyProgress? {
        let progress = try context.read { sql throws(S3Error) in
            try sql.copyProgress(versionID: version.id, backendID: target)
        }
        guard let progress, !isRanges || RangeDigest(of: version, saved: progress.digest) != nil else { return nil }
        context.log.info(
            "a copy goes on",
            metadata: [
                "version": "\(version.id)", "backend": "\(live.name)", "parts": "\(progress.parts.count)",
                "of": "\(parts.count)",
            ])
        return progress
    }

    /// Begins the upload; one that was begun and never written down is ended first.
    private func begin(
        _ place: PhysicalObject, _ live: LiveBackend, _ description: ObjectDescription, _ grant: PlacementGrant
    ) throws(JobFailure) -> CopyProgress {
        try context.checkGoingOn()
        try context.ask(live) { backend throws(BackendError) in try backend.abortUploads(place, uploadID: nil) }
        let create = { (backend: any Backend) throws(BackendError) in
            try backend.createUpload(place, description: description, grant: grant)
        }
        let uploadID: String
        do throws(BackendError) { uploadID = try live.observe(create) } catch {
            guard error.kind == .missing else { throw JobFailure(error) }
            try context.remakeBucket(place.bucket, on: live)
            uploadID = try context.ask(live, create)
        }
        let state = isRanges ? RangeDigest(of: version).saved ?? [] : []
        try writeOwning { sql throws(S3Error) in
            try sql.beginCopy(versionID: version.id, backendID: target, nativeID: uploadID, digest: state)
        }
        return CopyProgress(nativeID: uploadID, digest: state, parts: [:])
    }

    /// Changes the progress while the claim is ours; throws when it is another worker's.
    private func writeOwning(_ body: (any SQLConnection) throws(S3Error) -> Void) throws(JobFailure) {
        let isOurs = try context.write { sql throws(S3Error) -> Bool in
            guard try sql.holdsLease(id: context.job.id, fence: context.job.fence) else { return false }
            try body(sql)
            return true
        }
        guard isOurs else { throw JobFailure(abandoned: "another worker has the job") }
    }

    // MARK: Parts

    private func copy(
        _ part: VersionPart, to place: PhysicalObject, _ uploadID: String, on live: LiveBackend,
        _ grant: PlacementGrant, _ running: inout RangeDigest?
    ) throws(JobFailure) -> PartReceipt {
        let source = ReplicaSource(context: context, version: version, part: part, isRange: isRanges)
        let (spool, md5) = try source.fetch(sources, snapshot)
        try context.checkGoingOn()
        let reader: PayloadReader
        do throws(S3Error) {
            try running?.append(try spool.makeReader(), sizeBytes: part.sizeBytes, at: part.offset)
            reader = try spool.makeReader()
        } catch {
            throw JobFailure(error)
        }
        context.paced(part.sizeBytes, live)
        let receipt = try noticingLoss(on: live) { backend throws(BackendError) in
            try backend.uploadPart(
                place, uploadID: uploadID, number: part.number, from: reader, sizeBytes: part.sizeBytes, md5: md5,
                grant: grant)
        }
        guard receipt.md5 == md5 else {
            throw JobFailure(.refused, "\(live.name) was sent other bytes than those that were verified")
        }
        return receipt
    }

    private func note(_ receipt: PartReceipt, of part: VersionPart, _ running: RangeDigest?) throws(JobFailure) {
        // After a last range that is no whole number of blocks an MD5 cannot be gone on with: it is sent again.
        guard let state = running.map(\.saved) ?? [] else { return }
        try writeOwning { sql throws(S3Error) in
            try sql.addCopyPart(
                versionID: version.id, backendID: target, number: part.number,
                CopyProgress.Part(md5: receipt.md5, token: receipt.token), digest: state)
        }
    }

    // MARK: Failures

    /// An upload that the store does not know any more cannot be gone on with: the next attempt begins anew.
    private func noticingLoss<T>(
        on live: LiveBackend, _ call: (any Backend) throws(BackendError) -> T
    ) throws(JobFailure) -> T {
        do throws(BackendError) { return try live.observe(call) } catch {
            guard error.kind == .missing || error.kind == .damaged else { throw JobFailure(error) }
            try writeOwning { sql throws(S3Error) in
                try sql.endCopy(versionID: version.id, backendID: target)
            }
            throw JobFailure(.unavailable, "\(error.backend): \(error.cause); the copy begins anew")
        }
    }

    /// The ranges are not those of the version: a source has wrong bytes, and which one is for verify jobs to find out.
    private func giveUp(
        _ place: PhysicalObject, _ live: LiveBackend, _ uploadID: String
    ) throws(JobFailure) -> JobFailure {
        try writeOwning { sql throws(S3Error) in
            try sql.endCopy(versionID: version.id, backendID: target)
            for source in sources {
                try sql.insertJob(
                    kind: .verify, bucketID: version.bucketID, versionID: version.id, backendID: source.backendID,
                    notBefore: .now())
            }
        }
        try context.ask(live) { backend throws(BackendError) in try backend.abortUploads(place, uploadID: uploadID) }
        return JobFailure(.refused, "no good replica: what was read is not what the ETag or checksum says")
    }
}
