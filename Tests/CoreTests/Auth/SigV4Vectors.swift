import Core
import Foundation
import Testing

/// One row of `Vectors/sigv4-vectors.json`: facts from AWS documentation, from AWS repositories, and our own that two
/// independent implementations agree on.
struct SigV4Vector: Decodable, Sendable, CustomTestStringConvertible {
    struct Fill: Decodable, Sendable {
        let byte: String
        let len: Int
    }
    struct Chunk: Decodable, Sendable {
        let len: Int
        let signature: String?
    }

    let id: String
    let kind: String
    let access_key: String?
    let secret_key: String?
    let session_token: String?
    let region: String?
    let service: String?
    let date: String
    let method: String?
    let path: String?
    let query: [[String]]?
    let wire_query: String?
    let headers: [[String]]?
    let signed_headers: String?
    let body: String?
    let body_fill: Fill?
    let payload_hash: String?
    let expires: Int?
    let canonical_request_sha256: String?
    let signature: String
    let chunks: [Chunk]?
    let trailers: [[String]]?
    let trailer_signature: String?
    let policy_b64: String?
    let signature_as_sent: String?
    let signature_reject: String?

    var testDescription: String { id }

    // The file's defaults.
    var accessKey: String { access_key ?? "AKIAIOSFODNN7EXAMPLE" }
    var secret: [UInt8] { Array((secret_key ?? "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").utf8) }
    var regionName: String { region ?? "us-east-1" }
    var serviceName: String { service ?? "s3" }
    var scope: String { "\(date.prefix(8))/\(regionName)/\(serviceName)/aws4_request" }
    var moment: Timestamp { get throws { try #require(Timestamp(iso8601Basic: Array(date.utf8))) } }

    var bodyBytes: [UInt8] {
        body_fill.map { [UInt8](repeating: Array($0.byte.utf8)[0], count: $0.len) } ?? Array((body ?? "").utf8)
    }

    /// The request as nginx would hand it over, signed with `signature`.
    func request(signature: String, body: RequestBody = .empty) throws -> HTTPRequest {
        var headers = HeaderFields()
        for header in self.headers ?? [] {
            let value = header[1].trimmingCharacters(in: .whitespaces)
            try headers.add(header[0].lowercased(), Array(value.utf8))
        }
        var raw = path ?? "/"
        var query = wire_query ?? ""
        if kind == "presign" {
            var items = [
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", "\(accessKey)/\(scope)"),
                ("X-Amz-Date", date), ("X-Amz-Expires", String(expires ?? 0)),
                ("X-Amz-SignedHeaders", signed_headers ?? ""),
            ]
            if let session_token { items.append(("X-Amz-Security-Token", session_token)) }
            items.append(("X-Amz-Signature", signature))
            for item in items {
                let value = String(decoding: URIEncoding.encode(item.1.utf8, keepingSlash: false), as: UTF8.self)
                query += (query.isEmpty ? "" : "&") + "\(item.0)=\(value)"
            }
        } else {
            let value =
                "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope), SignedHeaders=\(signed_headers ?? ""), Signature=\(signature)"
            try headers.add("authorization", Array(value.utf8))
        }
        if !query.isEmpty { raw += "?" + query }
        return HTTPRequest(
            id: RequestID(), method: HTTPMethod(method ?? "GET"), target: try RequestTarget(parsing: Array(raw.utf8)),
            headers: headers, body: body, site: SiteSettings(region: regionName), isHTTPS: true,
            remoteAddress: "127.0.0.1", receivedAt: try moment)
    }

    var credential: Credential {
        Credential(accessKeyID: accessKey, secret: secret, isActive: true, tenantID: 7)
    }

    /// The aws-chunked body that the vector describes.
    var framedBody: [UInt8] {
        var framed: [UInt8] = []
        var rest = bodyBytes[...]
        for chunk in chunks ?? [Chunk(len: bodyBytes.count, signature: nil), Chunk(len: 0, signature: nil)] {
            let signature = chunk.signature.map { ";chunk-signature=\($0)" } ?? ""
            framed += Array("\(String(chunk.len, radix: 16))\(signature)\r\n".utf8)
            framed += rest.prefix(chunk.len)
            rest = rest.dropFirst(chunk.len)
            if chunk.len > 0 { framed += [13, 10] }
        }
        for trailer in trailers ?? [] { framed += Array("\(trailer[0]):\(trailer[1])\r\n".utf8) }
        if let trailer_signature { framed += Array("x-amz-trailer-signature:\(trailer_signature)\r\n".utf8) }
        return framed + [13, 10]
    }

    static let all: [SigV4Vector] = {
        struct Document: Decodable { let vectors: [SigV4Vector] }
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let data = try? Data(contentsOf: folder.appendingPathComponent("Vectors/sigv4-vectors.json"))
        let document = data.flatMap { try? JSONDecoder().decode(Document.self, from: $0) }
        return document?.vectors ?? []
    }()
}

extension Authenticator {
    /// Verifies against one known key.
    func check(_ request: HTTPRequest, now: Timestamp, _ credential: Credential?) throws(S3Error) -> Authentication {
        var request = request
        return try authenticate(&request, now: now) { id throws(S3Error) in
            credential?.accessKeyID == id ? credential : nil
        }
    }
}
