/// One element of a request document.
package struct XMLElement: Sendable, Hashable {
    /// The local name, without a prefix.
    package var name: String
    /// The character data directly inside, references resolved.
    package var text: [UInt8] = []
    package var children: [XMLElement] = []

    package func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    package func children(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// The text as a word; for values compared with ASCII only.
    package var word: String { String(decoding: text, as: UTF8.self) }

    /// The same of an entity tag; by bytes, because a mark that combines with a quote would hide it.
    package var wordWithoutQuotes: String { String(decoding: text.filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self) }
}

/// A small strict reader for the XML bodies of S3 requests.
///
/// Reads the whole document or throws `MalformedXML`: no DTD, no processing instruction but the declaration, the five
/// entities and numeric references, well-formed UTF-8, balanced tags, one root, nothing after it. Names lose their
/// namespace prefix; attributes are checked for form and dropped, because S3 gives them no meaning here.
/// Source: XML 1.0 (fifth edition); SECURITY "Swift and Foundation traps".
package struct XMLReader {
    package static let maximumBytes = 1 << 20
    package static let maximumDepth = 16
    package static let maximumElements = 64 * 1024

    private let bytes: [UInt8]
    private var index = 0
    private var elements = 0

    /// Returns the root element, which must be called `root`.
    package static func parse(
        _ bytes: [UInt8], root: String, maximumBytes: Int = XMLReader.maximumBytes
    ) throws(S3Error) -> XMLElement {
        guard bytes.count <= maximumBytes, UTF8Text.isValid(bytes) else { throw S3Error(.malformedXML) }
        var reader = XMLReader(bytes: bytes)
        let element = try reader.document()
        guard element.name == root else { throw S3Error(.malformedXML) }
        return element
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func document() throws(S3Error) -> XMLElement {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        if starts(with: "<?xml") { try skip(past: "?>") }
        try skipMisc()
        let root = try element(depth: 1)
        try skipMisc()
        guard index == bytes.count else { throw S3Error(.malformedXML) }
        return root
    }

    /// White space and comments outside the root.
    private mutating func skipMisc() throws(S3Error) {
        while true {
            skipBlanks()
            guard starts(with: "<!--") else { return }
            try skip(past: "-->")
        }
    }

    private mutating func element(depth: Int) throws(S3Error) -> XMLElement {
        elements += 1
        guard depth <= Self.maximumDepth, elements <= Self.maximumElements, take(UInt8(ascii: "<")) else {
            throw S3Error(.malformedXML)
        }
        let qualifiedName = try name()
        var element = XMLElement(name: Self.localName(qualifiedName))
        if try attributesEndEmpty() { return element }
        while true {
            guard index < bytes.count else { throw S3Error(.malformedXML) }
            if starts(with: "</") {
                index += 2
                guard try name() == qualifiedName else { throw S3Error(.malformedXML) }
                skipBlanks()
                guard take(UInt8(ascii: ">")) else { throw S3Error(.malformedXML) }
                return element
            }
            if starts(with: "<!--") {
                try skip(past: "-->")
            } else if starts(with: "<![CDATA[") {
                let start = index + 9
                try skip(past: "]]>")
                try literal(bytes[start..<index - 3], into: &element.text)
            } else if bytes[index] == UInt8(ascii: "<") {
                element.children.append(try self.element(depth: depth + 1))
            } else {
                try characterData(into: &element.text)
            }
        }
    }

    /// Reads attributes up to `>` or `/>`; true for the latter.
    private mutating func attributesEndEmpty() throws(S3Error) -> Bool {
        while true {
            let before = index
            skipBlanks()
            if take(UInt8(ascii: ">")) { return false }
            if starts(with: "/>") {
                index += 2
                return true
            }
            guard index > before else { throw S3Error(.malformedXML) }
            _ = try name()
            skipBlanks()
            guard take(UInt8(ascii: "=")) else { throw S3Error(.malformedXML) }
            skipBlanks()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") || bytes[index] == UInt8(ascii: "'") else {
                throw S3Error(.malformedXML)
            }
            let quote = bytes[index]
            index += 1
            while index < bytes.count && bytes[index] != quote && bytes[index] != UInt8(ascii: "<") { index += 1 }
            guard take(quote) else { throw S3Error(.malformedXML) }
        }
    }

    private mutating func name() throws(S3Error) -> ArraySlice<UInt8> {
        let start = index
        while index < bytes.count, Self.isNameByte(bytes[index], first: index == start) { index += 1 }
        let name = bytes[start..<index]
        // Namespaces in XML 1.0, section 4: at most one prefix, and a name on both sides of its colon.
        guard let colon = name.firstIndex(of: UInt8(ascii: ":")) else {
            guard !name.isEmpty else { throw S3Error(.malformedXML) }
            return name
        }
        let local = name[(colon + 1)...]
        guard colon > start, let first = local.first, Self.isNameByte(first, first: true),
            !local.contains(UInt8(ascii: ":"))
        else { throw S3Error(.malformedXML) }
        return name
    }

    /// ASCII names and any byte of a longer UTF-8 character: S3 has no others.
    private static func isNameByte(_ byte: UInt8, first: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: ":"), 0x80...0xFF:
            true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."): !first
        default: false
        }
    }

    private static func localName(_ name: ArraySlice<UInt8>) -> String {
        let colon = name.firstIndex(of: UInt8(ascii: ":"))
        return String(decoding: name[(colon.map { $0 + 1 } ?? name.startIndex)...], as: UTF8.self)
    }

    private mutating func characterData(into text: inout [UInt8]) throws(S3Error) {
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "<"): return
            case UInt8(ascii: "&"): try reference(into: &text)
            case 0x0D:
                // XML 1.0 2.11: CR LF and CR are read as LF.
                index += 1
                if index < bytes.count && bytes[index] == 0x0A { index += 1 }
                text.append(0x0A)
            case let byte where !Self.isCharacterByte(byte): throw S3Error(.malformedXML)
            case UInt8(ascii: "]") where starts(with: "]]>"): throw S3Error(.malformedXML)
            default:
                text.append(byte)
                index += 1
            }
        }
    }

    /// A CDATA section: no references, but line ends and forbidden characters as everywhere.
    private func literal(_ data: ArraySlice<UInt8>, into text: inout [UInt8]) throws(S3Error) {
        var previous: UInt8 = 0
        for byte in data {
            guard Self.isCharacterByte(byte) else { throw S3Error(.malformedXML) }
            if byte == 0x0D {
                text.append(0x0A)
            } else if byte != 0x0A || previous != 0x0D {
                text.append(byte)
            }
            previous = byte
        }
    }

    /// XML 1.0 2.2: of the control characters only tab, LF and CR stand in a document.
    private static func isCharacterByte(_ byte: UInt8) -> Bool {
        byte >= 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    private static let longestReference = 10

    private mutating func reference(into text: inout [UInt8]) throws(S3Error) {
        let start = index + 1
        let window = bytes[start..<min(bytes.count, start + Self.longestReference)]
        guard let end = window.firstIndex(of: UInt8(ascii: ";")) else { throw S3Error(.malformedXML) }
        let word = String(decoding: bytes[start..<end], as: UTF8.self)
        index = end + 1
        switch word {
        case "amp": text.append(UInt8(ascii: "&"))
        case "lt": text.append(UInt8(ascii: "<"))
        case "gt": text.append(UInt8(ascii: ">"))
        case "quot": text.append(UInt8(ascii: "\""))
        case "apos": text.append(UInt8(ascii: "'"))
        default:
            guard let scalar = Self.numericReference(bytes[start..<end]) else { throw S3Error(.malformedXML) }
            text.append(contentsOf: String(Character(scalar)).utf8)
        }
    }

    /// `#38` or `#x26`.
    ///
    /// Control characters are taken, although XML 1.0 refuses them: S3 keys may hold them, and SDKs write them so in
    /// DeleteObjects.
    private static func numericReference(_ word: ArraySlice<UInt8>) -> Unicode.Scalar? {
        guard word.first == UInt8(ascii: "#"), word.count >= 2 else { return nil }
        let isHex = word[word.startIndex + 1] == UInt8(ascii: "x")
        let digits = word.dropFirst(isHex ? 2 : 1)
        guard !digits.isEmpty else { return nil }
        var value: UInt32 = 0
        for digit in digits {
            guard let number = Hex.value(digit), isHex || number < 10 else { return nil }
            value = value * (isHex ? 16 : 10) + UInt32(number)
            guard value <= 0x10FFFF else { return nil }
        }
        return value == 0 ? nil : Unicode.Scalar(value)
    }

    private mutating func skipBlanks() {
        while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
    }

    private func starts(with word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard index + count <= bytes.count else { return false }
        return word.withUTF8Buffer { unsafe bytes[index..<index + count].elementsEqual($0) }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func skip(past word: StaticString) throws(S3Error) {
        while index < bytes.count {
            if starts(with: word) {
                index += word.utf8CodeUnitCount
                return
            }
            index += 1
        }
        throw S3Error(.malformedXML)
    }
}
