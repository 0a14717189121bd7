/// The name of one immutable version: a ULID of 48 bits of milliseconds and 80 random bits.
///
/// Versions are ordered by the database's `sequence`, never by this name. Source: the ULID specification.
package struct VersionID: Hashable, Sendable, CustomStringConvertible {
    /// 16 bytes, big-endian.
    package let bytes: [UInt8]

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    package static let textLength = 26

    /// A fresh name for a version written at `time`.
    package init(at time: Timestamp) {
        var generator = SystemRandomNumberGenerator()
        let high =
            UInt64(bitPattern: time.milliseconds) << 16 | UInt64(UInt16.random(in: .min ... .max, using: &generator))
        let low = generator.next() as UInt64
        bytes = Self.bigEndian(high) + Self.bigEndian(low)
    }

    /// Bytes from the database; nil unless there are 16.
    package init?(stored bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// Reads 26 characters of Crockford's base 32, upper case; nil for anything else.
    package init?(text: some Collection<UInt8>) {
        guard text.count == Self.textLength, let first = text.first, first <= UInt8(ascii: "7") else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for character in text {
            guard let value = Self.alphabet.firstIndex(of: character) else { return nil }
            high = high << 5 | low >> 59
            low = low << 5 | UInt64(value)
        }
        bytes = Self.bigEndian(high) + Self.bigEndian(low)
    }

    package var text: [UInt8] {
        var characters = [UInt8](repeating: 0, count: Self.textLength)
        var high: UInt64 = 0
        var low: UInt64 = 0
        for byte in bytes[0..<8] { high = high << 8 | UInt64(byte) }
        for byte in bytes[8..<16] { low = low << 8 | UInt64(byte) }
        for index in stride(from: Self.textLength - 1, through: 0, by: -1) {
            characters[index] = Self.alphabet[Int(low & 31)]
            low = low >> 5 | high << 59
            high >>= 5
        }
        return characters
    }

    /// When it was made: before the first byte was sent anywhere.
    package var time: Timestamp {
        Timestamp(milliseconds: bytes[0..<6].reduce(0) { $0 << 8 | Int64($1) })
    }

    package var description: String { String(decoding: text, as: UTF8.self) }

    private static func bigEndian(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) }
    }
}
