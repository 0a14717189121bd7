import Logging

/// CompleteMultipartUpload.
///
/// Everything is checked before a backend is asked; then the backends make the object, unseen; one transaction makes it
/// the key's version. Cut short anywhere, the request can be repeated: a backend that has the object already says so.
/// Source: Amazon S3 API Reference, CompleteMultipartUpload.
enum CompleteUpload {
    static func complete(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let key = try call.key()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let conditions = Conditions(call.request.headers)
        try conditions.checkWriteForm()
        let document = try call.document(
            limitBytes: CompletionDocument.maximumBytes, claimsBody: false)
        let request = try CompletionRequest(document, call.request.headers)
        guard let id = MultipartUploads.id(call) else { throw MultipartUploads.noSuchUpload(call) }
        let found = try call.database.read { sql throws(S3Error) in
            (
                upload: try sql.upload(id: id, bucketID: bucket.id, key: key),
                parts: try sql.uploadParts(id, limit: PartNumber.maximum)
            )
        }
        guard let upload = found.upload else {
            return try repeated(call, request, bucket, key, id)
        }
        let whole = try request.check(against: found.parts, of: upload)
        if conditions.concernWrites {
            let current = try call.database.read { sql throws(S3Error) in
                try sql.currentVersion(bucketID: bucket.id, key: key)
            }
            try conditions.checkWrite(overETag: current?.eTag)
        }
        let completion = Completion(
            call: call, work: try PlacedWork(call, bucket, tags: upload.tags), upload: upload, whole: whole,
            uploaded: found.parts, conditions: conditions)
        do throws(S3Error) {
            return answer(
                call, bucket,
                try completion.run { draft in call.earlyHead?.allow(answer(call, bucket, draft).head) })
        } catch {
            guard error.code == .noSuchUpload else { throw error }
            // Another request may have completed it a moment ago.
            return try repeated(call, request, bucket, key, id)
        }
    }

    /// The same completion again answers the same while its object is the key's current version.
    private static func repeated(
        _ call: Call, _ request: CompletionRequest, _ bucket: Bucket, _ key: ObjectKey, _ id: VersionID
    ) throws(S3Error) -> Answer {
        let current = try call.database.read { sql throws(S3Error) in
            try sql.currentVersion(bucketID: bucket.id, key: key)
        }
        guard let current, current.id == id, current.eTag == request.eTag else {
            throw MultipartUploads.noSuchUpload(call)
        }
        return answer(call, bucket, current)
    }

    private static func answer(_ call: Call, _ bucket: Bucket, _ version: ObjectVersion) -> Answer {
        var xml = XMLWriter()
        xml.openRoot("CompleteMultipartUploadResult")
        let host = call.request.headers["host"] ?? []
        let scheme = call.request.isHTTPS ? "https://" : "http://"
        xml.element("Location", Array(scheme.utf8) + host + call.request.target.rawPath)
        xml.element("Bucket", bucket.name.text)
        xml.element("Key", version.key.bytes)
        xml.element("ETag", "\"\(version.eTag)\"")
        if let checksum = version.checksum {
            xml.element(checksum.algorithm.elementName, checksum.base64)
            xml.element("ChecksumType", checksum.type.rawValue)
        }
        xml.close("CompleteMultipartUploadResult")
        var answer = Answer(call, document: xml)
        answer.head.addVersionID(of: version, in: bucket)
        answer.head.addExpiration(of: version, in: bucket, call)
        return answer
    }
}

/// The work of one completion, after all that can be refused was refused.
struct Completion {
    let call: Call
    let work: PlacedWork
    let upload: Upload
    let whole: CompletionRequest.Whole
    /// Every part there is, named or not.
    let uploaded: [UploadPart]
    let conditions: Conditions

    /// Returns the version that the upload became.
    ///
    /// `takesTime` is called with the version to be before backends are asked.
    ///
    /// Throws `NoSuchUpload` when the upload has ended, `OperationAborted` while it is being completed with other parts,
    /// `ServiceUnavailable` when too few backends made the object; it may be tried again then.
    func run(takesTime: (ObjectVersion) -> Void) throws(S3Error) -> ObjectVersion {
        try begin()
        let places = try call.database.read { sql throws(S3Error) in try sql.uploadPlaces(upload.id) }
        let plan = try work.plan(whole.sizeBytes, avoiding: [:])
        let grants = try work.grants(
            plan, for: upload, at: places.filter { $0.state == .open }, sizeBytes: whole.sizeBytes)
        let version = version()
        takesTime(version)
        let native = FanOut.map(usable(places, Set(grants.keys))) { place, nativeID in
            let object = NativeObject(
                parts: nativeParts(on: place.backendID), eTag: whole.eTag, description: description(of: version))
            let rejoined = rejoined(version, at: place, nativeID, grants[place.backendID])
            return work.ask(place.backendID, prepare: { _ in }) { backend, _ throws(BackendError) in
                do throws(BackendError) {
                    try backend.completeUpload(place.object, uploadID: nativeID, as: object)
                } catch {
                    guard let rejoined, error.kind == .refused || error.kind == .damaged else { throw error }
                    try rejoined.complete(on: backend)
                }
            }
        }
        var failures: [Int64: String] = [:]
        var made: [(backendID: Int64, value: Void)] = []
        try work.sort(native, into: &made, &failures)
        guard made.count >= plan.acknowledge else {
            if made.isEmpty, !native.isEmpty, native.allSatisfy(Self.isRefused) { try reopen() }
            throw work.unavailable(failures)
        }
        let madeOn = Set(made.map(\.backendID))
        let present = places.filter { madeOn.contains($0.backendID) }
        return try commit(version, present, plan, places)
    }

    private static func isRefused(_ attempt: PlacedWork.Attempt<Void>) -> Bool {
        if case .failed(_, let error) = attempt { return error.kind == .refused }
        return false
    }

    /// The other way to the object when parts are left out; nil when every part is named.
    private func rejoined(
        _ version: ObjectVersion, at place: UploadPlace, _ nativeID: String, _ grant: PlacementGrant?
    ) -> RejoinedUpload? {
        guard let grant else { return nil }
        let sent = uploaded.filter { $0.tokens[place.backendID] != nil }
        guard sent.count > whole.parts.count else { return nil }
        return RejoinedUpload(
            version: version, whole: whole, uploaded: sent, place: place, nativeID: nativeID,
            description: description(of: version), grant: grant, spoolDirectory: call.world.spoolDirectory)
    }

    /// Every store said no, and none has the object: the upload goes on, and the client is told what it can do.
    private func reopen() throws(S3Error) -> Never {
        let named = Set(whole.parts.map(\.number))
        let leavesOut = try call.database.write { sql throws(S3Error) -> Bool in
            try sql.reopenUpload(id: upload.id, eTag: whole.eTag)
            return try sql.uploadParts(upload.id, limit: PartNumber.maximum).contains { !named.contains($0.number) }
        }
        guard leavesOut else { throw S3Error(.invalidPart) }
        throw S3Error(.notImplemented, "A backend cannot complete an upload without all of its parts.")
    }

    private func begin() throws(S3Error) {
        let hasBegun = try call.database.write { sql throws(S3Error) -> Bool? in
            if try sql.beginCompletion(id: upload.id, eTag: whole.eTag) {
                // A part uploaded again after it was looked at is another part.
                let parts = try sql.uploadParts(upload.id, limit: PartNumber.maximum)
                let isSame = whole.parts.allSatisfy { part in parts.contains { $0 == part } }
                guard isSame else { throw S3Error(.invalidPart) }
                return true
            }
            return try sql.upload(id: upload.id, bucketID: upload.bucketID, key: upload.key) == nil ? nil : false
        }
        guard let hasBegun else { throw MultipartUploads.noSuchUpload(call) }
        guard hasBegun else { throw S3Error(.operationAborted) }
    }

    /// The places that have all parts and may still have them.
    private func usable(_ places: [UploadPlace], _ allowed: Set<Int64>) -> [(UploadPlace, String)] {
        places.compactMap { place in
            guard place.state == .open, allowed.contains(place.backendID), let nativeID = place.nativeID,
                whole.parts.allSatisfy({ $0.tokens[place.backendID] != nil })
            else { return nil }
            return (place, nativeID)
        }
    }

    private func nativeParts(on backendID: Int64) -> [NativePart] {
        whole.parts.compactMap { part in
            part.tokens[backendID].map { NativePart(number: part.number, token: $0, sizeBytes: part.sizeBytes) }
        }
    }

    private func version() -> ObjectVersion {
        ObjectVersion(
            id: upload.id, sequence: 0, bucketID: upload.bucketID, key: upload.key, isDeleteMarker: false,
            sizeBytes: whole.sizeBytes, eTag: whole.eTag, lastModified: .now(), storageClass: upload.storageClass,
            checksum: whole.checksum, headers: upload.headers, isNull: work.bucket.versioning != .enabled,
            tags: upload.tags)
    }

    private func description(of version: ObjectVersion) -> ObjectDescription {
        ObjectDescription(
            of: version, in: work.bucket, tenant: call.tenant, md5: nil, proof: call.world.descriptionProof)
    }

    // MARK: Commit

    private func commit(
        _ version: ObjectVersion, _ present: [UploadPlace], _ plan: Plan, _ places: [UploadPlace]
    ) throws(S3Error) -> ObjectVersion {
        let madeOn = Set(present.map(\.backendID))
        let missing = (plan.grants + plan.pendingUnhealthy).filter { !madeOn.contains($0.backendID) }
        let new = NewVersion(
            version: version,
            present: present.map { place in
                Replica(
                    versionID: upload.id, backendID: place.backendID, physicalBucket: place.physicalBucket,
                    physicalKey: place.physicalKey, state: .present)
            },
            pending: missing.map { grant in
                Replica(
                    versionID: upload.id, backendID: grant.backendID, physicalBucket: "",
                    physicalKey: PhysicalKey.makeCopy(upload.key, upload.id), state: .pending)
            })
        do throws(S3Error) {
            return try call.database.write { sql throws(S3Error) in
                guard try sql.isCompleting(id: upload.id, eTag: whole.eTag) else { throw S3Error(.noSuchUpload) }
                // A place that was given up meanwhile is being cleared: its object may not become a replica.
                let open = try sql.uploadPlaces(upload.id).filter { $0.state == .open }.map(\.backendID)
                guard madeOn.isSubset(of: open) else {
                    throw S3Error(.serviceUnavailable, cause: "a place of the upload was given up meanwhile")
                        .header("Retry-After", "1")
                }
                let committed = try sql.commitPut(new) { current throws(S3Error) in
                    try conditions.checkWrite(overETag: current?.eTag)
                }
                try sql.insertVersionParts(whole.versionParts, of: committed.sequence)
                try sql.endUpload(id: upload.id, completed: madeOn, at: .now())
                return committed
            }
        } catch {
            if error.code.status < 500 { try clear(present) }
            throw error
        }
    }

    /// After a refusal, which is certain, no version will come of what the backends made: it is ended, as after an abort.
    ///
    /// When another request completed it first, the places are replicas now, and their jobs will leave them alone.
    private func clear(_ present: [UploadPlace]) throws(S3Error) {
        try call.database.write { sql throws(S3Error) in
            try sql.endUpload(id: upload.id, at: .now())
            for place in present { try sql.endPlace(place, at: .now()) }
        }
    }
}
