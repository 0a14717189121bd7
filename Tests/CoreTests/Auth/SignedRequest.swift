@testable import Core

/// A request in the words of a test: what a good client would send, and then what is changed after signing.
struct SignedRequest {
    static let now = Timestamp(milliseconds: 1_795_364_790_000)
    static let credential = Credential(
        accessKeyID: "AKIATEST", secret: Array("secret/of+the=test".utf8), isActive: true, tenantID: 1)
    static let region = "eu-north-1"

    var method = "PUT"
    var path = "/bucket/key"
    var query: [(String, String)] = []
    var headers: [(String, String)] = []
    var payloadHash: String? = "UNSIGNED-PAYLOAD"
    var body: RequestBody = .empty
    var signedAt = SignedRequest.now
    var service = "s3"
    var signingRegion = SignedRequest.region
    var accessKeyID = "AKIATEST"

    /// What a man in the middle, or a careless client, does to the request once it is signed.
    var addedHeaders: [(String, String)] = []
    var removedHeaders: [String] = []
    var addedQuery: String = ""
    var changeAuthorization: (String) -> String = { $0 }

    /// Signed in the `Authorization` header.
    func byHeader() throws -> HTTPRequest {
        let signer = RequestSigner(
            accessKeyID: accessKeyID, secret: Self.credential.secret, region: signingRegion, service: service)
        let authorization = signer.sign(
            method: method, host: "s3.example.com", path: Array(path.utf8),
            query: query.map { (Array($0.0.utf8), Array($0.1.utf8)) },
            headers: headers.map { ($0.0, Array($0.1.utf8)) }, payloadHash: payloadHash ?? "", at: signedAt)
        var fields =
            headers + [("x-amz-date", signedAt.iso8601Basic), ("authorization", changeAuthorization(authorization))]
        if let payloadHash { fields.append(("x-amz-content-sha256", payloadHash)) }
        return try make(fields, query: encoded(query))
    }

    /// Signed in the query; `change` works on the query as sent.
    func byQuery(expires: String = "900", change: (String) -> String = { $0 }) throws -> HTTPRequest {
        let scope = "\(signedAt.iso8601Basic.prefix(8))/\(signingRegion)/\(service)/aws4_request"
        let names = (["host"] + headers.map(\.0)).sorted()
        let items =
            query + [
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", "\(accessKeyID)/\(scope)"),
                ("X-Amz-Date", signedAt.iso8601Basic), ("X-Amz-Expires", expires),
                ("X-Amz-SignedHeaders", names.joined(separator: ";")),
            ]
        var canonical = CanonicalRequest(
            method: method, path: Array(path.utf8),
            query: CanonicalRequest.query(items.map { QueryItem(name: Array($0.0.utf8), value: Array($0.1.utf8)) }))
        let all = headers + [("host", "s3.example.com")]
        for name in names {
            canonical.add(header: name.utf8, value: Array((all.first { $0.0 == name }?.1 ?? "").utf8))
        }
        let list = Array(names.joined(separator: ";").utf8)
        canonical.finish(signedHeaders: list, payloadHash: Array((payloadHash ?? "").utf8))
        let key = SigningKey(
            secret: Self.credential.secret, date: signedAt.iso8601Basic.utf8.prefix(8),
            region: Array(signingRegion.utf8), service: Array(service.utf8))
        let signature = key.signature(
            of: StringToSign.request(canonical, date: Array(signedAt.iso8601Basic.utf8), scope: Array(scope.utf8)))
        let text = encoded(items) + "&X-Amz-Signature=" + String(decoding: signature, as: UTF8.self)
        return try make(headers, query: change(text))
    }

    /// Not signed at all.
    func anonymous() throws -> HTTPRequest { try make(headers, query: encoded(query)) }

    private func make(_ fields: [(String, String)], query: String) throws -> HTTPRequest {
        var all = HeaderFields()
        for field in [("host", "s3.example.com")] + fields + addedHeaders where !removedHeaders.contains(field.0) {
            try all.add(field.0, Array(field.1.utf8))
        }
        let text = [query, addedQuery].filter { !$0.isEmpty }.joined(separator: "&")
        return HTTPRequest(
            id: RequestID(), method: HTTPMethod(method),
            target: try RequestTarget(parsing: Array((text.isEmpty ? path : "\(path)?\(text)").utf8)), headers: all,
            body: body, site: SiteSettings(region: Self.region), isHTTPS: true, remoteAddress: "127.0.0.1",
            receivedAt: Self.now)
    }

    private func encoded(_ items: [(String, String)]) -> String {
        items.map { item in
            "\(item.0)=" + String(decoding: URIEncoding.encode(item.1.utf8, keepingSlash: false), as: UTF8.self)
        }.joined(separator: "&")
    }
}
