/// What a probe found out about a store; recorded rather than assumed (DESIGN.md 7).
package struct BackendAbilities: Sendable, Codable, Equatable {
    /// PUT with `If-None-Match: *` onto an existing key is refused.
    package var conditionalPut: Bool
    /// `x-amz-checksum-crc32` with a wrong value is refused.
    package var checksums: Bool
    /// A wrong Content-MD5 is refused.
    package var contentMD5: Bool
    /// Ranged reads answer 206 with exactly the bytes.
    package var ranges: Bool
    /// User metadata comes back as it was sent (names compared in lower case).
    package var userMetadata: Bool
    /// The `Server` header or a word for the kind of store.
    package var server: String
    package var probedAtMilliseconds: Int64
}
