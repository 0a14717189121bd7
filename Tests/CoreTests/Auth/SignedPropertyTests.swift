import Testing

@testable import Core

/// What a good signer signs passes; whatever differs in one signed bit does not.
@Suite struct SignedPropertyTests {
    let authenticator = Authenticator(signingKeys: SigningKeyCache())

    /// A chunked body, signed chunk by chunk, of random content in random chunks.
    func signedBody(
        _ content: [UInt8], _ signing: ChunkSigning, trailer: Bool, using generator: inout SeededGenerator
    ) -> [UInt8] {
        var body: [UInt8] = []
        var previous = signing.seedSignature
        var rest = content[...]
        func sign(_ text: [UInt8]) -> [UInt8] {
            previous = signing.key.signature(of: text)
            return previous
        }
        while true {
            let size = rest.count <= 8192 ? rest.count : Int.random(in: 8192...rest.count, using: &generator)
            let data = Array(rest.prefix(size))
            rest = rest.dropFirst(size)
            let text = StringToSign.chunk(
                date: signing.date, scope: signing.scope, previous: previous, digest: Crypto.sha256(data))
            body += Array("\(String(size, radix: 16));chunk-signature=".utf8) + sign(text) + [13, 10] + data
            if size == 0 { break }
            body += [13, 10]
        }
        if trailer {
            var stream = ChecksumStream(.crc64nvme)
            unsafe content.withUnsafeBytes { unsafe stream.update($0) }
            let line = Array("x-amz-checksum-crc64nvme:\(stream.finish().base64)".utf8)
            let text = StringToSign.trailer(
                date: signing.date, scope: signing.scope, previous: previous, trailers: line + [10])
            body += line + Array("\r\nx-amz-trailer-signature:".utf8) + sign(text) + [13, 10]
        }
        return body + [13, 10]
    }

    @Test(arguments: 0..<24)
    func `signed chunks of any sizes verify and read back, and not with a bit changed`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let size = seed % 4 == 0 ? seed : Int.random(in: 0..<60_000, using: &generator)
        let content = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let hasTrailer = seed % 2 == 0
        let mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + (hasTrailer ? "-TRAILER" : "")
        var headers = [("x-amz-decoded-content-length", String(size))]
        if hasTrailer { headers.append(("x-amz-trailer", "x-amz-checksum-crc64nvme")) }
        let head = try SignedRequest(headers: headers, payloadHash: mode).byHeader()
        let answer = try authenticator.check(head, now: SignedRequest.now, SignedRequest.credential)
        guard case .streaming(let signing?, _) = answer.payload else {
            Issue.record("not a signed stream")
            return
        }
        let body = signedBody(content, signing, trailer: hasTrailer, using: &generator)
        func verify(_ body: [UInt8]) throws -> VerifiedPayload {
            let request = try SignedRequest(headers: headers, payloadHash: mode, body: .memory(body)).byHeader()
            return try PayloadVerifier.verify(request, mode: answer.payload, wantMD5: true)
        }
        let payload = try verify(body)
        #expect(try payload.bytes(atMost: size) == content)
        #expect(payload.md5 == Crypto.md5(content))
        for _ in 0..<12 {
            var broken = body
            let place = Int.random(in: body.indices, using: &generator)
            broken[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            if PayloadTests.meansTheSame(broken, body, at: place) { continue }
            #expect(throws: S3Error.self, "byte \(place)") { try verify(broken) }
        }
        // Two chunks swapped, or one left out, keep every signature and still fail.
        #expect(throws: S3Error.self) { try verify(Array(body.dropLast(2))) }
        #expect(throws: S3Error.self) { try verify(body + body) }
    }

    @Test(arguments: SigV4Vector.all.filter { $0.kind == "header" && SigV4VectorTests.isForUs($0) })
    func `a change of any signed byte of the head is refused`(vector: SigV4Vector) throws {
        let good = try vector.request(signature: vector.signature)
        func isAccepted(_ request: HTTPRequest) -> Bool {
            refusal { try authenticator.check(request, now: vector.moment, vector.credential) } == nil
        }
        #expect(isAccepted(good))
        for name in (vector.signed_headers ?? "").split(separator: ";").map(String.init) {
            let value = try #require(good.headers[name])
            for place in value.indices where value[place] != 0x20 && value[place] != 0x09 {
                var changed = value
                changed[place] ^= 0x01
                #expect(!isAccepted(try with(good, name, changed)), "\(name) byte \(place)")
            }
            #expect(!isAccepted(try with(good, name, value + [0x78])))
        }
        for raw in [good.target.rawPath + [0x78], good.target.rawPath + Array("?x".utf8)] {
            let query = good.target.rawQuery.isEmpty || raw.contains(0x3F) ? [] : [0x3F] + good.target.rawQuery
            #expect(!isAccepted(try with(good, target: raw + query)))
        }
    }

    private func with(_ request: HTTPRequest, _ name: String, _ value: [UInt8]) throws -> HTTPRequest {
        var copy = request
        copy.headers = HeaderFields()
        for field in request.headers.fields {
            try copy.headers.add(field.name, field.name == name ? value : field.value)
        }
        return copy
    }

    private func with(_ request: HTTPRequest, target: [UInt8]) throws -> HTTPRequest {
        HTTPRequest(
            id: request.id, method: request.method, target: try RequestTarget(parsing: target),
            headers: request.headers,
            body: request.body, site: request.site, isHTTPS: true, remoteAddress: "127.0.0.1",
            receivedAt: request.receivedAt)
    }
}
