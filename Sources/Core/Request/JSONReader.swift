/// Reads one JSON text strictly (RFC 8259): UTF-8, no name twice in an object, nothing behind the value, bounded.
package struct JSONReader {
    /// SECURITY: checked before anything is decoded.
    package static let maximumBytes = 64 * 1024
    package static let maximumDepth = 32

    /// Where the text breaks the rules; `description` is `line 2, column 7: what is wrong`.
    package struct SyntaxError: Error, Equatable, CustomStringConvertible {
        package let line: Int
        /// In bytes, from 1.
        package let column: Int
        package let message: String

        package var description: String { "line \(line), column \(column): \(message)" }
    }

    /// What may stand in the text.
    package enum Dialect: Sendable {
        /// RFC 8259.
        case standard
        /// Also `\$` and `\v` in strings and a comma behind the last element, as the Amazon S3 API Reference writes POST
        /// policies.
        case postPolicy
    }

    private let bytes: [UInt8]
    private let dialect: Dialect
    private var position = 0

    /// Returns the value `bytes` hold.
    package static func read(
        _ bytes: [UInt8], dialect: Dialect = .standard, maximumBytes: Int = JSONReader.maximumBytes
    ) throws(SyntaxError) -> JSONValue {
        guard bytes.count <= maximumBytes else {
            throw SyntaxError(line: 1, column: 1, message: "longer than \(maximumBytes) bytes")
        }
        guard UTF8Text.isValid(bytes) else { throw SyntaxError(line: 1, column: 1, message: "not valid UTF-8") }
        var reader = JSONReader(bytes: bytes, dialect: dialect)
        let value = try reader.value(depth: 1)
        reader.skipBlanks()
        guard reader.position == bytes.count else { throw reader.error("nothing may follow the value") }
        return value
    }

    private init(bytes: [UInt8], dialect: Dialect) {
        self.bytes = bytes
        self.dialect = dialect
    }

    private mutating func value(depth: Int) throws(SyntaxError) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw error("nested deeper than \(Self.maximumDepth) levels") }
        skipBlanks()
        guard let first = peek else { throw error("the text ends where a value should stand") }
        switch first {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw error("a value should stand here")
        }
    }

    private mutating func object(depth: Int) throws(SyntaxError) -> JSONValue {
        var members: [JSONValue.Member] = []
        var names: Set<[UInt8]> = []
        position += 1
        skipBlanks()
        if take("}") { return .object(members) }
        while true {
            skipBlanks()
            guard peek == UInt8(ascii: "\"") else { throw error("a member's name in quotes should stand here") }
            let start = position
            let name = try string()
            guard names.insert(Array(name.utf8)).inserted else {
                position = start
                throw error("the member \"\(name)\" stands twice in one object")
            }
            skipBlanks()
            guard take(":") else { throw error("a colon should stand here") }
            members.append(JSONValue.Member(name, try value(depth: depth + 1)))
            skipBlanks()
            if take("}") { return .object(members) }
            guard take(",") else { throw error("a comma or } should stand here") }
            if takeEnd("}") { return .object(members) }
        }
    }

    private mutating func array(depth: Int) throws(SyntaxError) -> JSONValue {
        var elements: [JSONValue] = []
        position += 1
        skipBlanks()
        if take("]") { return .array(elements) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipBlanks()
            if take("]") { return .array(elements) }
            guard take(",") else { throw error("a comma or ] should stand here") }
            if takeEnd("]") { return .array(elements) }
        }
    }

    /// Takes the end behind a last comma, where the dialect has that.
    private mutating func takeEnd(_ end: Unicode.Scalar) -> Bool {
        guard dialect == .postPolicy else { return false }
        skipBlanks()
        return take(end)
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(SyntaxError) -> JSONValue {
        let word = Array(text.description.utf8)
        guard bytes[position...].starts(with: word) else { throw error("a value should stand here") }
        position += word.count
        return value
    }

    /// RFC 8259 6: no leading zero, no plus sign, digits on both sides of a point.
    private mutating func number() throws(SyntaxError) -> JSONValue {
        let start = position
        var isInteger = true
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") {
            isInteger = false
            try digits()
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int64(text) { return .integer(integer) }
        return .decimal(text)
    }

    private mutating func digits() throws(SyntaxError) {
        let start = position
        while let byte = peek, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw error("a digit should stand here") }
    }

    private mutating func string() throws(SyntaxError) -> String {
        var content: [UInt8] = []
        position += 1
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return String(decoding: content, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &content)
            case 0..<0x20: throw error("a control character stands in a string")
            default:
                content.append(byte)
                position += 1
            }
        }
        throw error("the text ends inside a string")
    }

    private mutating func escape(into content: inout [UInt8]) throws(SyntaxError) {
        position += 1
        guard let byte = peek else { throw error("the text ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "$") where dialect == .postPolicy: content.append(byte)
        case UInt8(ascii: "v") where dialect == .postPolicy: content.append(0x0B)
        case UInt8(ascii: "u"): content.append(contentsOf: String(try unicodeScalar()).utf8)
        default: throw error("an unknown escape")
        }
    }

    /// RFC 8259 7: characters beyond U+FFFF are two escapes, a surrogate pair; half a pair is no text.
    private mutating func unicodeScalar() throws(SyntaxError) -> Unicode.Scalar {
        var code = try fourHexDigits()
        if (0xD800...0xDBFF).contains(code), take("\\"), take("u") {
            let low = try fourHexDigits()
            guard (0xDC00...0xDFFF).contains(low) else { throw error("half of a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair") }
        return scalar
    }

    private mutating func fourHexDigits() throws(SyntaxError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Hex.value(byte) else { throw error("a hex digit should stand here") }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipBlanks() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    private func error(_ message: String) -> SyntaxError {
        let before = bytes[..<position]
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let line = before.count { $0 == 0x0A } + 1
        return SyntaxError(line: line, column: position - lineStart + 1, message: message)
    }
}
