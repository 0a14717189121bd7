/// Multipart uploads of an S3 store.
///
/// Source: Amazon S3 API Reference, CreateMultipartUpload, UploadPart, CompleteMultipartUpload, AbortMultipartUpload and
/// ListMultipartUploads.
extension S3Backend {
    package func createUpload(
        _ object: PhysicalObject, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> String {
        guard grant.backendID == record.id else { throw failure(.refused, "placement granted another backend") }
        if let name = description.unstorableField { throw failure(.refused, "metadata cannot be stored: \(name)") }
        var call = StoreCall(method: .post, bucket: object.bucket, key: object.key, query: [("uploads", [])])
        call.headers = description.packed
        let (head, document) = try exchangeDocument(call, body: [])
        guard let id = StoreAnswer.uploadID(document) else {
            throw failure(.unavailable, "CreateMultipartUpload answered \(head.status) without an upload id")
        }
        return id
    }

    package func uploadPart(
        _ object: PhysicalObject, uploadID: String, number: PartNumber, from source: PayloadReader, sizeBytes: Int64,
        md5: [UInt8]?, grant: PlacementGrant
    ) throws(BackendError) -> PartReceipt {
        guard grant.backendID == record.id else { throw failure(.refused, "placement granted another backend") }
        var call = StoreCall(
            method: .put, bucket: object.bucket, key: object.key,
            query: [("partNumber", Array("\(number.value)".utf8)), ("uploadId", Array(uploadID.utf8))])
        call.duration = .transfer
        call.bodySizeBytes = sizeBytes
        call.payloadHash = Self.unsignedPayload
        if let md5 { call.headers.append(("content-md5", Base64.text(md5))) }
        let (head, sent) = try upload(
            call, from: source,
            description: ObjectDescription(sizeBytes: sizeBytes, md5: md5, sha256: nil, metadata: []))
        guard let token = head.eTag, StoreAnswer.isWord(token) else {
            throw failure(.damaged, "the store confirmed a part without an ETag")
        }
        if !isEncrypted(head), let digest = Hex.decode(token.utf8), digest.count == sent.count, digest != sent {
            throw failure(.damaged, "the store has other bytes than were sent")
        }
        return PartReceipt(md5: sent, token: token)
    }

    /// Whatever the answer, or none: the object under its unique key tells whether the upload was completed.
    package func completeUpload(
        _ object: PhysicalObject, uploadID: String, as whole: NativeObject
    ) throws(BackendError) {
        var writer = XMLWriter(reserving: 128 + whole.parts.count * 112)
        writer.openRoot("CompleteMultipartUpload")
        for part in whole.parts {
            writer.open("Part")
            writer.element("PartNumber", part.number.value)
            writer.element("ETag", "\"\(part.token)\"")
            writer.close("Part")
        }
        writer.close("CompleteMultipartUpload")
        var call = StoreCall(
            method: .post, bucket: object.bucket, key: object.key, query: [("uploadId", Array(uploadID.utf8))])
        call.duration = .long
        call.headers = [("content-type", "application/xml")]
        let doubt: BackendError
        do throws(BackendError) {
            let (head, document) = try exchangeDocument(call, body: writer.bytes)
            if let eTag = StoreAnswer.completedETag(document), eTag == whole.eTag { return }
            doubt = failure(.unavailable, "CompleteMultipartUpload answered \(head.status) and no ETag of ours")
        } catch {
            doubt = error
        }
        try confirm(object, whole, doubt)
    }

    /// Throws `doubt` when the object is not there, `.damaged` when it is another one.
    private func confirm(
        _ object: PhysicalObject, _ whole: NativeObject, _ doubt: BackendError
    ) throws(BackendError) {
        let found: BackendObjectHead?
        do throws(BackendError) { found = try head(object) } catch {
            // Whatever the answer was, without a look nobody knows what came of it.
            throw failure(.unavailable, "\(doubt.cause); and then \(error.cause)")
        }
        guard let stored = found else { throw doubt }
        guard stored.sizeBytes == whole.description.sizeBytes else {
            throw failure(.damaged, "the store has \(stored.sizeBytes) bytes of \(whole.description.sizeBytes)")
        }
        // An ETag of our form tells more than the size: two attempts with other parts may be of one size.
        if let eTag = stored.eTag, MultipartETag.split(eTag) != nil, eTag != whole.eTag {
            throw failure(.damaged, "the store completed the upload with other parts")
        }
    }

    package func abortUploads(_ object: PhysicalObject, uploadID: String?) throws(BackendError) {
        var ids = Set(uploadID.map { [$0] } ?? [])
        do throws(BackendError) { ids.formUnion(try openUploads(of: object)) } catch {
            switch error.kind {
            case .missing: return
            // A store that cannot list uploads: the id we know has to do.
            case .refused where uploadID != nil: break
            default: throw error
            }
        }
        for id in ids.sorted() {
            let call = StoreCall(
                method: .delete, bucket: object.bucket, key: object.key, query: [("uploadId", Array(id.utf8))])
            do throws(BackendError) { _ = try send(call) } catch {
                guard error.kind == .missing else { throw error }
            }
        }
    }

    package func listUploads(
        _ bucket: String, after: BackendUpload?, limit: Int
    ) throws(BackendError) -> [BackendUpload] {
        var call = StoreCall(method: .get, bucket: bucket)
        call.query = [
            ("encoding-type", Array("url".utf8)), ("max-uploads", Array("\(min(limit, Self.largestUploadPage))".utf8)),
            ("uploads", []),
        ]
        if let after {
            call.query.append(("key-marker", after.key))
            call.query.append(("upload-id-marker", Array(after.uploadID.utf8)))
        }
        let (_, document) = try exchangeDocument(call, body: [])
        do throws(StoreAnswer.Unreadable) { return try StoreAnswer.uploads(document) } catch {
            throw failure(.refused, error.cause)
        }
    }

    /// ListMultipartUploads, max-uploads.
    private static let largestUploadPage = 1000

    /// The key is of one version, and so is every upload under it: also one whose id never reached us.
    private func openUploads(of object: PhysicalObject) throws(BackendError) -> [String] {
        var call = StoreCall(method: .get, bucket: object.bucket)
        call.query = [("encoding-type", Array("url".utf8)), ("prefix", object.key), ("uploads", [])]
        let (_, document) = try exchangeDocument(call, body: [])
        do throws(StoreAnswer.Unreadable) { return try StoreAnswer.uploads(document, of: object.key) } catch {
            throw failure(.refused, error.cause)
        }
    }

    /// Sends `body` and returns a 2xx head with its document; an error document under 200 is thrown like any refusal.
    func exchangeDocument(
        _ call: StoreCall, body: [UInt8]
    ) throws(BackendError) -> (head: TransferHead, document: [UInt8]) {
        var call = call
        call.bodySizeBytes = Int64(body.count)
        call.payloadHash = Hex.text(Crypto.sha256(body))
        let exchange = call.duration == .long ? client.patientExchange() : client.exchange()
        exchange.send(body)
        var document: [UInt8] = []
        unsafe exchange.acceptBody = { piece in
            guard document.count + piece.count <= StoreAnswer.maximumListBytes else { return false }
            unsafe document.append(contentsOf: piece)
            return true
        }
        let head: TransferHead
        do throws(BackendError) { head = try send(call, exchange) } catch {
            throw error.kind == .stopped || error.kind == .short ? failure(.unavailable, error.cause) : error
        }
        guard head.isSuccess else { throw refusal(call, head, exchange.errorBody) }
        // White space may come first, while the store works.
        let trimmed = Array(document.drop { $0 <= 0x20 })
        if let code = StoreAnswer.errorCode(trimmed) {
            let kind: BackendError.Kind =
                code == "NoSuchUpload" ? .missing : StoreAnswer.transientCodes.contains(code) ? .unavailable : .refused
            throw failure(kind, "\(call.method.rawValue) answered \(head.status) with the error \(code)")
        }
        return (head, trimmed)
    }
}
