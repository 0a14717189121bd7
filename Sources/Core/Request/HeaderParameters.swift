/// A header value of a word and parameters, such as `form-data; name="key"`.
///
/// Source: RFC 9110 5.6.6; what browsers write into the form-data of a file is less strict, see `quoted`.
struct HeaderParameters {
    /// In lower case.
    let word: [UInt8]
    /// Names in lower case; no name stands here twice.
    let parameters: [(name: [UInt8], value: [UInt8])]

    /// More than any client sends; each is compared with those before it.
    static let maximumCount = 32

    /// Returns nil when `text` has not this form, names a parameter twice or has too many.
    init?(parsing text: ArraySlice<UInt8>) {
        var rest = text
        word = Self.token(&rest)
        guard !word.isEmpty else { return nil }
        var found: [(name: [UInt8], value: [UInt8])] = []
        while true {
            Self.skipBlanks(&rest)
            guard let semicolon = rest.popFirst() else { break }
            guard semicolon == UInt8(ascii: ";") else { return nil }
            Self.skipBlanks(&rest)
            guard !rest.isEmpty else { break }
            let name = Self.token(&rest)
            guard found.count < Self.maximumCount, !name.isEmpty, rest.popFirst() == UInt8(ascii: "="),
                !found.contains(where: { $0.name == name }),
                let value = Self.value(&rest)
            else { return nil }
            found.append((name, value))
        }
        parameters = found
    }

    subscript(name: StaticString) -> [UInt8]? {
        parameters.first { item in name.withUTF8Buffer { unsafe item.name.elementsEqual($0) } }?.value
    }

    private static func skipBlanks(_ rest: inout ArraySlice<UInt8>) {
        while rest.first == 0x20 || rest.first == 0x09 { rest.removeFirst() }
    }

    /// Takes what stands before a separator, in lower case.
    private static func token(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        let token = rest.prefix { $0 > 0x20 && $0 != 0x7F && !separators.contains($0) }
        rest = rest.dropFirst(token.count)
        return token.map(ASCII.lower)
    }

    private static let separators = Array(";=\",".utf8)

    private static func value(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard rest.first == UInt8(ascii: "\"") else {
            let value = rest.prefix { $0 > 0x20 && $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: "\"") }
            rest = rest.dropFirst(value.count)
            return Array(value)
        }
        rest.removeFirst()
        return quoted(&rest)
    }

    /// Takes up to the closing quote.
    ///
    /// Only `\"` is an escape: browsers send a path such as `C:\photos\cat.jpg` as it is.
    private static func quoted(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return value }
            if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "\"") {
                rest.removeFirst()
                value.append(UInt8(ascii: "\""))
            } else {
                value.append(byte)
            }
        }
        return nil
    }
}
