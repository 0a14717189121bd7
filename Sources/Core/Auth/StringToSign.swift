/// What is signed: the canonical request's digest with date and scope, and its kin for chunks and trailers.
///
/// Sources: Amazon S3 API Reference, "Signature Calculations for the Authorization Header" (single and multiple chunks)
/// and "... Including Trailing Headers".
enum StringToSign {
    private static let emptyDigest = Hex.encode(Crypto.sha256([]))

    static func request(_ canonical: CanonicalRequest, date: [UInt8], scope: [UInt8]) -> [UInt8] {
        var text = beforeDigest(date, scope)
        Hex.append(Crypto.sha256(canonical.bytes), to: &text)
        return text
    }

    /// A request's string up to the digest of its canonical form.
    static func beforeDigest(_ date: [UInt8], _ scope: [UInt8]) -> [UInt8] { head("AWS4-HMAC-SHA256", date, scope) }

    /// `previous` is the signature before this chunk's, 64 hex digits; `digest` is the SHA-256 of the chunk's data.
    static func chunk(date: [UInt8], scope: [UInt8], previous: [UInt8], digest: [UInt8]) -> [UInt8] {
        var text = head("AWS4-HMAC-SHA256-PAYLOAD", date, scope)
        text.append(contentsOf: previous)
        text.append(0x0A)
        text.append(contentsOf: emptyDigest)
        text.append(0x0A)
        Hex.append(digest, to: &text)
        return text
    }

    /// `trailers` is `name:value\n` for each trailer, names in lower case.
    static func trailer(date: [UInt8], scope: [UInt8], previous: [UInt8], trailers: [UInt8]) -> [UInt8] {
        var text = head("AWS4-HMAC-SHA256-TRAILER", date, scope)
        text.append(contentsOf: previous)
        text.append(0x0A)
        Hex.append(Crypto.sha256(trailers), to: &text)
        return text
    }

    private static func head(_ kind: StaticString, _ date: [UInt8], _ scope: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(320)
        kind.withUTF8Buffer { unsafe text.append(contentsOf: $0) }
        text.append(0x0A)
        text.append(contentsOf: date)
        text.append(0x0A)
        text.append(contentsOf: scope)
        text.append(0x0A)
        return text
    }
}
