/// Finds the word somebody meant, for messages that refuse an unknown one.
package enum NearestWord {
    /// More of a mistyped word than this is not compared.
    private static let comparedBytes = 64

    /// Returns the word that `text` begins, else the one with the least edit distance to it; nil when there are none.
    package static func nearest(to text: String, among words: [String]) -> String? {
        if text.utf8.count > 2, let longer = words.first(where: { $0.hasPrefix(text) }) { return longer }
        let typed = Array(text.utf8.prefix(comparedBytes))
        return words.map { ($0, editDistance(Array($0.utf8), typed)) }.min { $0.1 < $1.1 }?.0
    }

    /// The number of bytes to insert, remove or change (Levenshtein).
    private static func editDistance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var row = Array(0...other.count)
        for (index, byte) in one.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in other.indices {
                let change = diagonal + (other[column] == byte ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(change, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[other.count]
    }
}
