/// Completes an upload that leaves parts out, on a store that wants every uploaded part named: radosgw does, AWS drops them.
///
/// Parts of a running upload cannot be read. So the store makes an object of all parts, unseen under the version's own key;
/// then the named ones are sent again out of that object, as a second upload of that key, which replaces it. Cut short
/// anywhere it may be repeated: the object's ETag tells how far it came. What cannot be done is a small part that is named
/// and not the last one of all, for no store makes an object of it.
struct RejoinedUpload: Sendable {
    let version: ObjectVersion
    /// The parts that are named.
    let whole: CompletionRequest.Whole
    /// All parts that this store was sent.
    let uploaded: [UploadPart]
    let place: UploadPlace
    let nativeID: String
    let description: ObjectDescription
    let grant: PlacementGrant
    let spoolDirectory: String

    /// What stands in for a part that is left out and that the store would find too small in the middle.
    private static let fillerBytes = Int(CompletionRequest.minimumPartBytes)
    private static let fillerMD5 = Crypto.md5([UInt8](repeating: 0, count: fillerBytes))

    private struct Joined {
        let part: UploadPart
        let isFiller: Bool
        var sizeBytes: Int64 { isFiller ? Int64(RejoinedUpload.fillerBytes) : part.sizeBytes }
        var md5: [UInt8] { isFiller ? RejoinedUpload.fillerMD5 : part.md5 }
    }

    /// Returns when the object is there as it has to be.
    ///
    /// Throws `.refused` while nothing was changed, so that the upload can go on, and `.unavailable` afterwards.
    func complete(on backend: any Backend) throws(BackendError) {
        let named = Set(whole.parts.map(\.number))
        let last = uploaded.last?.number
        let joined = uploaded.map { part in
            let isTooSmall = part.number != last && part.sizeBytes < Self.fillerBytes
            return Joined(part: part, isFiller: isTooSmall && !named.contains(part.number))
        }
        guard joined.dropLast().allSatisfy({ $0.sizeBytes >= Self.fillerBytes }) else {
            throw BackendError(.refused, backend: backend.record.name, "a part that is named is too small to join")
        }
        try join(joined, on: backend)
        do throws(BackendError) { try replace(joined, on: backend) } catch {
            throw BackendError(.unavailable, backend: error.backend, error.cause, isHang: error.isHang)
        }
    }

    private func join(_ joined: [Joined], on backend: any Backend) throws(BackendError) {
        let eTag = MultipartETag.make(md5s: joined.map(\.md5))
        // An earlier attempt got that far.
        if let found = try backend.head(place.object), found.eTag == eTag { return }
        var parts: [NativePart] = []
        var isChanged = false
        do throws(BackendError) {
            for each in joined {
                guard each.isFiller else {
                    guard let token = each.part.tokens[place.backendID] else { continue }
                    parts.append(NativePart(number: each.part.number, token: token, sizeBytes: each.sizeBytes))
                    continue
                }
                isChanged = true
                parts.append(try fill(each.part.number, on: backend))
            }
            var all = description
            all.sizeBytes = joined.reduce(0) { $0 + $1.sizeBytes }
            try backend.completeUpload(
                place.object, uploadID: nativeID, as: NativeObject(parts: parts, eTag: eTag, description: all))
        } catch {
            guard isChanged else { throw error }
            throw BackendError(.unavailable, backend: error.backend, error.cause, isHang: error.isHang)
        }
    }

    private func fill(_ number: PartNumber, on backend: any Backend) throws(BackendError) -> NativePart {
        let zeros = try spooled(backend) { spool throws(S3Error) in
            let piece = [UInt8](repeating: 0, count: Self.fillerBytes)
            var failure: S3Error?
            unsafe piece.withUnsafeBytes { bytes in
                do throws(S3Error) { try unsafe spool.append(bytes) } catch { failure = error }
            }
            if let failure { throw failure }
        }
        return try send(zeros, as: number, nativeID, md5: Self.fillerMD5, to: backend)
    }

    private func replace(_ joined: [Joined], on backend: any Backend) throws(BackendError) {
        let second = try backend.createUpload(place.object, description: description, grant: grant)
        var starts: [PartNumber: Int64] = [:]
        var offset: Int64 = 0
        for each in joined {
            starts[each.part.number] = offset
            offset += each.sizeBytes
        }
        var parts: [NativePart] = []
        for part in whole.versionParts {
            let spool = try fetch(part, at: starts[part.number] ?? 0, from: backend)
            parts.append(try send(spool, as: part.number, second, md5: part.md5, to: backend))
        }
        try backend.completeUpload(
            place.object, uploadID: second,
            as: NativeObject(parts: parts, eTag: whole.eTag, description: description))
        // Of another attempt that was cut short; this one has ended.
        try backend.abortUploads(place.object, uploadID: nil)
    }

    private func fetch(
        _ part: VersionPart, at offset: Int64, from backend: any Backend
    ) throws(BackendError) -> SpoolFile {
        let spool = try spooled(backend) { _ throws(S3Error) in }
        guard part.sizeBytes > 0 else { return spool }
        var check = ContentCheck(part, of: version, needsMD5: false)
        var failure: S3Error?
        do throws(BackendError) {
            try unsafe backend.get(
                place.object, range: offset...(offset + part.sizeBytes - 1), head: { _ throws(BackendError) in },
                piece: { piece throws(WireClosed) in
                    unsafe check.update(piece)
                    do throws(S3Error) { try unsafe spool.append(piece) } catch {
                        failure = error
                        throw WireClosed()
                    }
                })
        } catch {
            throw failure.map { BackendError(.stopped, backend: backend.record.name, $0.cause ?? $0.message) } ?? error
        }
        if let problem = check.problem { throw BackendError(.damaged, backend: backend.record.name, problem) }
        return spool
    }

    private func send(
        _ spool: SpoolFile, as number: PartNumber, _ uploadID: String, md5: [UInt8], to backend: any Backend
    ) throws(BackendError) -> NativePart {
        let reader: PayloadReader
        do throws(S3Error) { reader = try spool.makeReader() } catch {
            throw BackendError(.stopped, backend: backend.record.name, error.cause ?? error.message)
        }
        let receipt = try backend.uploadPart(
            place.object, uploadID: uploadID, number: number, from: reader, sizeBytes: spool.sizeBytes, md5: md5,
            grant: grant)
        return NativePart(number: number, token: receipt.token, sizeBytes: spool.sizeBytes)
    }

    private func spooled(
        _ backend: any Backend, _ write: (SpoolFile) throws(S3Error) -> Void
    ) throws(BackendError) -> SpoolFile {
        do throws(S3Error) {
            let spool = try SpoolFile(in: spoolDirectory)
            try write(spool)
            return spool
        } catch {
            throw BackendError(.stopped, backend: backend.record.name, error.cause ?? error.message)
        }
    }
}
