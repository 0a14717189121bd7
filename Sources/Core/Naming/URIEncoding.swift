/// Percent-encoding as Signature Version 4 and `encoding-type=url` want it: everything but the unreserved characters
/// `A-Z a-z 0-9 - . _ ~` (RFC 3986 2.3) becomes `%XX`.
package enum URIEncoding {
    private static let unreserved: [Bool] = (0..<256).map { code in
        let byte = UInt8(code)
        return (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
            || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
    }

    /// Appends `bytes` encoded; a `/` stays as it is when `keepingSlash`.
    package static func append(_ bytes: some Sequence<UInt8>, keepingSlash: Bool, to output: inout [UInt8]) {
        for byte in bytes {
            if unreserved[Int(byte)] || (keepingSlash && byte == 0x2F) {
                output.append(byte)
            } else {
                Hex.appendPercentEncoded(byte, to: &output)
            }
        }
    }

    package static func encode(_ bytes: some Sequence<UInt8>, keepingSlash: Bool) -> [UInt8] {
        var output: [UInt8] = []
        append(bytes, keepingSlash: keepingSlash, to: &output)
        return output
    }
}
