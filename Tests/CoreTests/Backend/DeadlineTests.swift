import Core
import Foundation
import Testing

/// A store that keeps silent is given up by the deadline that fits what it was asked for.
@Suite struct DeadlineTests {
    static let object = PhysicalObject(bucket: "photos", key: Array("a".utf8))

    /// The error of `call` at a store that answers each head with `answer`, and the seconds it took.
    func failure(
        _ change: (inout TransferDeadlines) -> Void,
        answer: @escaping @Sendable (HostileServer.Connection) -> Void = { $0.hang() },
        _ call: (S3Backend) throws -> Void
    ) throws -> (error: BackendError?, seconds: Double) {
        let server = try HostileServer { connection in
            while connection.readHead() != nil { answer(connection) }
        }
        var deadlines = TransferDeadlines()
        deadlines.stallMilliseconds = 60_000
        change(&deadlines)
        let store = try server.backend(deadlines)
        let start = Date()
        do {
            try call(store)
            return (nil, Date().timeIntervalSince(start))
        } catch { return (error as? BackendError, Date().timeIntervalSince(start)) }
    }

    @Test func `a read waits for its first byte no longer than that deadline`() throws {
        let (error, seconds) = try failure({ $0.firstByteMilliseconds = 500 }) {
            _ = try $0.read("photos", Self.object.key)
        }
        #expect(error?.kind == .unavailable && error?.isHang == true)
        #expect((0.5..<4).contains(seconds))
    }

    @Test func `every other call has the deadline of answers`() throws {
        for call in [
            { (store: S3Backend) in _ = try store.head(Self.object) }, { try $0.delete(Self.object) },
            { _ = try $0.list("photos", after: nil, limit: 1) },
            { _ = try $0.store("photos", Self.object.key, Array("0123456789".utf8)) },
        ] {
            let (error, seconds) = try failure({ $0.answerMilliseconds = 500 }, call)
            #expect(error?.kind == .unavailable && error?.isHang == true)
            #expect((0.5..<4).contains(seconds))
        }
    }

    @Test func `a large body gives the store time to make it durable`() throws {
        let slow: @Sendable (HostileServer.Connection) -> Void = { connection in
            connection.readBody(100_000)
            usleep(2_500_000)
            connection.send(
                "HTTP/1.1 200 OK\r\nETag: \"\(Hex.text(Crypto.md5([UInt8](repeating: 7, count: 100_000))))\"\r\n")
            connection.send("Content-Length: 0\r\n\r\n")
        }
        let put = { (store: S3Backend) in
            _ = try store.store("photos", Self.object.key, [UInt8](repeating: 7, count: 100_000))
        }
        let short: (inout TransferDeadlines) -> Void = { $0.answerMilliseconds = 500 }
        #expect(try failure(short, answer: slow, put).error?.isHang == true)
        let scaled: (inout TransferDeadlines) -> Void = {
            $0.answerMilliseconds = 500
            $0.durableBytesPerMillisecond = 10
        }
        #expect(try failure(scaled, answer: slow, put).error == nil)
    }

    @Test func `a store that works has the deadline of answers, although nothing moves`() throws {
        let slow: @Sendable (HostileServer.Connection) -> Void = { connection in
            connection.readBody(10)
            usleep(2_500_000)
            let md5 = Hex.text(Crypto.md5(Array("0123456789".utf8)))
            connection.send("HTTP/1.1 200 OK\r\nETag: \"\(md5)\"\r\nContent-Length: 0\r\n\r\n")
        }
        let answered = try failure({ $0.stallMilliseconds = 500 }, answer: slow) {
            _ = try $0.store("photos", Self.object.key, Array("0123456789".utf8))
        }
        #expect(answered.error == nil)
    }

    @Test func `the last replica may take longer to begin`() throws {
        let slow: @Sendable (HostileServer.Connection) -> Void = { connection in
            usleep(2_500_000)
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n01234")
        }
        let short: (inout TransferDeadlines) -> Void = {
            $0.firstByteMilliseconds = 500
            $0.stallMilliseconds = 500
        }
        for (patience, isGivenUp) in [(ReadPatience.usual, true), (.last, false)] {
            let (error, _) = try failure(short, answer: slow) {
                try unsafe $0.get(Self.object, range: nil, patience: patience, head: { _ in }, piece: { _ in })
            }
            #expect((error?.isHang == true) == isGivenUp && (error == nil) != isGivenUp)
        }
    }

    @Test func `a body that stops coming is a hang, one that is cut is not`() throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"
        let read = { (store: S3Backend) in _ = try store.read("photos", Self.object.key) }
        let stalled = try failure(
            { $0.stallMilliseconds = 500 },
            answer: {
                $0.send(head); $0.hang()
            }, read)
        #expect(stalled.error?.kind == .short && stalled.error?.isHang == true && stalled.seconds < 4)
        let cut = try failure(
            { _ in },
            answer: {
                $0.send(head); shutdown($0.socket, Int32(SHUT_RDWR))
            }, read)
        #expect(cut.error?.kind == .short && cut.error?.isHang == false)
    }
}
