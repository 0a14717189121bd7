/// Rows of words in aligned columns, for people.
///
/// Control characters are shown as `\xNN`: a key or a display name cannot move the cursor of who reads it.
struct Table {
    private var rows: [[String]]

    init(_ titles: String...) { rows = [titles] }

    mutating func add(_ words: String...) { rows.append(words.map(Self.printable)) }

    /// The lines without a line feed at the end; only the titles when nothing was added.
    var text: String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        let lines = rows.map { row in
            var line = ""
            for (column, word) in row.enumerated() {
                line += word
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - word.count + 2) }
            }
            return line
        }
        return lines.joined(separator: "\n")
    }

    /// Lines `name  value`, for one thing; nil values are left out.
    static func fields(_ fields: [(String, String?)]) -> String {
        let known = fields.compactMap { name, value in value.map { (name, printable($0)) } }
        let width = known.map(\.0.count).max() ?? 0
        return known.map { name, value in
            "\(name)\(String(repeating: " ", count: width - name.count + 2))\(value)"
        }.joined(separator: "\n")
    }

    static func printable(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            let code = scalar.value
            guard code < 0x20 || (0x7F..<0xA0).contains(code) else {
                shown.unicodeScalars.append(scalar)
                continue
            }
            let digits = String(code, radix: 16)
            shown += "\\x" + (digits.count == 1 ? "0" : "") + digits
        }
        return shown.isEmpty ? "-" : shown
    }
}
