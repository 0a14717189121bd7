/// The 16 upper-case hex digits that name one request in the answer and in the log (`x-amz-request-id`).
package struct RequestID: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init() {
        var generator = SystemRandomNumberGenerator()
        let hex = String(generator.next() as UInt64, radix: 16, uppercase: true)
        description = String(repeating: "0", count: 16 - hex.utf8.count) + hex
    }
}
