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
    /// A GET with an `If-Match` that is not the MD5 of the object is refused, and one with it is answered.
    package var conditionalGet: Bool
    /// User metadata comes back as it was sent (names compared in lower case).
    package var userMetadata: Bool
    /// The `Server` header or a word for the kind of store.
    package var server: String
    package var probedAtMilliseconds: Int64
}

extension BackendAbilities {
    /// Tells whether the recorded abilities, as JSON text, have that one.
    ///
    /// A text from before the ability was known, or from no probe at all, has none.
    package static func says(_ name: String, _ text: String) -> Bool {
        do throws(JSONReader.SyntaxError) {
            return try JSONReader.read(Array(text.utf8))[name] == .boolean(true)
        } catch {
            return false
        }
    }
}
