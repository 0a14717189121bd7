import Core
import Foundation

/// A TCP server that answers what the test says, right or wrong.
final class HostileServer: @unchecked Sendable {
    /// One accepted connection, on the server's side.
    struct Connection {
        let socket: Int32
        /// 0 for the first connection of the server.
        let index: Int

        /// Returns the head of the next request, nil when the client closed.
        func readHead() -> String? {
            var head: [UInt8] = []
            var byte: UInt8 = 0
            while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
                guard unsafe recv(socket, &byte, 1, 0) == 1 else { return nil }
                head.append(byte)
            }
            return String(decoding: head, as: UTF8.self)
        }

        @discardableResult
        func readBody(_ count: Int) -> String {
            var bytes = [UInt8](repeating: 0, count: count)
            guard count > 0, unsafe recv(socket, &bytes, count, Int32(MSG_WAITALL)) == count else { return "" }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// False when the client is gone.
        @discardableResult
        func send(_ text: String) -> Bool {
            let bytes = Array(text.utf8)
            var done = 0
            while done < bytes.count {
                let rest = Array(bytes[done...])
                let part = unsafe Glibc.send(socket, rest, rest.count, Int32(MSG_NOSIGNAL))
                guard part > 0 else { return false }
                done += part
            }
            return true
        }

        /// Waits until the client closes, at most ten seconds.
        func hang() {
            var timeout = timeval(tv_sec: 10, tv_usec: 0)
            unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            var byte: UInt8 = 0
            while unsafe recv(socket, &byte, 1, 0) > 0 {}
        }
    }

    let port: UInt16
    private let listener: Int32
    private let lock = NSLock()
    private var accepted = 0

    var connections: Int { lock.withLock { accepted } }
    var endpoint: String { "http://127.0.0.1:\(port)" }

    /// Each connection runs `script` on a thread of its own and is closed after it.
    init(_ script: @escaping @Sendable (Connection) -> Void) throws {
        (listener, port) = try FreePort.listen()
        let listener = listener
        Thread { [weak self] in
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0, let self else { return }
                let index = self.lock.withLock {
                    self.accepted += 1
                    return self.accepted - 1
                }
                Thread {
                    script(Connection(socket: socket, index: index))
                    close(socket)
                }.start()
            }
        }.start()
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    static var shortDeadlines: TransferDeadlines {
        var deadlines = TransferDeadlines()
        deadlines.connectMilliseconds = 1000
        deadlines.firstByteMilliseconds = 1000
        deadlines.answerMilliseconds = 1000
        deadlines.stallMilliseconds = 1000
        deadlines.smallCallMilliseconds = 2000
        return deadlines
    }

    func backend(_ deadlines: TransferDeadlines = shortDeadlines) throws -> S3Backend {
        try S3Backend(
            BackendScenario.record(.s3, endpoint: endpoint, accessKeyID: "AKIAEXAMPLE"),
            secret: Array("top-secret".utf8), deadlines: deadlines)
    }
}
