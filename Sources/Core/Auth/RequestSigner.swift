private import Synchronization

/// Signs our own requests to S3 backends, with the same canonical form that we verify.
package struct RequestSigner: Sendable {
    private let accessKeyID: String
    private let secret: [UInt8]
    private let region: [UInt8]
    private let service: [UInt8]
    private let latestKey = LatestKey()
    private let latestMoment = LatestMoment()

    package init(accessKeyID: String, secret: [UInt8], region: String, service: String = "s3") {
        self.accessKeyID = accessKeyID
        self.secret = secret
        self.region = Array(region.utf8)
        self.service = Array(service.utf8)
    }

    /// Returns the value of the `Authorization` header.
    ///
    /// The request must be sent with `Host: host`, `x-amz-date: time.iso8601Basic` and
    /// `x-amz-content-sha256: payloadHash`; these three are signed whether or not they stand in `headers`. All of
    /// `headers` are signed. `path` is canonical already (percent-encoded once, `/` kept); `query` is decoded.
    package func sign(
        method: String, host: String, path: [UInt8], query: [(name: [UInt8], value: [UInt8])],
        headers: [(name: String, value: [UInt8])], payloadHash: String, at time: Timestamp
    ) -> String {
        let date = Array(time.iso8601Basic.utf8)
        let day = Array(date.prefix(8))
        var canonical = CanonicalRequest(method: method, path: path, query: Self.canonicalQuery(query))
        let list = add(headers, host: host, payloadHash: payloadHash, date: date, to: &canonical)
        canonical.finish(signedHeaders: list, payloadHash: Array(payloadHash.utf8))

        let scope = CredentialScope.bytes(date: day, region: region, service: service)
        let signature = key(of: day).signature(of: StringToSign.request(canonical, date: date, scope: scope))
        return String(decoding: beforeSignature(scope: scope, list: list) + signature, as: UTF8.self)
    }

    /// Returns what signs requests to `host` now that have nothing to sign but `Host`, `x-amz-date` and
    /// `x-amz-content-sha256` of an empty body, with which they must be sent.
    package func moment(host: String, at time: Timestamp) -> SigningMoment {
        latestMoment.moment(seconds: time.seconds, host: host) {
            let date = Array(time.iso8601Basic.utf8)
            let day = Array(date.prefix(8))
            let scope = CredentialScope.bytes(date: day, region: region, service: service)
            let payloadHash = Hex.text(Crypto.sha256([]))
            var canonical = CanonicalRequest(method: "", path: [], query: [])
            let list = add([], host: host, payloadHash: payloadHash, date: date, to: &canonical)
            canonical.finish(signedHeaders: list, payloadHash: Array(payloadHash.utf8))
            return SigningMoment(
                seconds: time.seconds, host: Array(host.utf8), date: date,
                // After the line break between the method, which is empty here, and the path.
                canonicalEnd: Array(canonical.bytes.dropFirst()), beforeDigest: StringToSign.beforeDigest(date, scope),
                beforeSignature: beforeSignature(scope: scope, list: list), key: key(of: day))
        }
    }

    private func key(of day: [UInt8]) -> SigningKey {
        latestKey.key(day: day) { SigningKey(secret: secret, date: day, region: region, service: service) }
    }

    private func beforeSignature(scope: [UInt8], list: [UInt8]) -> [UInt8] {
        var text = Array("AWS4-HMAC-SHA256 Credential=".utf8)
        text.reserveCapacity(256 + list.count)
        text.append(contentsOf: accessKeyID.utf8)
        text.append(UInt8(ascii: "/"))
        text.append(contentsOf: scope)
        text.append(contentsOf: ", SignedHeaders=".utf8)
        text.append(contentsOf: list)
        text.append(contentsOf: ", Signature=".utf8)
        return text
    }

    private static let usualList = Array("host;x-amz-content-sha256;x-amz-date".utf8)

    /// Adds all signed headers in order and returns the list of their names.
    private func add(
        _ headers: [(name: String, value: [UInt8])], host: String, payloadHash: String, date: [UInt8],
        to canonical: inout CanonicalRequest
    ) -> [UInt8] {
        guard !headers.isEmpty else {
            canonical.add(header: "host".utf8, value: host.utf8)
            canonical.add(header: "x-amz-content-sha256".utf8, value: payloadHash.utf8)
            canonical.add(header: "x-amz-date".utf8, value: date)
            return Self.usualList
        }
        var fields: [(name: [UInt8], value: [UInt8])] = [
            (Array("host".utf8), Array(host.utf8)),
            (Array("x-amz-content-sha256".utf8), Array(payloadHash.utf8)),
            (Array("x-amz-date".utf8), date),
        ]
        for header in headers {
            let name = header.name.utf8.map(ASCII.lower)
            if !fields.contains(where: { $0.name == name }) { fields.append((name, header.value)) }
        }
        fields.sort { $0.name.lexicographicallyPrecedes($1.name) }
        for field in fields { canonical.add(header: field.name, value: field.value) }
        return Array(fields.map(\.name).joined(separator: [UInt8(ascii: ";")]))
    }

    private static func canonicalQuery(_ query: [(name: [UInt8], value: [UInt8])]) -> [UInt8] {
        guard !query.isEmpty else { return [] }
        var pairs = query.map { (name: URIEncoding.encode($0.name, keepingSlash: false), value: $0.value) }
        return CanonicalRequest.query(encodedNames: &pairs)
    }
}

/// The key of the day that was signed for last: derived once a day, and not once a request.
private final class LatestKey: Sendable {
    private let latest = Mutex<(day: [UInt8], key: SigningKey)?>(nil)

    func key(day: [UInt8], derive: () -> SigningKey) -> SigningKey {
        if let known = latest.withLock({ $0 }), known.day == day { return known.key }
        let key = derive()
        latest.withLock { $0 = (day, key) }
        return key
    }
}

/// What was signed with last; requests to one host are many in a second.
private final class LatestMoment: Sendable {
    private let latest = Mutex<(host: String, moment: SigningMoment)?>(nil)

    func moment(seconds: Int64, host: String, make: () -> SigningMoment) -> SigningMoment {
        if let known = latest.withLock({ $0 }), known.moment.seconds == seconds, known.host == host {
            return known.moment
        }
        let moment = make()
        latest.withLock { $0 = (host, moment) }
        return moment
    }
}
