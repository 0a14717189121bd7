extension Timestamp {
    /// Reads `2015-12-30T12:00:00.000Z`, with or without a fraction of 1...9 digits; nil for anything else.
    ///
    /// Source: ISO 8601 in UTC, as POST policies and XML documents of S3 have it.
    package init?(iso8601 text: [UInt8]) {
        let pattern = Array("dddd-dd-ddTdd:dd:dd".utf8)
        guard text.count > pattern.count, text.last == UInt8(ascii: "Z") else { return nil }
        for (byte, form) in zip(text, pattern) {
            let isRight = form == UInt8(ascii: "d") ? Self.isDigit(byte) : byte == form
            guard isRight else { return nil }
        }
        var milliseconds = 0
        if text.count > pattern.count + 1 {
            let digits = text[(pattern.count + 1)..<(text.count - 1)]
            guard text[pattern.count] == UInt8(ascii: "."), (1...9).contains(digits.count),
                digits.allSatisfy(Self.isDigit)
            else { return nil }
            for index in 0..<3 {
                let digit = index < digits.count ? Int(digits[digits.startIndex + index] - 0x30) : 0
                milliseconds = milliseconds * 10 + digit
            }
        }
        func field(_ range: Range<Int>) -> Int { text[range].reduce(0) { $0 * 10 + Int($1 - 0x30) } }
        self.init(
            year: field(0..<4), month: field(5..<7), day: field(8..<10), hour: field(11..<13), minute: field(14..<16),
            second: field(17..<19), millisecond: milliseconds)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
