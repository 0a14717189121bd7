/// Reading of single values, by the kind of their key.
extension ConfigurationKey {
    /// What is wrong with a value, in words for the operator.
    package struct BadValue: Error, Sendable {
        package let text: String
    }

    private var refusal: BadValue { BadValue(text: "bad value for \(name); allowed: \(allowed)") }

    package func integer(_ text: String) throws(BadValue) -> Int {
        guard case .integer(let range) = kind, let number = DecimalNumber.parse(Array(text.utf8)),
            range.contains(number)
        else { throw refusal }
        return number
    }

    /// Returns milliseconds.
    package func duration(_ text: String) throws(BadValue) -> Int {
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        var amount = text
        var scale = 1000
        if let unit = units.first(where: { text.hasSuffix($0.0) }) {
            amount = String(text.dropLast(unit.0.count))
            scale = unit.1
        }
        guard case .duration(let range) = kind, let number = DecimalNumber.parse(Array(amount.utf8)) else {
            throw refusal
        }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: scale)
        guard !overflow, range.contains(milliseconds) else { throw refusal }
        return milliseconds
    }

    package func word(_ text: String) throws(BadValue) -> String {
        guard case .word(let words) = kind, words.contains(text) else { throw refusal }
        return text
    }

    package func region(_ text: String) throws(BadValue) -> String {
        guard Self.isRegion(text) else { throw refusal }
        return text
    }

    /// Whether `text` can be a region: 1 to 64 of `a-z`, `0-9` and `-`.
    package static func isRegion(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
            }
    }

    /// Returns the path as written, when it is absolute, short enough, names a file and has no `..` and no control byte.
    package func path(_ text: String) throws(BadValue) -> String {
        guard case .path(let maximumBytes) = kind else { throw refusal }
        guard Self.isSanePath(text, maximumBytes: maximumBytes) else { throw refusal }
        return text
    }

    /// Returns the path of the SQLite file.
    package func database(_ text: String) throws(BadValue) -> String {
        if text.hasPrefix("postgresql:") || text.hasPrefix("postgres:") {
            throw BadValue(text: "PostgreSQL is not supported yet; use a path or sqlite:PATH")
        }
        var path = text
        if path.hasPrefix("sqlite:") { path = String(path.dropFirst("sqlite:".count)) }
        if path.hasPrefix("///") { path = String(path.dropFirst(2)) }
        guard Self.isSanePath(path, maximumBytes: 4000) else { throw refusal }
        return path
    }

    private static func isSanePath(_ path: String, maximumBytes: Int) -> Bool {
        path.hasPrefix("/") && !path.hasSuffix("/") && path.utf8.count <= maximumBytes
            && !path.utf8.contains { $0 < 0x20 || $0 == 0x7F }
            && !path.utf8.split(separator: 0x2F).contains { $0.elementsEqual("..".utf8) }
    }
}
