import Foundation
import Testing

@testable import Core

/// A form in the words of a test, signed as a good server would sign it.
struct TestForm {
    var fields: [(String, String)] = []
    var fileName = "cat.jpg"
    var content = Array("meow".utf8)
    var conditions = #"{"bucket": "photos"}, ["starts-with", "$key", "up/"]"#
    var key = "up/${filename}"
    var signedAt = SignedRequest.now
    var region = SignedRequest.region
    var expires = "2030-01-01T00:00:00Z"
    var site = SiteSettings(region: SignedRequest.region)
    var headers: [(String, String)] = []
    /// What happens to the fields once they are signed.
    var change: ([(String, String)]) -> [(String, String)] = { $0 }

    func version4() throws -> HTTPRequest {
        let date = signedAt.iso8601Basic
        let credential = "AKIATEST/\(date.prefix(8))/\(region)/s3/aws4_request"
        let own = [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"), ("x-amz-credential", credential), ("x-amz-date", date),
        ]
        let named = own.map { "{\"\($0.0)\": \"\($0.1)\"}" }.joined(separator: ", ")
        let policy = policy("\(conditions), \(named)")
        let key = SigningKey(
            secret: SignedRequest.credential.secret, date: date.utf8.prefix(8), region: Array(region.utf8))
        let signature = String(decoding: key.signature(of: Array(policy.utf8)), as: UTF8.self)
        return try request(own + [("Policy", policy), ("X-Amz-Signature", signature)])
    }

    func version2() throws -> HTTPRequest {
        let policy = policy(conditions)
        let code = Crypto.hmacSHA1(key: SignedRequest.credential.secret, message: Array(policy.utf8))
        return try request([("AWSAccessKeyId", "AKIATEST"), ("Policy", policy), ("Signature", Base64.text(code))])
    }

    func policy(_ conditions: String) -> String {
        Base64.text(Array("{\"expiration\": \"\(expires)\", \"conditions\": [\(conditions)]}".utf8))
    }

    func request(_ signing: [(String, String)]) throws -> HTTPRequest {
        var all = HeaderFields()
        let type = [("host", "s3.example.com"), ("content-type", "multipart/form-data; boundary=xYz")]
        for header in type + headers { try all.add(header.0, Array(header.1.utf8)) }
        return HTTPRequest(
            id: RequestID(), method: .post, target: try RequestTarget(parsing: Array("/photos".utf8)), headers: all,
            body: .memory(body(signing)), site: site, isHTTPS: true, remoteAddress: "127.0.0.1",
            receivedAt: SignedRequest.now)
    }

    private func body(_ signing: [(String, String)]) -> [UInt8] {
        var body: [UInt8] = []
        for field in change([("key", key)] + fields + signing) {
            body += MultipartFormTests.part("name=\"\(field.0)\"", Array(field.1.utf8))
        }
        return body + MultipartFormTests.part("name=\"file\"; filename=\"\(fileName)\"", content)
            + MultipartFormTests.end
    }
}

@Suite struct PostFormTests {
    let authenticator = Authenticator(signingKeys: SigningKeyCache())

    func authenticate(
        _ request: HTTPRequest, _ credential: Credential? = SignedRequest.credential
    ) throws -> SignedForm {
        switch try authenticator.check(request, now: SignedRequest.now, credential) {
        case .form(let known, let form):
            #expect(known.accessKeyID == "AKIATEST")
            return form
        case .anonymous: throw S3Error(.accessDenied, "anonymous")
        case .signed: throw S3Error(.internalError)
        }
    }

    func bytes(_ body: RequestBody) throws -> [UInt8] {
        let reader = try PayloadReader(plain: body)
        let buffer = ByteBuffer(sizeBytes: Int(body.sizeBytes) + 1)
        return unsafe Array(buffer.prefix(try unsafe reader.read(into: buffer.bytes)))
    }

    @Test func `a signed form is its fields and its file`() throws {
        let signed = try authenticate(try TestForm().version4())
        try signed.authorize(bucket: try BucketName(validating: Array("photos".utf8)))
        #expect(signed.form["key"] == Array("up/cat.jpg".utf8))
        #expect(try bytes(signed.upload()) == Array("meow".utf8))
    }

    @Test func `a file in a spool file is a part of it, whatever its size`() throws {
        for size in [0, 1, 131_071, 131_072, 400_000] {
            let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 11) }
            var request = try TestForm(content: content).version4()
            guard case .memory(let body) = request.body else { continue }
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("s3gw-\(UUID().uuidString)").path
            try Data(body).write(to: URL(fileURLWithPath: path))
            defer { unsafe unlink(path) }
            request.body = .file(path: path, sizeBytes: Int64(body.count))
            let file = try authenticate(request).upload()
            #expect(file.sizeBytes == Int64(size))
            #expect(try bytes(file) == content)
        }
    }

    @Test func `the published form of AWS is accepted`() throws {
        let vector = try #require(SigV4Vector.all.first { $0.id == "doc-post-policy" })
        let region = vector.regionName
        let fields = [
            ("acl", "public-read"), ("x-amz-meta-uuid", "14365123651274"), ("x-amz-server-side-encryption", "AES256"),
            ("success_action_redirect", "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"),
            ("Content-Type", "image/jpeg"), ("X-Amz-Credential", "\(vector.accessKey)/\(vector.scope)"),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Date", vector.date), ("x-amz-meta-tag", ""),
            ("Policy", vector.policy_b64 ?? ""), ("X-Amz-Signature", vector.signature),
        ]
        let form = TestForm(fields: fields, key: "user/user1/${filename}", site: SiteSettings(region: region))
        let answer = try authenticator.check(try form.request([]), now: vector.moment, vector.credential)
        guard case .form(_, let signed) = answer else {
            Issue.record("not signed")
            return
        }
        try signed.authorize(bucket: try BucketName(validating: Array("sigv4examplebucket".utf8)))
        #expect(
            refusal { try signed.authorize(bucket: try BucketName(validating: Array("another".utf8))) }
                == .accessDenied)
        let late = try vector.moment.adding(seconds: 2 * 86400)
        #expect(
            refusal { try authenticator.check(try form.request([]), now: late, vector.credential) } == .accessDenied)
    }

    @Test(arguments: [
        ("photo.jpg", "photo.jpg"), ("C:\\my photos\\cat.jpg", "cat.jpg"), ("/home/a/cat.jpg", "cat.jpg"), ("", ""),
        ("a/", ""), ("ö.txt", "ö.txt"),
    ])
    func `the file's name stands for the variable`(fileName: String, name: String) throws {
        let form = TestForm(
            fields: [("x-amz-meta-name", "${filename}/${filename}$")], fileName: fileName,
            conditions: #"{"bucket": "photos"}, {"key": "up/\#(name)"}, {"x-amz-meta-name": "\#(name)/\#(name)$"}"#)
        try authenticate(try form.version4()).authorize(bucket: try BucketName(validating: Array("photos".utf8)))
    }

    @Test func `a name that would make much of little is refused`() throws {
        let form = TestForm(
            fields: [("a", String(repeating: "${filename}", count: 900))], fileName: String(repeating: "n", count: 3000)
        )
        #expect(refusal { try authenticate(try form.version4()) } == .maxPostPreDataLengthExceeded)
    }

    @Test func `whatever differs in the signature, the policy or the key is refused`() throws {
        for name in ["X-Amz-Signature", "Policy"] {
            let form = TestForm(change: { fields in
                fields.map { $0.0 == name ? ($0.0, ($0.1.hasPrefix("e") ? "f" : "e") + $0.1.dropFirst()) : $0 }
            })
            #expect(refusal { try authenticate(try form.version4()) } == .signatureDoesNotMatch)
        }
        let other = Credential(accessKeyID: "AKIATEST", secret: [1], isActive: true, tenantID: 1)
        #expect(refusal { try authenticate(try TestForm().version4(), other) } == .signatureDoesNotMatch)
        #expect(refusal { try authenticate(try TestForm().version4(), nil) } == .invalidAccessKeyID)
        let disabled = Credential(
            accessKeyID: "AKIATEST", secret: SignedRequest.credential.secret, isActive: false, tenantID: 1)
        #expect(refusal { try authenticate(try TestForm().version4(), disabled) } == .invalidAccessKeyID)
    }

    @Test(arguments: ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "Policy", "X-Amz-Signature"])
    func `half a signature is a mistake and not an anonymous form`(missing: String) throws {
        let form = TestForm(change: { $0.filter { field in field.0 != missing } })
        #expect(refusal { try authenticate(try form.version4()) } == .invalidArgument)
        let empty = TestForm(change: { $0.map { field in field.0 == missing ? (missing, "") : field } })
        #expect(refusal { try authenticate(try empty.version4()) } == .invalidArgument)
    }

    @Test func `a form without any signature is anonymous`() throws {
        guard case .anonymous = try authenticator.check(try TestForm().request([]), now: .now(), nil) else {
            Issue.record("not anonymous")
            return
        }
    }

    @Test func `region, time, token, headers and repeated fields are strict`() throws {
        #expect(
            refusal { try authenticate(try TestForm(region: "eu-south-1").version4()) }
                == .authorizationQueryParametersError)
        let future = SignedRequest.now.adding(seconds: 16 * 60)
        #expect(refusal { try authenticate(try TestForm(signedAt: future).version4()) } == .accessDenied)
        #expect(refusal { try authenticate(try TestForm(expires: "2026-01-01T00:00:00Z").version4()) } == .accessDenied)
        let token = TestForm(fields: [("x-amz-security-token", "t")])
        #expect(refusal { try authenticate(try token.version4()) } == .invalidToken)
        let header = TestForm(headers: [("x-amz-acl", "public-read")])
        #expect(refusal { try authenticate(try header.version4()) } == .accessDenied)
        let twice = TestForm(fields: [("Key", "up/other")])
        #expect(refusal { try authenticate(try twice.version4()) } == .invalidArgument)
        let query = TestForm(headers: [("authorization", "AWS4-HMAC-SHA256 x")])
        #expect(refusal { try authenticate(try query.version4()) } == .invalidArgument)
    }

    @Test func `Signature Version 2 is for sites that allow it`() throws {
        #expect(refusal { try authenticate(try TestForm().version2()) } == .invalidRequest)
        let site = SiteSettings(region: SignedRequest.region, allowsSignatureV2: true)
        let signed = try authenticate(try TestForm(site: site).version2())
        try signed.authorize(bucket: try BucketName(validating: Array("photos".utf8)))
        let wrong = TestForm(site: site, change: { $0.map { $0.0 == "Signature" ? ($0.0, "AAAA") : $0 } })
        #expect(refusal { try authenticate(try wrong.version2()) } == .signatureDoesNotMatch)
        let both = TestForm(fields: [("x-amz-algorithm", "AWS4-HMAC-SHA256")], site: site)
        #expect(refusal { try authenticate(try both.version2()) } == .invalidArgument)
    }

    @Test func `HMAC-SHA1 is that of RFC 2202`() {
        #expect(
            Hex.text(Crypto.hmacSHA1(key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8)))
                == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")
        #expect(
            Hex.text(
                Crypto.hmacSHA1(
                    key: [UInt8](repeating: 0xAA, count: 80),
                    message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)))
                == "aa4ae5e15272d00e95705637ce8a3b55ed402112")
    }
}
