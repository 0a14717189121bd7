/// What the signatures of all requests of one second to one host have in common, when these have no body, no query and no
/// headers but the three that are always signed: reads of whole objects, thousands in a second.
package final class SigningMoment: Sendable {
    /// The second, as in `Timestamp.seconds`.
    let seconds: Int64
    /// The value of `Host`.
    package let host: [UInt8]
    /// The value of `x-amz-date`.
    package let date: [UInt8]
    /// The canonical request from the end of the path on.
    private let canonicalEnd: [UInt8]
    /// The string to sign up to the digest of the canonical request.
    private let beforeDigest: [UInt8]
    /// The value of `Authorization` up to the signature.
    private let beforeSignature: [UInt8]
    private let key: SigningKey

    init(
        seconds: Int64, host: [UInt8], date: [UInt8], canonicalEnd: [UInt8], beforeDigest: [UInt8],
        beforeSignature: [UInt8], key: SigningKey
    ) {
        self.seconds = seconds
        self.host = host
        self.date = date
        self.canonicalEnd = canonicalEnd
        self.beforeDigest = beforeDigest
        self.beforeSignature = beforeSignature
        self.key = key
    }

    // hot: every read of a small object.
    /// Returns the value of `Authorization` for a request of `path`, which is canonical (percent-encoded once, `/` kept).
    package func authorization(method: String, path: [UInt8]) -> [UInt8] {
        var canonical: [UInt8] = []
        canonical.reserveCapacity(16 + path.count + canonicalEnd.count)
        canonical.append(contentsOf: method.utf8)
        canonical.append(0x0A)
        canonical.append(contentsOf: path)
        canonical.append(contentsOf: canonicalEnd)
        var text = beforeDigest
        text.reserveCapacity(beforeDigest.count + 64)
        Hex.append(Crypto.sha256(canonical), to: &text)
        let signature = key.signature(of: text)
        var authorization: [UInt8] = []
        authorization.reserveCapacity(beforeSignature.count + signature.count)
        authorization.append(contentsOf: beforeSignature)
        authorization.append(contentsOf: signature)
        return authorization
    }
}
