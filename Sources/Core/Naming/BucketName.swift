/// A bucket name that obeys the S3 naming rules for general purpose buckets.
///
/// 3...63 bytes of `a-z 0-9 - .`, beginning and ending with a letter or digit, without `..`, not shaped like an IPv4
/// address, without the reserved prefixes and suffixes.
/// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
package struct BucketName: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package var description: String { text }
    package var bytes: [UInt8] { Array(text.utf8) }

    private static let reservedPrefixes = ["xn--", "sthree-", "amzn-s3-demo-"]
    private static let reservedSuffixes = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]

    /// Accepts `bytes` exactly as written, or throws `InvalidBucketName`; S3 never folds case or trims.
    package init(validating bytes: [UInt8]) throws(S3Error) {
        let name = String(decoding: bytes, as: UTF8.self)
        guard Self.isWellFormed(bytes), !Self.reservedPrefixes.contains(where: name.hasPrefix),
            !Self.reservedSuffixes.contains(where: name.hasSuffix)
        else { throw S3Error(.invalidBucketName).detail("BucketName", name) }
        text = name
    }

    private static func isWellFormed(_ bytes: [UInt8]) -> Bool {
        guard (3...63).contains(bytes.count), let first = bytes.first, let last = bytes.last,
            isLetterOrDigit(first), isLetterOrDigit(last)
        else { return false }
        var previous: UInt8 = 0
        for byte in bytes {
            let isDot = byte == UInt8(ascii: ".")
            guard isLetterOrDigit(byte) || byte == UInt8(ascii: "-") || isDot else { return false }
            if isDot && previous == UInt8(ascii: ".") { return false }
            previous = byte
        }
        return !isIPv4Shaped(bytes)
    }

    /// AWS makes no such bucket, though the rules do not say so any more; an imported one keeps its name.
    var hasHyphenBesideDot: Bool { zip(text.utf8, text.utf8.dropFirst()).contains { Set([$0, $1]) == Set(".-".utf8) } }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isIPv4Shaped(_ bytes: [UInt8]) -> Bool {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { (1...3).contains($0.count) && $0.allSatisfy(isDigit) }
    }
}
