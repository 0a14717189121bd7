import Core
import Foundation
import Glibc

@testable import S3GWFCGI

/// nginx's side of one FastCGI connection: writes the records of a request, reads those of the answer.
final class Conversation: Sendable {
    /// The end that a slot reads; the slot closes it.
    let theirs: Int32
    private let ours: Int32

    static let prepared = FastCGISlot.prepareLibrary()

    init() {
        _ = Self.prepared
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [-1, -1]
        unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        (ours, theirs) = (ends[0], ends[1])
    }

    deinit { close(ours) }

    func hangUp() { shutdown(ours, Int32(SHUT_RDWR)) }

    /// Sends a request: the whole of it, or up to the end of `body` with more to come, or cut there.
    func request(_ parameters: [(String, String)], body: [UInt8] = [], isCut: Bool = false, isOpen: Bool = false) {
        var bytes = Self.record(1, [0, 1, 0, 0, 0, 0, 0, 0])
        var pairs: [UInt8] = []
        for (name, value) in parameters {
            for count in [name.utf8.count, value.utf8.count] {
                pairs += unsafe withUnsafeBytes(of: (UInt32(count) | 0x8000_0000).bigEndian) { unsafe Array($0) }
            }
            pairs += Array(name.utf8) + Array(value.utf8)
        }
        bytes += Self.record(4, pairs) + Self.record(4, [])
        var offset = 0
        while offset < body.count {
            let end = min(offset + 32_000, body.count)
            bytes += Self.record(5, Array(body[offset..<end]))
            offset = end
        }
        if !isCut && !isOpen { bytes += Self.record(5, []) }
        send(bytes, thenHangUp: isCut)
    }

    /// Writes in a thread of its own, since the socket takes less than a large body.
    private func send(_ bytes: [UInt8], thenHangUp: Bool) {
        let ours = ours
        Foundation.Thread.detachNewThread {
            var offset = 0
            while offset < bytes.count {
                let count = unsafe bytes.withUnsafeBytes {
                    unsafe write(ours, $0.baseAddress.map { unsafe $0 + offset }, $0.count - offset)
                }
                guard count > 0 else { return }
                offset += count
            }
            if thenHangUp { shutdown(ours, Int32(SHUT_WR)) }
        }
    }

    struct Answer {
        var output: [UInt8] = []
        var hasEnded = false
        var reads = 0

        var head: String { String(decoding: output[..<split], as: UTF8.self) }
        var body: [UInt8] { Array(output[split...]) }
        private var split: Int {
            let end = Array("\r\n\r\n".utf8)
            return output.indices.first { output[$0...].starts(with: end) }.map { $0 + 4 } ?? output.count
        }
    }

    /// Reads until the slot closes the connection, and takes the records apart.
    func answer() -> Answer {
        var answer = Answer()
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe read(ours, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
            answer.reads += 1
        }
        var rest = bytes[...]
        while rest.count >= 8 {
            let header = Array(rest.prefix(8))
            let length = Int(header[4]) << 8 | Int(header[5])
            if header[1] == 6 { answer.output += rest.dropFirst(8).prefix(length) }
            if header[1] == 3 { answer.hasEnded = true }
            rest = rest.dropFirst(8 + length + Int(header[6]))
        }
        return answer
    }

    private static func record(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
        [1, type, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0] + content
    }
}
