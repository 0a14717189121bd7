/// The number of one part of a multipart upload, 1...10,000.
///
/// Source: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
package struct PartNumber: Hashable, Comparable, Sendable {
    package let value: Int

    package static let maximum = 10_000

    /// Reads decimal digits; nil for anything else or a number out of range.
    package init?(text: String) {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(text), (1...Self.maximum).contains(number)
        else { return nil }
        value = number
    }

    /// Nil for a number out of range.
    package init?(_ number: Int) {
        guard (1...Self.maximum).contains(number) else { return nil }
        value = number
    }

    package static func < (one: PartNumber, other: PartNumber) -> Bool { one.value < other.value }
}
