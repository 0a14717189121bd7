/// Makes the hashed bucket names that backends see (SECURITY.md 9, DESIGN.md 4).
///
/// Scheme 1: `s3gw-<hash>-<backend>`, where hash is 26 characters of base 32 (130 bits) of HMAC-SHA256 under the
/// installation's namespace key over the length-prefixed fields tenant, region scope, logical bucket, backend and
/// collision counter. The stored mapping is the truth; a name is never recomputed for use.
package struct PhysicalBucketNaming: Sendable {
    package static let scheme = 1
    package static let hashLength = 26
    /// `s3gw-` + 26 + `-` leaves 31 of 63 bytes for the backend's name.
    package static let maximumBackendNameLength = 31

    /// Tells whether a backend may have this name: 1 to 31 of `a-z`, `0-9` and `-`, so that a bucket's name ends legally.
    package static func isBackendName(_ text: String) -> Bool {
        let isAlphanumeric: (UInt8) -> Bool = { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
        guard let first = text.utf8.first, let last = text.utf8.last, text.utf8.count <= maximumBackendNameLength else {
            return false
        }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

    /// Tells whether a bucket of that name may be ours on that backend: `s3gw-` or `s3gr-`, a hash, and its name.
    ///
    /// Who has the namespace key can tell for certain.
    package static func looksLikeOurs(_ name: String, backend: String) -> Bool {
        let prefix = name.prefix(5)
        guard prefix == "s3gw-" || prefix == "s3gr-", name.utf8.count == 6 + hashLength + backend.utf8.count else {
            return false
        }
        return name.hasSuffix("-\(backend)")
            && name.utf8.dropFirst(5).prefix(hashLength).allSatisfy { alphabet.contains($0) }
    }

    private let hmac: @Sendable ([UInt8]) -> [UInt8]

    /// `hmac` computes HMAC-SHA256 under the installation's namespace key.
    package init(hmac: @escaping @Sendable ([UInt8]) -> [UInt8]) { self.hmac = hmac }

    /// Returns the name for these fields; the same fields always give the same name.
    package func name(tenant: String, regionScope: String, bucket: BucketName, backend: String, counter: Int) -> String
    {
        name(
            fields: ["s3gw-bucket-\(Self.scheme)", tenant, regionScope, bucket.text, backend, String(counter)],
            backend: backend)
    }

    /// Returns the name of a bucket that belongs to no tenant: `s3gr-<hash>-<backend>`.
    package func recoveryName(backend: String) -> String {
        name(fields: ["s3gw-recovery-\(Self.scheme)", backend], backend: backend, prefix: "s3gr")
    }

    private func name(fields: [String], backend: String, prefix: String = "s3gw") -> String {
        var message: [UInt8] = []
        for field in fields {
            let length = UInt32(field.utf8.count)
            message.append(contentsOf: (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) })
            message.append(contentsOf: field.utf8)
        }
        return "\(prefix)-\(Self.base32(hmac(message)))-\(backend)"
    }

    private static func base32(_ digest: [UInt8]) -> String {
        var characters: [UInt8] = []
        var buffer: UInt32 = 0
        var bits = 0
        for byte in digest where characters.count < hashLength {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 5 && characters.count < hashLength {
                bits -= 5
                characters.append(alphabet[Int(buffer >> UInt32(bits) & 31)])
            }
        }
        return String(decoding: characters, as: UTF8.self)
    }
}
