/// One word or one punctuation byte of Swift source; comments and the text of string literals leave none.
struct SwiftToken: Equatable {
    var text: String
    /// From 1.
    var line: Int
    /// Open braces around it.
    var depth: Int
    /// Nothing stands between it and the token before it.
    var isGlued: Bool

    var isWord: Bool { text.utf8.first.map(SwiftTokens.isWordByte) ?? false }
}

/// Cuts Swift source into tokens, well enough to look for words that must not be there.
///
/// A string literal leaves one `"` where it ends, with the tokens of its interpolations before it; a name in backticks
/// leaves one token. Regular expression literals are not known.
struct SwiftTokens {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var depth = 0
    private var isGlued = false
    private var tokens: [SwiftToken] = []

    static func of(_ source: String) -> [SwiftToken] {
        var scanner = SwiftTokens(bytes: Array(source.utf8))
        scanner.code(isInterpolation: false)
        return scanner.tokens
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...0xFF:
            true
        default: false
        }
    }

    private func starts(_ text: StaticString, at position: Int? = nil) -> Bool {
        let start = position ?? index
        let wanted = Array(text.description.utf8)
        return start + wanted.count <= bytes.count && bytes[start..<start + wanted.count].elementsEqual(wanted)
    }

    private mutating func emit(_ text: String) {
        tokens.append(SwiftToken(text: text, line: line, depth: depth, isGlued: isGlued))
        isGlued = true
    }

    /// Reads code to the end, or to the parenthesis that closes the interpolation.
    private mutating func code(isInterpolation: Bool) {
        var parentheses = 0
        while index < bytes.count {
            let byte = bytes[index]
            if Self.isWordByte(byte) {
                word()
            } else if starts("//") {
                while index < bytes.count && bytes[index] != UInt8(ascii: "\n") { index += 1 }
                isGlued = false
            } else if starts("/*") {
                blockComment()
            } else if let hashes = hashesBeforeQuote() {
                index += hashes
                string(hashes: hashes)
            } else if byte == UInt8(ascii: "`") {
                quotedName()
            } else if byte <= 0x20 {
                if byte == UInt8(ascii: "\n") { line += 1 }
                isGlued = false
                index += 1
            } else {
                if byte == UInt8(ascii: ")") {
                    if isInterpolation && parentheses == 0 { return }
                    parentheses -= 1
                }
                if byte == UInt8(ascii: "(") { parentheses += 1 }
                if byte == UInt8(ascii: "}") { depth -= 1 }
                emit(String(UnicodeScalar(byte)))
                if byte == UInt8(ascii: "{") { depth += 1 }
                index += 1
            }
        }
    }

    private mutating func word() {
        let start = index
        while index < bytes.count && Self.isWordByte(bytes[index]) { index += 1 }
        emit(String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private mutating func quotedName() {
        let start = index
        index += 1
        while index < bytes.count && bytes[index] != UInt8(ascii: "`") { index += 1 }
        index = min(index + 1, bytes.count)
        emit(String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private mutating func blockComment() {
        var nesting = 0
        repeat {
            if starts("/*") {
                nesting += 1
                index += 2
            } else if starts("*/") {
                nesting -= 1
                index += 2
            } else {
                if bytes[index] == UInt8(ascii: "\n") { line += 1 }
                index += 1
            }
        } while nesting > 0 && index < bytes.count
        isGlued = false
    }

    /// The number of `#` before a quote that opens a string here; nil when none opens.
    private func hashesBeforeQuote() -> Int? {
        var position = index
        while position < bytes.count && bytes[position] == UInt8(ascii: "#") { position += 1 }
        return position < bytes.count && bytes[position] == UInt8(ascii: "\"") ? position - index : nil
    }

    private func hasHashes(_ count: Int, at position: Int) -> Bool {
        position + count <= bytes.count && bytes[position..<position + count].allSatisfy { $0 == UInt8(ascii: "#") }
    }

    /// Reads from the opening quote to behind the closing one.
    private mutating func string(hashes: Int) {
        let isLong = starts("\"\"\"")
        let quotes = isLong ? 3 : 1
        index += quotes
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\") && hasHashes(hashes, at: index + 1) {
                index += 1 + hashes
                guard index < bytes.count else { break }
                if bytes[index] == UInt8(ascii: "(") {
                    index += 1
                    code(isInterpolation: true)
                } else if bytes[index] == UInt8(ascii: "\n") {
                    continue
                }
                index += 1
            } else if isLong ? starts("\"\"\"") : starts("\""), hasHashes(hashes, at: index + quotes) {
                index += quotes + hashes
                break
            } else {
                if bytes[index] == UInt8(ascii: "\n") { line += 1 }
                index += 1
            }
        }
        isGlued = false
        emit("\"")
    }
}
