private import Glibc
private import Synchronization

/// The 16 upper-case hex digits that name one request in the answer and in the log (`x-amz-request-id`).
package struct RequestID: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    /// Tells in `x-amz-id-2` which process of which pool answered.
    private static let processTag = random()

    package init() { description = Self.random() }

    /// The value of `x-amz-id-2` and `HostId`.
    package var hostID: String { description + Self.processTag }

    private static func random() -> String {
        let number = reserve.withLock { $0.next() }
        let digits = stride(from: 60, through: 0, by: -4).map { shift in
            let value = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15
            return value + (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "A") - 10)
        }
        return String(decoding: digits, as: UTF8.self)
    }

    private static let reserve = Mutex(RandomReserve())
}

/// Random numbers for the next ids: one call of the system for many.
private struct RandomReserve {
    /// As many as getentropy(3) gives at once.
    private static let count = 32
    private var numbers: [UInt64] = []

    mutating func next() -> UInt64 {
        if numbers.isEmpty {
            numbers = [UInt64](repeating: 0, count: Self.count)
            let code = unsafe numbers.withUnsafeMutableBytes { bytes in
                guard let start = bytes.baseAddress else { return Int32(-1) }
                return unsafe getentropy(start, bytes.count)
            }
            precondition(code == 0, "the system gave no random bytes")
        }
        return numbers.removeLast()
    }
}
