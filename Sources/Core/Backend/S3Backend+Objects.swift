/// Objects of an S3 store.
extension S3Backend {
    package func head(_ object: PhysicalObject) throws(BackendError) -> BackendObjectHead? {
        let call = StoreCall(method: .head, bucket: object.bucket, key: object.key)
        do throws(BackendError) { return try objectHead(try send(call)) } catch {
            guard error.kind == .missing else { throw error }
            return nil
        }
    }

    package func delete(_ object: PhysicalObject) throws(BackendError) {
        do throws(BackendError) {
            _ = try send(StoreCall(method: .delete, bucket: object.bucket, key: object.key))
        } catch {
            guard error.kind == .missing else { throw error }
        }
    }

    private func objectHead(_ head: TransferHead) throws(BackendError) -> BackendObjectHead {
        guard let sizeBytes = head["content-length"].flatMap(DecimalNumber.parse) else {
            throw failure(.damaged, "the answer does not say how long the object is")
        }
        return BackendObjectHead(
            sizeBytes: Int64(sizeBytes), totalBytes: Int64(sizeBytes), eTag: head.eTag, metadata: head.metadata)
    }

    // MARK: Reading

    package func get(
        _ object: PhysicalObject, range: ClosedRange<Int64>?, patience: ReadPatience,
        head accept: (BackendObjectHead) throws(BackendError) -> Void,
        piece: (UnsafeRawBufferPointer) throws(WireClosed) -> Void
    ) throws(BackendError) {
        var call = StoreCall(method: .get, bucket: object.bucket, key: object.key)
        call.duration = .transfer
        call.patience = patience
        if let range { call.headers = [("range", "bytes=\(range.lowerBound)-\(range.upperBound)")] }
        let signedCall = call
        try withoutActuallyEscaping(accept) { accept throws(BackendError) in
            try unsafe withoutActuallyEscaping(piece) { piece throws(BackendError) in
                try unsafe receive(signedCall, range: range, accept, piece)
            }
        }
    }

    private func receive(
        _ call: StoreCall, range: ClosedRange<Int64>?,
        _ accept: @escaping (BackendObjectHead) throws(BackendError) -> Void,
        _ piece: @escaping (UnsafeRawBufferPointer) throws(WireClosed) -> Void
    ) throws(BackendError) {
        let exchange = client.exchange()
        var problem: BackendError?
        var promised: Int64 = 0
        var received: Int64 = 0
        exchange.acceptHead = { [self] answer in
            do throws(BackendError) {
                let head = try checked(answer, range: range)
                promised = head.sizeBytes
                try accept(head)
                return true
            } catch {
                problem = error
                return false
            }
        }
        unsafe exchange.acceptBody = { [self] bytes in
            received += Int64(bytes.count)
            guard received <= promised else {
                problem = failure(.damaged, "more bytes came than the head said")
                return false
            }
            do throws(WireClosed) { try unsafe piece(bytes) } catch {
                problem = failure(.stopped, "the reader went away")
                return false
            }
            return true
        }
        let head: TransferHead
        do throws(BackendError) { head = try send(call, exchange) } catch { throw problem ?? error }
        guard head.isSuccess else { throw refusal(call, head, exchange.errorBody) }
        guard received == promised else {
            throw failure(.short, "\(promised - received) of \(promised) bytes are missing")
        }
    }

    /// Throws unless the answer promises exactly what was asked for.
    private func checked(_ answer: TransferHead, range: ClosedRange<Int64>?) throws(BackendError) -> BackendObjectHead {
        var head = try objectHead(answer)
        guard let range else {
            guard answer.status == 200 else { throw failure(.damaged, "GET answered \(answer.status)") }
            return head
        }
        // rclone 1.75 answers 200 with the range it sends: the field says what comes, the status does not.
        guard answer.status == 206 || (answer.status == 200 && answer["content-range"] != nil) else {
            throw failure(.refused, "the store ignored the range")
        }
        guard let content = answer["content-range"].flatMap(StoreAnswer.contentRange), content.range == range,
            head.sizeBytes == Int64(range.count)
        else { throw failure(.damaged, "the store answered another range") }
        head.totalBytes = content.total
        return head
    }

    // MARK: Writing

    package func put(
        _ object: PhysicalObject, from source: PayloadReader, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt {
        guard grant.backendID == record.id else { throw failure(.refused, "placement granted another backend") }
        return try store(object, from: source, description: description)
    }

    /// `put` for the probe too, whose bytes need no grant.
    func store(
        _ object: PhysicalObject, from source: PayloadReader, description: ObjectDescription
    ) throws(BackendError) -> PutReceipt {
        if let name = description.unstorableField { throw failure(.refused, "metadata cannot be stored: \(name)") }
        guard !object.key.isEmpty else { throw failure(.refused, "a key has at least one byte") }
        var call = StoreCall(method: .put, bucket: object.bucket, key: object.key)
        call.duration = .transfer
        call.bodySizeBytes = description.sizeBytes
        call.payloadHash = description.sha256.map(Hex.text) ?? Self.unsignedPayload
        call.headers = description.packed
        if let md5 = description.md5 { call.headers.append(("content-md5", Base64.text(md5))) }

        let (head, md5) = try upload(call, from: source, description: description)
        try confirm(object, head, md5: md5, sizeBytes: description.sizeBytes)
        return PutReceipt(md5: md5)
    }

    /// Sends a PUT with all of `source` as its body; returns the head of the answer, which is 200, and the MD5 of what
    /// was sent.
    func upload(
        _ call: StoreCall, from source: PayloadReader, description: ObjectDescription
    ) throws(BackendError) -> (head: TransferHead, md5: [UInt8]) {
        let exchange = client.exchange()
        let body = UploadBody(source: source, description: description)
        var document: [UInt8] = []
        unsafe exchange.source = { unsafe body.read(into: $0) }
        exchange.rewind = { body.rewind() }
        unsafe exchange.acceptBody = { piece in
            unsafe document.append(contentsOf: piece)
            return document.count <= TransferExchange.maximumErrorBodyBytes
        }
        let head: TransferHead
        do throws(BackendError) { head = try send(call, exchange) } catch {
            throw body.problem.map { failure($0.kind, $0.cause) } ?? error.asPutFailure
        }
        guard head.isSuccess else { throw refusal(call, head, exchange.errorBody) }
        // AWS: "a 200 OK response can contain valid or invalid XML", for some calls an error document.
        if let code = StoreAnswer.errorCode(document) {
            throw failure(.unavailable, "PUT answered \(head.status) with the error \(code)")
        }
        guard head.status == 200, body.isComplete else {
            throw failure(.unavailable, "PUT answered \(head.status) before it had the whole body")
        }
        return (head, body.md5)
    }

    /// Under SSE-KMS and SSE-C an ETag is no MD5 (Amazon S3 API Reference, "Object", ETag).
    func isEncrypted(_ answer: TransferHead) -> Bool {
        answer.text("x-amz-server-side-encryption")?.hasPrefix("aws:kms") ?? false
            || answer["x-amz-server-side-encryption-customer-algorithm"] != nil
    }

    /// Checks that the store has our bytes: by its ETag where that is an MD5, else by the size it has.
    private func confirm(
        _ object: PhysicalObject, _ answer: TransferHead, md5: [UInt8], sizeBytes: Int64
    ) throws(BackendError) {
        if !isEncrypted(answer), let eTag = answer.eTag, let digest = Hex.decode(eTag.utf8), digest.count == md5.count {
            guard digest == md5 else { throw failure(.damaged, "the store has other bytes than were sent") }
            return
        }
        #if S3GW_PLANTED_BUGS
            if PlantedBug.skipLengthCheck.isOn { return }
        #endif
        guard let stored = try head(object) else {
            throw failure(.damaged, "the store does not have what it confirmed")
        }
        guard stored.sizeBytes == sizeBytes else {
            throw failure(.damaged, "the store has \(stored.sizeBytes) bytes instead of \(sizeBytes)")
        }
    }
}

extension BackendError {
    /// A PUT has no head before its end: a connection that dies then leaves the outcome unknown, and nothing more.
    fileprivate var asPutFailure: BackendError {
        kind == .short || kind == .stopped ? BackendError(.unavailable, backend: backend, cause, isHang: isHang) : self
    }
}

/// The body of one PUT: counts, and computes the MD5 unless it is known.
private final class UploadBody {
    private let source: PayloadReader
    private let sizeBytes: Int64
    private let knownMD5: [UInt8]?
    private var digest = MD5Stream()
    private var sentBytes: Int64 = 0
    /// Why the transfer was stopped.
    private(set) var problem: (kind: BackendError.Kind, cause: String)?

    init(source: PayloadReader, description: ObjectDescription) {
        self.source = source
        sizeBytes = description.sizeBytes
        knownMD5 = description.md5
    }

    var isComplete: Bool { sentBytes == sizeBytes }

    /// 16 bytes; of what was sent.
    var md5: [UInt8] { knownMD5 ?? digest.finish() }

    /// Nil stops the transfer: the source failed, or does not have the bytes that Content-Length promises.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let wanted = Int(min(Int64(buffer.count), sizeBytes - sentBytes))
        guard wanted > 0 else { return 0 }
        do throws(S3Error) {
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
            let count = try unsafe source.read(into: piece)
            guard count > 0 else { return stop("fewer") }
            if knownMD5 == nil { unsafe digest.update(UnsafeRawBufferPointer(rebasing: piece[..<count])) }
            sentBytes += Int64(count)
            // Before the last byte leaves: a longer source must not become a shorter object.
            if isComplete, try hasMore() { return stop("more") }
            return count
        } catch {
            problem = (.stopped, "the source failed: \(error.cause ?? error.code.name)")
            return nil
        }
    }

    private func hasMore() throws(S3Error) -> Bool {
        var failure: S3Error?
        let count = unsafe withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { byte in
            do throws(S3Error) { return try unsafe source.read(into: byte) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return count > 0
    }

    private func stop(_ word: String) -> Int? {
        problem = (.damaged, "the source has \(word) than the \(sizeBytes) bytes it promised")
        return nil
    }

    func rewind() -> Bool {
        source.rewind()
        digest = MD5Stream()
        sentBytes = 0
        return true
    }
}
