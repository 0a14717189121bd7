/// A logical object key: 1...1024 bytes of UTF-8 without NUL, compared as bytes.
///
/// Source: Amazon S3 User Guide, "Naming Amazon S3 objects".
package struct ObjectKey: Hashable, Comparable, Sendable {
    package let bytes: [UInt8]

    package static let maximumBytes = 1024

    /// Throws `KeyTooLongError` above 1,024 bytes and `InvalidURI` for bytes that are not UTF-8 or have a NUL: no URI and
    /// no XML document can name such a key, so it could be neither read nor deleted, nor listed (XML 1.0, 2.2).
    package init(validating bytes: [UInt8]) throws(S3Error) {
        guard bytes.count <= Self.maximumBytes else {
            throw S3Error(.keyTooLong).detail("Size", String(bytes.count))
                .detail("MaxSizeAllowed", String(Self.maximumBytes))
        }
        guard !bytes.isEmpty, !bytes.contains(0), UTF8Text.isValid(bytes) else { throw S3Error(.invalidURI) }
        self.bytes = bytes
    }

    /// A key that the database holds, and that was checked when it was written.
    package init(stored bytes: [UInt8]) { self.bytes = bytes }

    package static func < (one: ObjectKey, other: ObjectKey) -> Bool {
        one.bytes.lexicographicallyPrecedes(other.bytes)
    }

    /// For people: bytes that are not text become U+FFFD.
    package var text: String { String(decoding: bytes, as: UTF8.self) }
}
