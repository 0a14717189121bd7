import Core

/// What it costs to verify one signed request, with the signing key in the cache.
enum SignatureBenchmark {
    private static let count = 20_000
    private static let secret = Array("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".utf8)
    private static let credential = Credential(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE", secret: secret, isActive: true, tenantID: 1)

    static func run() -> [String] {
        do {
            return [
                try measure("signature verification, header-signed GET", headerSigned(), at: headerMoment),
                try measure("signature verification, presigned GET", presigned(), at: presignedMoment),
            ]
        } catch {
            return ["signature verification failed: \(error)"]
        }
    }

    private static func measure(_ name: String, _ request: HTTPRequest, at now: Timestamp) throws(S3Error) -> String {
        let authenticator = Authenticator(signingKeys: SigningKeyCache())
        func verify() throws(S3Error) {
            var request = request
            _ = try authenticator.authenticate(&request, now: now) { _ in credential }
        }
        try verify()
        var failures = 0
        let value = Stopwatch.microseconds(count: count) {
            do throws(S3Error) { try verify() } catch { failures += 1 }
        }
        precondition(failures == 0, "a good signature was refused")
        return Stopwatch.line(name, value, "us CPU")
    }

    private static let headerMoment = Timestamp(milliseconds: 1_795_364_790_000)

    /// What boto3 sends for a GET of a key.
    private static func headerSigned() throws(S3Error) -> HTTPRequest {
        let signer = RequestSigner(accessKeyID: credential.accessKeyID, secret: secret, region: "us-east-1")
        let emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        let authorization = signer.sign(
            method: "GET", host: "s3.example.com:8443", path: Array("/photos/2026/11/picture-0001.jpg".utf8), query: [],
            headers: [], payloadHash: emptyDigest, at: headerMoment)
        return try request(
            "/photos/2026/11/picture-0001.jpg", headerMoment,
            [
                ("host", "s3.example.com:8443"), ("accept-encoding", "identity"),
                ("user-agent", "Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.2"),
                ("x-amz-date", headerMoment.iso8601Basic), ("x-amz-content-sha256", emptyDigest),
                ("authorization", authorization), ("amz-sdk-invocation-id", "4c1c9bd3-6f1c-4a8f-8d0c-2f5b7e7c7a11"),
                ("amz-sdk-request", "attempt=1"),
            ])
    }

    private static let presignedMoment = Timestamp(milliseconds: 1_369_353_600_000)

    /// The example of the Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters".
    private static func presigned() throws(S3Error) -> HTTPRequest {
        let scope = "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        let target =
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(scope)&X-Amz-Date=20130524T000000Z"
            + "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
            + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        return try request(target, presignedMoment, [("host", "examplebucket.s3.amazonaws.com")])
    }

    private static func request(
        _ target: String, _ moment: Timestamp, _ fields: [(String, String)]
    ) throws(S3Error) -> HTTPRequest {
        var headers = HeaderFields()
        for field in fields { try headers.add(field.0, Array(field.1.utf8)) }
        return HTTPRequest(
            id: RequestID(), method: .get, target: try RequestTarget(parsing: Array(target.utf8)), headers: headers,
            body: .empty, site: SiteSettings(), isHTTPS: true, remoteAddress: "127.0.0.1", receivedAt: moment)
    }
}
