/// The XML body of a refusal.
///
/// Source: Amazon S3 API Reference, "REST error responses".
package enum ErrorDocument {
    /// Returns the document for `error`; `resource` is the raw request path, as it arrived.
    package static func render(_ error: S3Error, resource: [UInt8], requestID: String, hostID: String) -> [UInt8] {
        var xml = XMLWriter()
        xml.open("Error")
        xml.element("Code", error.code.name)
        xml.element("Message", text(error.message.utf8))
        for detail in error.details { xml.element(detail.name, text(detail.value.utf8)) }
        xml.element("Resource", text(resource))
        xml.element("RequestId", requestID)
        xml.element("HostId", hostID)
        xml.close("Error")
        return xml.bytes
    }

    /// Returns what came from the client as text that every reader takes: U+FFFD stands for bytes that are not UTF-8, and
    /// for what XML 1.0 (section 2.2, `Char`) does not have, not even as a numeric reference.
    private static func text(_ bytes: some Collection<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case 0..<0x09, 0x0B..<0x0D, 0x0E..<0x20, 0xFFFE...0xFFFF: text.append("\u{FFFD}")
            default: text.append(scalar)
            }
        }
        return String(text)
    }
}
