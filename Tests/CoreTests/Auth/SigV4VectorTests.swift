import Testing

@testable import Core

@Suite struct SigV4VectorTests {
    let authenticator = Authenticator(signingKeys: SigningKeyCache())
    /// Signed for another service, without x-amz-content-sha256, or with a session token: no request to S3, or none
    /// that we accept; the stages of the signature are checked one by one all the same.
    static func isForUs(_ vector: SigV4Vector) -> Bool {
        vector.serviceName == "s3" && vector.kind != "post" && vector.id != "own-session-token"
            && vector.session_token == nil
    }

    @Test func `all vectors are there`() {
        #expect(SigV4Vector.all.count == 68)
        #expect(SigV4Vector.all.filter(Self.isForUs).count >= 50)
    }

    @Test(arguments: SigV4Vector.all.filter { $0.kind != "post" })
    func `canonical request and signature agree`(vector: SigV4Vector) throws {
        var request = try vector.request(signature: vector.signature)
        let list = Array((vector.signed_headers ?? "").utf8)
        let headers = try SignedHeaders(matching: list, with: &request.headers, hoistedCount: 0)
        var canonical = CanonicalRequest(
            method: request.method.text, path: CanonicalRequest.path(request.target.path),
            query: CanonicalRequest.query(request.target.query))
        headers.append(request.headers, to: &canonical)
        canonical.finish(signedHeaders: list, payloadHash: Array((vector.payload_hash ?? "").utf8))
        #expect(Hex.text(Crypto.sha256(canonical.bytes)) == vector.canonical_request_sha256)
        let key = SigningKey(
            secret: vector.secret, date: vector.date.utf8.prefix(8), region: Array(vector.regionName.utf8),
            service: Array(vector.serviceName.utf8))
        let text = StringToSign.request(canonical, date: Array(vector.date.utf8), scope: Array(vector.scope.utf8))
        #expect(key.signature(of: text) == Array(vector.signature.utf8))
    }

    @Test(arguments: SigV4Vector.all.filter(isForUs))
    func `the authenticator accepts it`(vector: SigV4Vector) throws {
        let request = try vector.request(signature: vector.signature)
        let answer = try authenticator.check(request, now: vector.moment, vector.credential)
        guard case .signed(let credential, let payload) = answer else {
            Issue.record("not signed")
            return
        }
        #expect(credential.accessKeyID == vector.accessKey && credential.tenantID == 7)
        switch (payload, vector.payload_hash ?? "") {
        case (.unsigned, "UNSIGNED-PAYLOAD"): break
        case (.hash(let digest), let text): #expect(Hex.text(digest) == text)
        case (.streaming(.some, hasTrailer: false), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"): break
        case (.streaming(.some, hasTrailer: true), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"): break
        case (.streaming(nil, hasTrailer: true), "STREAMING-UNSIGNED-PAYLOAD-TRAILER"): break
        default: Issue.record("\(payload)")
        }
    }

    @Test(arguments: SigV4Vector.all.filter { $0.signature_as_sent != nil })
    func `a signature over the path as sent is good too`(vector: SigV4Vector) throws {
        let request = try vector.request(signature: vector.signature_as_sent ?? "")
        _ = try authenticator.check(request, now: vector.moment, vector.credential)
    }

    @Test(arguments: SigV4Vector.all.filter { $0.signature_reject != nil })
    func `a signature over the query as sent is refused`(vector: SigV4Vector) throws {
        #expect(SigV4Vector.all.contains { $0.signature_reject != nil })
        let request = try vector.request(signature: vector.signature_reject ?? "")
        #expect(
            refusal { try authenticator.check(request, now: vector.moment, vector.credential) }
                == .signatureDoesNotMatch)
    }

    @Test(arguments: SigV4Vector.all.filter { $0.session_token != nil && $0.serviceName == "s3" && $0.kind != "post" })
    func `a session token is never ours`(vector: SigV4Vector) throws {
        let request = try vector.request(signature: vector.signature)
        #expect(refusal { try authenticator.check(request, now: vector.moment, vector.credential) } == .invalidToken)
    }

    @Test(arguments: SigV4Vector.all.filter { $0.kind == "post" })
    func `a form policy is signed alike`(vector: SigV4Vector) throws {
        let key = SigningKey(
            secret: vector.secret, date: vector.date.utf8.prefix(8), region: Array(vector.regionName.utf8))
        #expect(key.signature(of: Array((vector.policy_b64 ?? "").utf8)) == Array(vector.signature.utf8))
    }

    @Test(arguments: SigV4Vector.all.filter(isForUs))
    func `any other signature, secret, method or path is refused`(vector: SigV4Vector) throws {
        for index in 0..<64 {
            var signature = Array(vector.signature)
            signature[index] = signature[index] == "0" ? "1" : "0"
            let request = try vector.request(signature: String(signature))
            #expect(
                refusal { try authenticator.check(request, now: vector.moment, vector.credential) }
                    == .signatureDoesNotMatch)
        }
        for signature in [
            "", String(vector.signature.dropLast()), vector.signature + "0", vector.signature.uppercased(),
        ] {
            guard signature != vector.signature else { continue }
            let request = try vector.request(signature: signature)
            #expect(
                refusal { try authenticator.check(request, now: vector.moment, vector.credential) }
                    == .signatureDoesNotMatch)
        }
        let request = try vector.request(signature: vector.signature)
        let other = Credential(
            accessKeyID: vector.accessKey, secret: vector.secret + [0x61], isActive: true, tenantID: 7)
        #expect(refusal { try authenticator.check(request, now: vector.moment, other) } == .signatureDoesNotMatch)
    }

    @Test(
        arguments: SigV4Vector.all.filter {
            $0.kind == "header" && $0.serviceName == "s3" && $0.signature_reject == nil
        })
    func `our own signer signs the same`(vector: SigV4Vector) throws {
        // The signer signs all headers it is given: leave out what the vector did not sign.
        let signed = (vector.signed_headers ?? "").split(separator: ";").map(String.init)
        let request = try vector.request(signature: vector.signature)
        let host = try #require(request.headers.text("host"))
        let signer = RequestSigner(
            accessKeyID: vector.accessKey, secret: vector.secret, region: vector.regionName)
        let value = signer.sign(
            method: request.method.text, host: host, path: CanonicalRequest.path(request.target.path),
            query: request.target.query.map { ($0.name, $0.value) },
            headers: request.headers.fields.filter { signed.contains($0.name) }.map { ($0.name, $0.value) },
            payloadHash: vector.payload_hash ?? "", at: try vector.moment)
        #expect(Array(value.utf8) == request.headers["authorization"])
    }

    @Test(arguments: ["/", "/bucket/a%20key/with~all-._9", "/bucket/%F0%9F%90%88"])
    func `what signs many requests of a second signs as what signs one`(path: String) {
        let signer = RequestSigner(accessKeyID: "KEY/1", secret: Array("secret".utf8), region: "eu-north-1")
        for seconds: Int64 in [0, 1, 86_399, 86_400, 1_795_392_000] {
            for host in ["one.example", "one.example:9000"] {
                let time = Timestamp(milliseconds: seconds * 1000 + 999)
                let once = signer.sign(
                    method: "GET", host: host, path: Array(path.utf8), query: [], headers: [],
                    payloadHash: Hex.text(Crypto.sha256([])), at: time)
                for _ in 0..<2 {
                    let moment = signer.moment(host: host, at: time)
                    #expect(moment.authorization(method: "GET", path: Array(path.utf8)) == Array(once.utf8))
                    #expect(moment.date == Array(time.iso8601Basic.utf8) && moment.host == Array(host.utf8))
                }
            }
        }
    }
}

/// The code that `body` throws; nil when it does not.
func refusal<T>(_ body: () throws -> T) -> S3Error.Code? {
    do {
        _ = try body()
        return nil
    } catch {
        return (error as? S3Error)?.code
    }
}
