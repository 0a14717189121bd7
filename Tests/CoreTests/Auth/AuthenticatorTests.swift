import Testing

@testable import Core

@Suite struct AuthenticatorTests {
    let authenticator = Authenticator(signingKeys: SigningKeyCache())

    func answer(_ request: HTTPRequest, _ credential: Credential? = SignedRequest.credential) throws -> Authentication {
        try authenticator.check(request, now: SignedRequest.now, credential)
    }

    func code(_ request: @autoclosure () throws -> HTTPRequest) -> S3Error.Code? { refusal { try answer(request()) } }

    func error(_ request: HTTPRequest) -> S3Error? {
        do {
            _ = try answer(request)
            return nil
        } catch {
            return error as? S3Error
        }
    }

    func isSigned(_ request: HTTPRequest) throws -> Bool {
        if case .signed(let credential, _) = try answer(request) { return credential.accessKeyID == "AKIATEST" }
        return false
    }

    // MARK: The classifier

    @Test func `each mode is told apart`() throws {
        var form = SignedRequest(method: "POST", headers: [("content-type", "Multipart/Form-Data; boundary=x")])
        #expect(try AuthenticationMode(of: SignedRequest().anonymous()) == .anonymous)
        #expect(try AuthenticationMode(of: SignedRequest().byHeader()) == .header)
        #expect(try AuthenticationMode(of: SignedRequest().byQuery()) == .query)
        #expect(try AuthenticationMode(of: form.anonymous()) == .postForm)
        form.method = "PUT"
        #expect(try AuthenticationMode(of: form.anonymous()) == .anonymous)
    }

    @Test(arguments: [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Credential=a", "X-Amz-Date=20261122T162630Z", "X-Amz-Expires=1",
        "X-Amz-SignedHeaders=host", "X-Amz-Signature=00", "x-amz-signature=00",
    ])
    func `half a presigned URL is a mistake, and beside a header it is two modes`(query: String) {
        #expect(code(try SignedRequest(addedQuery: query).anonymous()) == .authorizationQueryParametersError)
        #expect(code(try SignedRequest(addedQuery: query).byHeader()) == .invalidArgument)
        let form = SignedRequest(method: "POST", headers: [("content-type", "multipart/form-data")], addedQuery: query)
        #expect(code(try form.anonymous()) == .invalidArgument)
    }

    @Test func `a form with an authorization header is two modes`() {
        let form = SignedRequest(method: "POST", headers: [("content-type", "multipart/form-data; boundary=x")])
        #expect(code(try form.byHeader()) == .invalidArgument)
        #expect(code(try form.anonymous()) == .malformedPOSTRequest)
    }

    @Test(arguments: [
        ("AWS AKIATEST:c2lnbmF0dXJl", S3Error.Code.invalidRequest),
        ("AWS4-ECDSA-P256-SHA256 Credential=x", .invalidRequest),
        ("Basic dTpw", .invalidArgument), ("Bearer x", .invalidArgument), ("", .accessDenied),
        ("aws4-hmac-sha256 Credential=x", .invalidArgument), ("AWS4-HMAC-SHA256", .authorizationHeaderMalformed),
    ])
    func `other kinds of authorization are refused clearly`(value: String, wanted: S3Error.Code) {
        #expect(code(try SignedRequest(changeAuthorization: { _ in value }).byHeader()) == wanted)
    }

    @Test func `Signature Version 2 in the query is refused clearly`() {
        let query = "AWSAccessKeyId=AKIATEST&Expires=1795364890&Signature=c2ln"
        #expect(code(try SignedRequest(addedQuery: query).anonymous()) == .invalidRequest)
    }

    // MARK: What must be signed

    @Test func `a good request is accepted, in the header and in the query`() throws {
        let signed = SignedRequest(
            query: [("partNumber", "1"), ("uploadId", "a/b c")], headers: [("x-amz-acl", "private")],
            addedHeaders: [("user-agent", "x"), ("range", "bytes=0-1")])
        #expect(try isSigned(signed.byHeader()) && isSigned(signed.byQuery()))
    }

    @Test(arguments: [
        ("x-amz-copy-source", "/other/key"), ("x-amz-acl", "public-read"), ("x-amz-tagging", "a=b"),
        ("x-amz-meta-a", "b"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ])
    func `an x-amz header that was not signed is refused`(name: String, value: String) {
        let replayed = SignedRequest(addedHeaders: [(name, value)])
        #expect(code(try replayed.byQuery()) == .accessDenied)
        #expect(code(try replayed.byHeader()) == .accessDenied)
        // Nor is it one of those that the query carries.
        let hoisted = SignedRequest(query: [("x-amz-meta-b", "c")], addedHeaders: [(name, value)])
        #expect(code(try hoisted.byQuery()) == .accessDenied)
    }

    @Test func `host must be there and signed, and each name only once`() {
        #expect(code(try SignedRequest(removedHeaders: ["host"]).byHeader()) == .accessDenied)
        let unsigned = SignedRequest(changeAuthorization: { $0.replacing("=host;", with: "=") })
        #expect(code(try unsigned.byHeader()) == .accessDenied)
        let twice = SignedRequest(changeAuthorization: { $0.replacing("=host;", with: "=host;host;") })
        #expect(code(try twice.byHeader()) == .invalidRequest)
    }

    @Test func `a changed method, path, query, header or payload hash breaks the signature`() {
        #expect(code(try SignedRequest(addedQuery: "acl").byHeader()) == .signatureDoesNotMatch)
        #expect(code(try SignedRequest(addedQuery: "acl").byQuery()) == .signatureDoesNotMatch)
        let other = SignedRequest(
            headers: [("x-amz-acl", "private")], addedHeaders: [("x-amz-acl", "public-read")],
            removedHeaders: [])
        #expect(code(try other.byHeader()) == .signatureDoesNotMatch)
        let hash = SignedRequest(
            addedHeaders: [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")])
        #expect(code(try hash.byQuery()) == .signatureDoesNotMatch)
    }

    @Test func `a signed name with an underscore gets its header back`() throws {
        var request = try SignedRequest(
            headers: [("x-amz-meta-a_b", "1")], addedHeaders: [("x-amz-meta-a-b", "1")],
            removedHeaders: ["x-amz-meta-a_b"]
        ).byHeader()
        _ = try authenticator.authenticate(&request, now: SignedRequest.now) { _ in SignedRequest.credential }
        #expect(request.headers["x-amz-meta-a_b"] == Array("1".utf8) && request.headers["x-amz-meta-a-b"] == nil)
        // An `x_amz_acl` that CGI shows as `x-amz-acl` is not that header: it was not signed under that name.
        let folded = SignedRequest(
            headers: [("x_amz_acl", "public-read")], addedHeaders: [("x-amz-acl", "public-read")],
            removedHeaders: ["x_amz_acl"])
        var other = try folded.byHeader()
        _ = try authenticator.authenticate(&other, now: SignedRequest.now) { _ in SignedRequest.credential }
        #expect(other.headers["x-amz-acl"] == nil)
    }

    @Test func `headers that a presigned URL carries in its query count as headers`() throws {
        var request = try SignedRequest(query: [("X-Amz-Meta-Owner", "alice"), ("x-amz-acl", "private")]).byQuery()
        _ = try authenticator.authenticate(&request, now: SignedRequest.now) { _ in SignedRequest.credential }
        #expect(request.headers["x-amz-meta-owner"] == Array("alice".utf8))
        #expect(request.headers["x-amz-acl"] == Array("private".utf8))
        let split = SignedRequest(query: [("x-amz-meta-a", "1\r\nx-amz-acl: public-read")])
        #expect(code(try split.byQuery()) == .invalidArgument)
        let both = SignedRequest(query: [("x-amz-acl", "private")], headers: [("x-amz-acl", "private")])
        #expect(code(try both.byQuery()) == .invalidRequest)
        let anonymous = try SignedRequest(query: [("x-amz-acl", "public-read")]).anonymous()
        #expect(anonymous.headers["x-amz-acl"] == nil)
    }

    // MARK: Scope, time and key

    @Test func `a wrong region is named, with the right one`() throws {
        for request in [
            try SignedRequest(signingRegion: "us-east-1").byHeader(),
            try SignedRequest(signingRegion: "us-east-1").byQuery(),
        ] {
            let refusal = error(request)
            #expect(refusal?.details.contains { $0.name == "Region" && $0.value == "eu-north-1" } == true)
            #expect(refusal?.code.status == 400)
        }
        #expect(code(try SignedRequest(signingRegion: "us-east-1").byHeader()) == .authorizationHeaderMalformed)
    }

    @Test func `only the question for a bucket's region may be signed for us-east-1`() throws {
        func asking(
            _ path: String = "/bucket", method: String = "GET", query: String = "location", region: String = "us-east-1"
        ) -> SignedRequest {
            SignedRequest(method: method, path: path, query: [(query, "")], signingRegion: region)
        }
        #expect(code(try asking().byHeader()) == nil)
        for other in [
            asking("/bucket/key"), asking(method: "PUT"), asking(method: "DELETE"), asking(query: "versions"),
            asking("/"), asking("/Not_A_Bucket"), asking(region: "us-west-2"), asking(region: "us-east-11"),
        ] {
            #expect(code(try other.byHeader()) == .authorizationHeaderMalformed)
        }
        #expect(code(try asking().byQuery()) == .authorizationQueryParametersError)
    }

    @Test(arguments: ["aws4_request,", "aws4_reques,", "x/aws4_request,"])
    func `a wrong service, terminator or credential is refused`(end: String) {
        #expect(code(try SignedRequest(service: "ec2").byHeader()) == .authorizationHeaderMalformed)
        #expect(code(try SignedRequest(service: "ec2").byQuery()) == .authorizationQueryParametersError)
        guard end != "aws4_request," else { return }
        let changed = SignedRequest(changeAuthorization: { $0.replacing("aws4_request,", with: end) })
        #expect(code(try changed.byHeader()) == .authorizationHeaderMalformed)
    }

    @Test(arguments: ["Credential=", "SignedHeaders=", "Signature="])
    func `a missing or doubled component is malformed`(name: String) {
        let missing = SignedRequest(changeAuthorization: { $0.replacing(name, with: "Other=") })
        #expect(code(try missing.byHeader()) == .authorizationHeaderMalformed)
        let doubled = SignedRequest(changeAuthorization: { "\($0), \(name)x" })
        #expect(code(try doubled.byHeader()) == .authorizationHeaderMalformed)
    }

    @Test func `the day of the scope is the day of the date`() {
        let changed = SignedRequest(changeAuthorization: { $0.replacing("/20261122/", with: "/20261121/") })
        #expect(code(try changed.byHeader()) == .authorizationHeaderMalformed)
    }

    @Test(arguments: [
        (-901, S3Error.Code.requestTimeTooSkewed), (-900, nil), (900, nil), (901, .requestTimeTooSkewed),
        (86400, .requestTimeTooSkewed),
    ])
    func `the clock may differ by 15 minutes`(seconds: Int, wanted: S3Error.Code?) {
        #expect(
            code(try SignedRequest(signedAt: SignedRequest.now.adding(seconds: Int64(seconds))).byHeader()) == wanted)
    }

    @Test func `a date is needed, and the Date header will do`() throws {
        #expect(code(try SignedRequest(removedHeaders: ["x-amz-date"]).byHeader()) == .accessDenied)
        let bad = SignedRequest(addedHeaders: [("x-amz-date", "yesterday")], removedHeaders: [])
        var request = try SignedRequest(removedHeaders: ["x-amz-date"]).byHeader()
        try request.headers.add("x-amz-date", Array("2026-11-22T16:26:30Z".utf8))
        #expect(code(request) == .accessDenied)
        #expect(throws: S3Error.self) { try bad.byHeader() }
        // Signed over host and payload hash only, at the moment that `Date` tells.
        var dated = try SignedRequest().byHeader()
        dated.headers = HeaderFields()
        for (name, value) in [
            ("host", "s3.example.com"), ("date", SignedRequest.now.httpDate),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ] { try dated.headers.add(name, Array(value.utf8)) }
        var canonical = CanonicalRequest(method: "PUT", path: Array("/bucket/key".utf8), query: [])
        let list = Array("date;host".utf8)
        canonical.add(header: "date".utf8, value: Array(SignedRequest.now.httpDate.utf8))
        canonical.add(header: "host".utf8, value: Array("s3.example.com".utf8))
        canonical.finish(signedHeaders: list, payloadHash: Array("UNSIGNED-PAYLOAD".utf8))
        let key = SigningKey(
            secret: SignedRequest.credential.secret, date: "20261122".utf8, region: Array("eu-north-1".utf8))
        let signature = key.signature(
            of: StringToSign.request(
                canonical, date: Array("20261122T162630Z".utf8),
                scope: Array("20261122/eu-north-1/s3/aws4_request".utf8)))
        let value =
            "AWS4-HMAC-SHA256 Credential=AKIATEST/20261122/eu-north-1/s3/aws4_request,SignedHeaders=date;host,"
            + "Signature=" + String(decoding: signature, as: UTF8.self)
        try dated.headers.add("authorization", Array(value.utf8))
        #expect(try isSigned(dated))
    }

    @Test(arguments: [
        (-901, S3Error.Code.accessDenied), (-900, nil), (0, nil), (900, nil), (901, .accessDenied),
    ])
    func `a presigned URL lives from its date to its expiry`(seconds: Int, wanted: S3Error.Code?) {
        #expect(
            code(try SignedRequest(signedAt: SignedRequest.now.adding(seconds: Int64(seconds))).byQuery()) == wanted)
    }

    @Test(arguments: ["0", "604801", "-1", "+5", "x", "", "1e3", "99999999999999999999"])
    func `an expiry outside 1 to 604800 seconds is refused`(expires: String) {
        #expect(code(try SignedRequest().byQuery(expires: expires)) == .authorizationQueryParametersError)
    }

    @Test(arguments: [
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4"), ("X-Amz-Date=20261122", "X-Amz-Date=2026-11-22"),
        ("%2Fs3%2F", "%2F"), ("X-Amz-Expires=900&", ""),
    ])
    func `a malformed presigned URL says so`(part: String, other: String) {
        #expect(
            code(try SignedRequest().byQuery(change: { $0.replacing(part, with: other) }))
                == .authorizationQueryParametersError)
    }

    @Test func `an unknown or disabled key is no key, whatever the signature`() throws {
        let disabled = Credential(
            accessKeyID: "AKIATEST", secret: SignedRequest.credential.secret, isActive: false, tenantID: 1)
        let request = try SignedRequest().byHeader()
        #expect(refusal { try answer(request, nil) } == .invalidAccessKeyID)
        #expect(refusal { try answer(request, disabled) } == .invalidAccessKeyID)
        #expect(code(try SignedRequest(accessKeyID: "AKIA\u{E9}").byHeader()) == .invalidAccessKeyID)
    }

    @Test func `a session token is never ours`() {
        #expect(code(try SignedRequest(headers: [("x-amz-security-token", "t")]).byHeader()) == .invalidToken)
        #expect(code(try SignedRequest(query: [("X-Amz-Security-Token", "t")]).byQuery()) == .invalidToken)
        #expect(code(try SignedRequest(headers: [("x-amz-security-token", "t")]).anonymous()) == .invalidToken)
    }

    // MARK: The payload mode

    @Test(arguments: [
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD", "STREAMING-", "unsigned-payload", "",
        "e3b0", String(repeating: "g", count: 64),
    ])
    func `an unknown payload mode is refused`(value: String) {
        #expect(code(try SignedRequest(payloadHash: value).byHeader()) == .invalidArgument)
        #expect(code(try SignedRequest(headers: [("x-amz-content-sha256", value)]).anonymous()) == .invalidArgument)
    }

    @Test func `a header signature needs a payload hash, an anonymous request cannot sign chunks`() throws {
        #expect(code(try SignedRequest(payloadHash: nil).byHeader()) == .invalidRequest)
        let chunked = SignedRequest(headers: [("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")])
        #expect(code(try chunked.anonymous()) == .invalidRequest)
        guard case .anonymous(payload: .unsigned) = try answer(SignedRequest().anonymous()) else {
            Issue.record("wanted an anonymous request")
            return
        }
    }

    @Test func `the cache of signing keys stays within its bound`() {
        let cache = SigningKeyCache(capacity: 8)
        let date = Array("20261122".utf8)
        for number in 0..<100 {
            _ = cache.key(accessKeyID: "AKIA\(number)", secret: [1], date: date, region: [2])
            #expect(cache.count <= 8)
        }
        let one = cache.key(accessKeyID: "A", secret: [1], date: date, region: [2])
        let other = cache.key(accessKeyID: "A", secret: [3], date: date, region: [2])
        #expect(one.signature(of: [0]) != other.signature(of: [0]))
        #expect(one.signature(of: [0]) == SigningKey(secret: [1], date: date, region: [2]).signature(of: [0]))
    }
}
