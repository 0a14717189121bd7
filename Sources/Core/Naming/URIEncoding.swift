/// Percent-encoding as Signature Version 4 and `encoding-type=url` want it: everything but the unreserved characters
/// `A-Z a-z 0-9 - . _ ~` (RFC 3986 2.3) becomes `%XX`.
package enum URIEncoding {
    @inline(__always) private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x2D, 0x2E, 0x5F, 0x7E: true
        default: false
        }
    }

    /// Tells whether encoding leaves `bytes` as they are.
    static func isUnreserved(_ bytes: [UInt8]) -> Bool {
        for byte in bytes where !isUnreserved(byte) { return false }
        return true
    }

    /// Appends `bytes` encoded; a `/` stays as it is when `keepingSlash`.
    package static func append(_ bytes: some Sequence<UInt8>, keepingSlash: Bool, to output: inout [UInt8]) {
        for byte in bytes {
            if isUnreserved(byte) || (keepingSlash && byte == 0x2F) {
                output.append(byte)
            } else {
                Hex.appendPercentEncoded(byte, to: &output)
            }
        }
    }

    package static func encode(_ bytes: some Sequence<UInt8>, keepingSlash: Bool) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.underestimatedCount)
        append(bytes, keepingSlash: keepingSlash, to: &output)
        return output
    }
}
