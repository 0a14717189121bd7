/// Non-negative whole numbers in requests: digits only, where `Int("+5")` would be 5.
package enum DecimalNumber {
    private static let mostDigits = 18

    /// Returns nil for an empty value, another character, or more than 18 digits.
    package static func parse(_ digits: [UInt8]) -> Int? {
        guard !digits.isEmpty, digits.count <= mostDigits, digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}
