import Core

/// A client that signs requests, from the texts of the S3 API reference alone.
struct SigningClient {
    static let credential = Credential(
        accessKeyID: "BENCHMARKACCESSKEY00", secret: Array("benchmarksecretkeybenchmarksecretkey0000".utf8),
        isActive: true, tenantID: 1)
    static let region = "fi-hel-1"
    private static let host = "s3.example.com"
    private static let userAgent =
        "Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.2"

    let now = Timestamp.now()
    private let key: [UInt8]
    private let date: String
    private let scope: String

    init() {
        date = now.iso8601Basic
        scope = "\(date.prefix(8))/\(Self.region)/s3/aws4_request"
        var key = Array("AWS4".utf8) + Self.credential.secret
        for part in [String(date.prefix(8)), Self.region, "s3", "aws4_request"] {
            key = Crypto.hmacSHA256(key: key, message: Array(part.utf8))
        }
        self.key = key
    }

    /// Returns a request as an SDK sends it, signed in its `Authorization` header.
    func signedInHeader(
        _ method: String, path: String, payloadHash: String, headers: [(name: String, value: String)] = [],
        body: RequestBody = .empty
    ) throws -> HTTPRequest {
        let signer = RequestSigner(
            accessKeyID: Self.credential.accessKeyID, secret: Self.credential.secret, region: Self.region)
        let authorization = signer.sign(
            method: method, host: Self.host, path: Array(path.utf8), query: [],
            headers: headers.map { (name: $0.name, value: Array($0.value.utf8)) }, payloadHash: payloadHash, at: now)
        let own = [
            (name: "host", value: Self.host), (name: "x-amz-date", value: date),
            (name: "x-amz-content-sha256", value: payloadHash), (name: "authorization", value: authorization),
            (name: "accept-encoding", value: "identity"), (name: "user-agent", value: Self.userAgent),
            (name: "amz-sdk-invocation-id", value: "4c1c9bd3-6f1c-4a8f-8d0c-2f5b7e7c7a11"),
            (name: "amz-sdk-request", value: "attempt=1"),
        ]
        return try request(method, path, own + headers, body)
    }

    /// Returns a GET that is signed in its query; `query` is encoded, sorted, and before `X-Amz`.
    func presigned(path: String, query: String = "") throws -> HTTPRequest {
        let credential = "\(Self.credential.accessKeyID)/\(scope)".split(separator: "/").joined(separator: "%2F")
        let own =
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(credential)&X-Amz-Date=\(date)&X-Amz-Expires=900"
            + "&X-Amz-SignedHeaders=host"
        let all = own + (query.isEmpty ? "" : "&\(query)")
        let canonical = "GET\n\(path)\n\(all)\nhost:\(Self.host)\n\nhost\nUNSIGNED-PAYLOAD"
        let signature = sign("AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(digest(Array(canonical.utf8)))")
        let headers = [
            (name: "host", value: Self.host), (name: "user-agent", value: "wrk"), (name: "accept", value: "*/*"),
        ]
        return try request("GET", "\(path)?\(all)&X-Amz-Signature=\(signature)", headers, .empty)
    }

    /// Returns a PUT of `content` in signed chunks.
    func chunked(_ content: [UInt8], chunkBytes: Int) throws -> HTTPRequest {
        let headers = [
            (name: "content-encoding", value: "aws-chunked"),
            (name: "x-amz-decoded-content-length", value: String(content.count)),
        ]
        let hash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        let head = try signedInHeader("PUT", path: "/bench/key", payloadHash: hash, headers: headers)
        let seed = String(decoding: (head.headers["authorization"] ?? []).suffix(64), as: UTF8.self)
        let body = RequestBody.memory(chunks(content, chunkBytes: chunkBytes, seed: seed))
        return try signedInHeader("PUT", path: "/bench/key", payloadHash: hash, headers: headers, body: body)
    }

    private func chunks(_ content: [UInt8], chunkBytes: Int, seed: String) -> [UInt8] {
        var body: [UInt8] = []
        var previous = seed
        for start in stride(from: 0, through: content.count, by: chunkBytes) {
            let chunk = Array(content[start..<min(start + chunkBytes, content.count)])
            previous = sign(
                "AWS4-HMAC-SHA256-PAYLOAD\n\(date)\n\(scope)\n\(previous)\n\(digest([]))\n\(digest(chunk))")
            body += Array("\(String(chunk.count, radix: 16));chunk-signature=\(previous)\r\n".utf8)
            body += chunk + [0x0D, 0x0A]
        }
        return body
    }

    private func request(
        _ method: String, _ target: String, _ headers: [(name: String, value: String)], _ body: RequestBody
    ) throws -> HTTPRequest {
        var fields = HeaderFields()
        for header in headers { try fields.add(header.name, Array(header.value.utf8)) }
        return HTTPRequest(
            id: RequestID(), method: HTTPMethod(method), target: try RequestTarget(parsing: Array(target.utf8)),
            headers: fields, body: body, site: SiteSettings(region: Self.region), isHTTPS: false,
            remoteAddress: "127.0.0.1", receivedAt: now)
    }

    private func sign(_ text: String) -> String { hex(Crypto.hmacSHA256(key: key, message: Array(text.utf8))) }
    private func digest(_ bytes: [UInt8]) -> String { hex(Crypto.sha256(bytes)) }
    private func hex(_ bytes: [UInt8]) -> String { String(decoding: Hex.encode(bytes), as: UTF8.self) }
}
