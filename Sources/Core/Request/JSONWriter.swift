/// Writes JSON as bytes (RFC 8259).
extension JSONValue {
    /// On one line, without blanks: the form that is stored and compared.
    package var compact: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes, indentation: nil, level: 0)
        return bytes
    }

    /// Two blanks a level, for people.
    package var indented: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes, indentation: 2, level: 0)
        return bytes
    }

    private func append(to bytes: inout [UInt8], indentation: Int?, level: Int) {
        switch self {
        case .null: bytes += "null".utf8
        case .boolean(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += String(value).utf8
        case .decimal(let text): bytes += text.utf8
        case .string(let text): Self.append(text, to: &bytes)
        case .array(let elements):
            Self.append(elements, "[", "]", to: &bytes, indentation, level) { element, bytes in
                element.append(to: &bytes, indentation: indentation, level: level + 1)
            }
        case .object(let members):
            Self.append(members, "{", "}", to: &bytes, indentation, level) { member, bytes in
                Self.append(member.name, to: &bytes)
                bytes += (indentation == nil ? ":" : ": ").utf8
                member.value.append(to: &bytes, indentation: indentation, level: level + 1)
            }
        }
    }

    private static func append<Element>(
        _ elements: [Element], _ open: String, _ close: String, to bytes: inout [UInt8], _ indentation: Int?,
        _ level: Int, each: (Element, inout [UInt8]) -> Void
    ) {
        bytes += open.utf8
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appendLineBreak(to: &bytes, indentation, level + 1)
            each(element, &bytes)
        }
        if !elements.isEmpty { appendLineBreak(to: &bytes, indentation, level) }
        bytes += close.utf8
    }

    private static func appendLineBreak(to bytes: inout [UInt8], _ indentation: Int?, _ level: Int) {
        guard let indentation else { return }
        bytes.append(0x0A)
        bytes += repeatElement(0x20, count: indentation * level)
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x0A: bytes += "\\n".utf8
            case 0x09: bytes += "\\t".utf8
            case 0x0D: bytes += "\\r".utf8
            case 0..<0x20, 0x7F: bytes += "\\u00".utf8 + Hex.encode([byte])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
