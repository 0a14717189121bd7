/// The 16 upper-case hex digits that name one request in the answer and in the log (`x-amz-request-id`).
package struct RequestID: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    /// Tells in `x-amz-id-2` which process of which pool answered.
    private static let processTag = random()

    package init() { description = Self.random() }

    /// The value of `x-amz-id-2` and `HostId`.
    package var hostID: String { description + Self.processTag }

    private static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        let hex = String(generator.next() as UInt64, radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - hex.utf8.count) + hex
    }
}
