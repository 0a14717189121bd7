/// Hexadecimal digits as bytes.
package enum Hex {
    private static let upper = Array("0123456789ABCDEF".utf8)

    /// Returns 0...15, or nil when `byte` is no hex digit of either case.
    package static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Returns two lower-case digits a byte.
    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var digits: [UInt8] = []
        digits.reserveCapacity(bytes.count * 2)
        append(bytes, to: &digits)
        return digits
    }

    // hot: every signature and digest.
    /// Appends two lower-case digits a byte.
    package static func append(_ bytes: [UInt8], to digits: inout [UInt8]) {
        for byte in bytes {
            digits.append(lowerDigit(byte >> 4))
            digits.append(lowerDigit(byte & 15))
        }
    }

    @inline(__always) private static func lowerDigit(_ value: UInt8) -> UInt8 { value + (value < 10 ? 0x30 : 0x57) }

    package static func text(_ bytes: [UInt8]) -> String { String(decoding: encode(bytes), as: UTF8.self) }

    /// Returns the bytes, or nil when `digits` has an odd count or another character.
    package static func decode(_ digits: some Collection<UInt8>) -> [UInt8]? {
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            guard let value = value(digit) else { return nil }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }

    /// Appends `%XX` with upper-case digits (RFC 3986 2.1).
    package static func appendPercentEncoded(_ byte: UInt8, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "%"))
        bytes.append(upper[Int(byte >> 4)])
        bytes.append(upper[Int(byte & 15)])
    }
}
