/// Writes the XML answers of S3 as bytes.
///
/// Text is escaped so that any reader gets the same bytes back: four entities, and control bytes as numeric references.
/// Bytes that XML 1.0 cannot carry (section 2.2, `Char`) become numeric references, as AWS does; a client that may meet
/// such keys asks for `encoding-type=url`.
package struct XMLWriter {
    package private(set) var bytes: [UInt8] = []
    /// What every document begins with.
    package static let declaration = Array(#"<?xml version="1.0" encoding="UTF-8"?>"#.utf8) + [0x0A]
    private static let namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

    package init(reserving capacity: Int = 512) {
        bytes.reserveCapacity(capacity)
        bytes.append(contentsOf: Self.declaration)
    }

    /// Opens the root element in S3's namespace.
    package mutating func openRoot(_ name: String) {
        append("<\(name) xmlns=\"\(Self.namespace)\">")
    }

    /// Writes a document of one element in S3's namespace.
    package mutating func rootElement(_ name: String, _ text: String) {
        openRoot(name)
        for byte in text.utf8 { escape(byte) }
        close(name)
    }

    package mutating func open(_ name: String) {
        bytes.append(0x3C)
        bytes.append(contentsOf: name.utf8)
        bytes.append(0x3E)
    }

    package mutating func close(_ name: String) {
        bytes.append(0x3C)
        bytes.append(0x2F)
        bytes.append(contentsOf: name.utf8)
        bytes.append(0x3E)
    }

    package mutating func element(_ name: String, _ text: String) {
        open(name)
        for byte in text.utf8 { escape(byte) }
        close(name)
    }

    package mutating func element(_ name: String, _ text: [UInt8]) {
        open(name)
        for byte in text { escape(byte) }
        close(name)
    }

    package mutating func element(_ name: String, _ number: Int) { element(name, String(number)) }

    package mutating func element(_ name: String, _ flag: Bool) { element(name, flag ? "true" : "false") }

    private mutating func append(_ markup: String) { bytes.append(contentsOf: markup.utf8) }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "&"): append("&amp;")
        case UInt8(ascii: "<"): append("&lt;")
        case UInt8(ascii: ">"): append("&gt;")
        case UInt8(ascii: "\""): append("&quot;")
        case 0x00..<0x09, 0x0B..<0x20: append("&#x\(String(byte, radix: 16, uppercase: true));")
        default: bytes.append(byte)
        }
    }
}
