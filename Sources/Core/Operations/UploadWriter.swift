import Logging

/// The native uploads behind one multipart upload: where they run, and what is sent there.
struct UploadWriter {
    let work: PlacedWork
    private var call: Call { work.call }

    init(_ call: Call, _ bucket: Bucket, tags: [Tag]) throws(S3Error) {
        work = try PlacedWork(call, bucket, tags: tags)
    }

    // MARK: Beginning

    /// Begins the upload on `acknowledge` backends, trying another allowed one for each that fails.
    ///
    /// Everything is written down before a backend hears of it, so that whatever is cut short is found and cleared.
    func begin(_ upload: Upload) throws(S3Error) {
        let key = PhysicalKey.make(upload.key, upload.id)
        let description = description(of: upload)
        var opened: [(backendID: Int64, value: String)] = []
        var failures: [Int64: String] = [:]
        var isWritten = false
        do throws(S3Error) {
            while true {
                let have = Set(opened.map(\.backendID))
                let plan = try work.plan(0, avoiding: failures, keeping: have)
                guard plan.acknowledge > have.count else { break }
                let grants = plan.grants.filter { !have.contains($0.backendID) }.prefix(plan.acknowledge - have.count)
                guard !grants.isEmpty else { throw work.unavailable(failures) }
                let places = try places(of: upload, key, on: Array(grants), &failures)
                let isFirst = !isWritten
                try call.database.write { sql throws(S3Error) in
                    if isFirst { try sql.insertUpload(upload, places: []) }
                    for (place, _) in places { try sql.insertPlace(place) }
                }
                isWritten = true
                let attempts = FanOut.map(places) { place, grant in
                    work.ask(grant.backendID, prepare: { _ in }) { backend, _ throws(BackendError) in
                        try backend.createUpload(place.object, description: description, grant: grant)
                    }
                }
                try work.sort(attempts, into: &opened, &failures)
            }
            try open(upload, opened)
        } catch {
            if isWritten { end(upload) }
            throw error
        }
    }

    private func places(
        of upload: Upload, _ key: [UInt8], on grants: [PlacementGrant], _ failures: inout [Int64: String]
    ) throws(S3Error) -> [(UploadPlace, PlacementGrant)] {
        let names = grants.map { grant in
            work.ask(
                grant.backendID, prepare: { live throws(S3Error) in try work.physicalName(on: live) },
                { _, name throws(BackendError) in name })
        }
        var found: [(backendID: Int64, value: String)] = []
        try work.sort(names, into: &found, &failures)
        return found.compactMap { backendID, name in
            grants.first { $0.backendID == backendID }.map { grant in
                let place = UploadPlace(
                    uploadID: upload.id, backendID: backendID, bucketID: upload.bucketID, physicalBucket: name,
                    physicalKey: key)
                return (place, grant)
            }
        }
    }

    private func open(_ upload: Upload, _ opened: [(backendID: Int64, value: String)]) throws(S3Error) {
        let now = Timestamp.now()
        try call.database.write { sql throws(S3Error) in
            for (backendID, nativeID) in opened {
                try sql.setNativeID(nativeID, uploadID: upload.id, backendID: backendID)
            }
            for place in try sql.uploadPlaces(upload.id) where !opened.contains(where: { $0.0 == place.backendID }) {
                try sql.endPlace(place, at: now)
            }
            // Its bucket was deleted in between.
            guard try sql.openUpload(id: upload.id) else { throw S3Error(.noSuchBucket) }
        }
    }

    /// When this fails too, the upload is found by its age.
    private func end(_ upload: Upload) {
        do throws(S3Error) {
            _ = try call.database.write { sql throws(S3Error) in try sql.endUpload(id: upload.id, at: .now()) }
        } catch {
            call.log.warning(
                "a refused upload stays for now", metadata: call.logMetadata(cause: error.cause ?? error.message))
        }
    }

    /// What a store is told at the beginning: everything but what only the completion knows.
    private func description(of upload: Upload) -> ObjectDescription {
        let draft = ObjectVersion(
            id: upload.id, sequence: 0, bucketID: upload.bucketID, key: upload.key, isDeleteMarker: false,
            sizeBytes: 0, eTag: "", lastModified: upload.initiatedAt, storageClass: upload.storageClass,
            headers: upload.headers, isNull: work.bucket.versioning != .enabled, tags: upload.tags)
        return ObjectDescription(
            of: draft, in: work.bucket, tenant: call.tenant, md5: nil, isDraft: true,
            proof: call.world.descriptionProof)
    }

    // MARK: Parts

    /// Sends a part to every place that policy still allows; one that fails is given up while `acknowledge` others
    /// have the part.
    ///
    /// Throws `ServiceUnavailable` when too few took it, `NoSuchUpload` when the upload ended meanwhile, or has lost its
    /// places for good.
    func store(_ content: PartContent, as number: PartNumber, of upload: Upload) throws(S3Error) -> UploadPart {
        let plan = try work.plan(content.sizeBytes)
        let places = try call.database.read { sql throws(S3Error) in try sql.uploadPlaces(upload.id) }
            .filter { $0.state == .open }
        let granted = try work.grants(plan, for: upload, at: places, sizeBytes: content.sizeBytes)
        var failures: [Int64: String] = [:]
        var targets: [(UploadPlace, String, PlacementGrant)] = []
        for place in places {
            if let grant = granted[place.backendID], let nativeID = place.nativeID {
                targets.append((place, nativeID, grant))
            } else {
                failures[place.backendID] = "backend \(place.backendID) may not have the part now"
            }
        }
        let attempts = FanOut.map(targets) { place, nativeID, grant in
            work.attempt(grant.backendID, prepare: { _ throws(S3Error) in }) { live, _ throws(BackendError) in
                let source = try content.reader(for: live)
                let receipt = try live.observe { backend throws(BackendError) in
                    try backend.uploadPart(
                        place.object, uploadID: nativeID, number: number, from: source,
                        sizeBytes: content.sizeBytes, md5: content.md5, grant: grant)
                }
                return Sent(receipt: receipt, checksum: source.checksum)
            }
        }
        var receipts: [(backendID: Int64, value: Sent)] = []
        try work.sort(attempts, into: &receipts, &failures)
        guard let md5 = receipts.first?.value.receipt.md5, receipts.count >= plan.acknowledge else {
            try requireOpen(upload)
            throw work.unavailable(failures)
        }
        guard receipts.allSatisfy({ $0.value.receipt.md5 == md5 }) else {
            throw S3Error(.internalError, cause: "two backends were sent different bytes of a part of \(upload.id)")
        }
        let computed = receipts.first?.value.checksum
        let part = UploadPart(
            number: number, sizeBytes: content.sizeBytes, md5: md5,
            checksum: content.checksum ?? computed, unnamedChecksum: content.checksum == nil ? nil : computed?.value,
            lastModified: .now(),
            tokens: Dictionary(uniqueKeysWithValues: receipts.map { ($0.backendID, $0.value.receipt.token) }))
        try count(part, of: upload, at: places, failures)
        return part
    }

    private struct Sent: Sendable {
        let receipt: PartReceipt
        /// What was computed on the way.
        let checksum: ObjectChecksum?
    }

    private func count(
        _ part: UploadPart, of upload: Upload, at places: [UploadPlace], _ failures: [Int64: String]
    ) throws(S3Error) {
        let isCounted = try call.database.write { sql throws(S3Error) -> Bool in
            let isCounted = try sql.putPart(part, of: upload.id)
            let isEnded = try sql.upload(id: upload.id, bucketID: upload.bucketID, key: upload.key) == nil
            // After the end a part may have come behind the back of the job that cleared the place.
            for place in places where isEnded || (isCounted && failures[place.backendID] != nil) {
                try sql.endPlace(place, at: .now())
            }
            return isCounted
        }
        guard isCounted else { throw S3Error(.noSuchUpload) }
    }

    private func requireOpen(_ upload: Upload) throws(S3Error) {
        let found = try call.database.read { sql throws(S3Error) in
            try sql.upload(id: upload.id, bucketID: upload.bucketID, key: upload.key)
        }
        guard found?.state == .open else { throw S3Error(.noSuchUpload) }
    }
}

/// The bytes of one part, on their way to several backends at once.
struct PartContent: Sendable {
    let sizeBytes: Int64
    /// 16 bytes, when it is known beforehand.
    let md5: [UInt8]?
    let checksum: ObjectChecksum?
    let makeReader: @Sendable () throws(S3Error) -> PayloadReader

    /// Throws `.stopped` when the content itself cannot be had, which is no failure of the backend.
    func reader(for live: LiveBackend) throws(BackendError) -> PayloadReader {
        do throws(S3Error) { return try makeReader() } catch {
            throw BackendError(noContent: error, for: live.name)
        }
    }
}

extension VerifiedPayload {
    /// The part of `upload` that this is.
    func part(of upload: Upload) -> PartContent {
        let isMissing = checksum == nil || upload.checksumAlgorithm == nil && checksum?.algorithm != .unnamed
        let missing = isMissing ? ChecksumAlgorithm.unnamed : nil
        return PartContent(
            sizeBytes: decodedSizeBytes, md5: md5, checksum: checksum,
            makeReader: { () throws(S3Error) in try self.makeReader(computing: missing) })
    }
}
