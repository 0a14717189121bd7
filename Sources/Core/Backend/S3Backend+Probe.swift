/// Finding out what a store can do, by doing it (DESIGN.md 7).
extension S3Backend {
    /// Makes a bucket `s3gw-probe-…`, tries each ability on an object in it, and removes both, whatever happened.
    ///
    /// Throws what a real use of the store would throw: bad credentials, no reach, no right to make buckets.
    package func probe() throws(BackendError) -> BackendAbilities {
        let bucket = "s3gw-probe-\(Hex.text(Crypto.randomBytes(8)))"
        guard try createBucket(bucket) == .created else { throw failure(.conflict, "the probe's bucket exists") }
        var abilities: BackendAbilities
        do throws(BackendError) { abilities = try measure(in: bucket) } catch {
            do throws(BackendError) { try removeProbe(bucket) } catch let second {
                throw failure(error.kind, "\(error.cause); and the probe's bucket \(bucket) stays: \(second.cause)")
            }
            throw error
        }
        try removeProbe(bucket)
        abilities.probedAtMilliseconds = Timestamp.now().milliseconds
        return abilities
    }

    /// A bucket that nobody needs to have: a store that says so has read our signature.
    private static let checkedBucket = "s3gw-health-check"
    private static let strangerCodes: Set<String> = [
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "InvalidToken", "ExpiredToken",
    ]

    package func check() throws(BackendError) {
        var call = StoreCall(method: .get, bucket: Self.checkedBucket)
        call.query = [("list-type", [0x32]), ("max-keys", [0x31])]
        let exchange = client.exchange()
        exchange.answerMilliseconds = Int64(client.deadlines.firstByteMilliseconds)
        let head = try send(call, exchange)
        if head.isSuccess { return }
        let answer = refusal(call, head, exchange.errorBody)
        let isStranger = StoreAnswer.errorCode(exchange.errorBody).map(Self.strangerCodes.contains) ?? false
        guard answer.kind == .missing || answer.kind == .refused, !isStranger else {
            throw failure(.unavailable, answer.cause)
        }
    }

    private static let content = Array("0123456789".utf8)
    private static let other = Array("abcdefghij".utf8)

    private func measure(in bucket: String) throws(BackendError) -> BackendAbilities {
        let object = PhysicalObject(bucket: bucket, key: Array("probe/a b+ä".utf8))
        let field = HeaderField(name: "s3gw-probe", value: Array("a%20b".utf8))
        try store(Self.content, object, metadata: [field])
        let call = StoreCall(method: .head, bucket: bucket, key: object.key)
        let answer = try send(call)
        guard try list(bucket, after: nil, limit: 2).map(\.key) == [object.key] else {
            throw failure(.refused, "the store does not list a key as it was given")
        }
        var read: [UInt8] = []
        try unsafe get(object, range: nil) { _ in
        } piece: {
            unsafe read.append(contentsOf: $0)
        }
        guard read == Self.content else { throw failure(.damaged, "what was stored does not come back") }

        let wrongMD5 = ("content-md5", Base64.text(Crypto.md5(Self.other)))
        let wrongCRC32 = ("x-amz-checksum-crc32", Base64.text([0, 0, 0, 1]))
        let right = try status(ofGet: object, ifMatch: Crypto.md5(Self.content))
        let wrong = try status(ofGet: object, ifMatch: Crypto.md5(Self.other))
        return BackendAbilities(
            conditionalPut: [409, 412].contains(try status(ofPut: object.key, bucket, ("if-none-match", "*"))),
            checksums: try status(ofPut: [0x63], bucket, wrongCRC32) == 400,
            contentMD5: try status(ofPut: [0x6D], bucket, wrongMD5) == 400,
            ranges: try readsRanges(object),
            conditionalGet: right == 200 && wrong == 412,
            userMetadata: answer.metadata == [field],
            server: Self.word(answer.text("server")), probedAtMilliseconds: 0)
    }

    private func store(
        _ content: [UInt8], _ object: PhysicalObject, metadata: [HeaderField]
    ) throws(BackendError) {
        let source: PayloadReader
        do throws(S3Error) { source = try PayloadReader(plain: .memory(content)) } catch {
            throw failure(.stopped, error.cause ?? error.code.name)
        }
        let description = ObjectDescription(
            sizeBytes: Int64(content.count), md5: nil, sha256: nil, metadata: metadata)
        _ = try store(object, from: source, description: description)
    }

    /// Returns the status of a PUT with one more header; throws when the store is out of order.
    private func status(
        ofPut key: [UInt8], _ bucket: String, _ header: (String, String)
    ) throws(BackendError) -> Int {
        var call = StoreCall(method: .put, bucket: bucket, key: key)
        call.headers = [(name: header.0, value: header.1)]
        call.payloadHash = Hex.text(Crypto.sha256(Self.content))
        call.bodySizeBytes = Int64(Self.content.count)
        let exchange = client.exchange()
        exchange.send(Self.content)
        let head = try send(call, exchange)
        let answer = refusal(call, head, exchange.errorBody)
        if !head.isSuccess, answer.kind == .unavailable { throw answer }
        return head.status
    }

    private func status(ofGet object: PhysicalObject, ifMatch md5: [UInt8]) throws(BackendError) -> Int {
        var call = StoreCall(method: .get, bucket: object.bucket, key: object.key)
        call.headers = [(name: "if-match", value: "\"\(Hex.text(md5))\"")]
        let exchange = client.exchange()
        let head = try send(call, exchange)
        let answer = refusal(call, head, exchange.errorBody)
        if !head.isSuccess, answer.kind == .unavailable { throw answer }
        return head.status
    }

    private func readsRanges(_ object: PhysicalObject) throws(BackendError) -> Bool {
        var read: [UInt8] = []
        do throws(BackendError) {
            try unsafe get(object, range: 2...5) { _ in
            } piece: {
                unsafe read.append(contentsOf: $0)
            }
        } catch {
            guard error.kind == .refused || error.kind == .damaged || error.kind == .short else { throw error }
            return false
        }
        return read == Array(Self.content[2...5])
    }

    private func removeProbe(_ bucket: String) throws(BackendError) {
        for entry in try list(bucket, after: nil, limit: 10) {
            try delete(PhysicalObject(bucket: bucket, key: entry.key))
        }
        try deleteBucket(bucket)
    }

    private static let longestServerWord = 64

    private static func word(_ server: String?) -> String {
        guard let server, !server.isEmpty else { return "unknown" }
        return String(
            decoding: server.utf8.filter { (0x20...0x7E).contains($0) }.prefix(longestServerWord), as: UTF8.self)
    }
}
