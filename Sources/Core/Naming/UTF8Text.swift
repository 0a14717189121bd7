/// Checks bytes that are meant to be text.
package enum UTF8Text {
    /// Tells whether `bytes` are well-formed UTF-8 (Unicode 15, table 3-7).
    package static func isValid(_ bytes: [UInt8]) -> Bool {
        var isASCII = true
        for byte in bytes where byte >= 0x80 {
            isASCII = false
            break
        }
        return isASCII || String(validating: bytes, as: UTF8.self) != nil
    }
}
