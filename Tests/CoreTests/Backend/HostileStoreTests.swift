import Core
import Foundation
import Testing

/// Whatever a store sends: the right error, in time, and no byte that the head did not promise.
@Suite struct HostileStoreTests {
    enum Call: Sendable { case get, range, head, put, list, delete }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let call: Call
        let answer: @Sendable (HostileServer.Connection) -> Void
        let kind: BackendError.Kind?

        init(
            _ name: String, _ call: Call, _ kind: BackendError.Kind?,
            _ answer: @escaping @Sendable (HostileServer.Connection) -> Void
        ) {
            testDescription = name
            self.call = call
            self.kind = kind
            self.answer = answer
        }

        init(_ name: String, _ call: Call, _ kind: BackendError.Kind?, _ text: String) {
            self.init(name, call, kind) { connection in
                connection.send(text)
            }
        }
    }

    private static let ok = "HTTP/1.1 200 OK\r\n"
    private static let error = "<Error><Code>InternalError</Code></Error>"
    private static let content = Array("0123456789".utf8)

    private static func listing(_ keys: [String], more: String = "") -> String {
        let entries = keys.map { "<Contents><Key>\($0)</Key><Size>1</Size></Contents>" }.joined()
        let body = "\(more)<ListBucketResult>\(entries)<IsTruncated>true</IsTruncated></ListBucketResult>"
        return "\(ok)Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }

    static let cases: [Case] = [
        Case("a body cut short", .get, .short, ok + "Content-Length: 10\r\n\r\n01234"),
        Case("a body longer than promised", .get, nil, ok + "Content-Length: 10\r\n\r\n0123456789abcdef"),
        Case("a body without a length", .get, .damaged, ok + "\r\n0123456789"),
        Case("a chunked body", .get, .damaged, ok + "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n0\r\n\r\n"),
        Case("two lengths", .get, .damaged, ok + "Content-Length: 10\r\nContent-Length: 5\r\n\r\n0123456789"),
        Case("a length with a sign", .get, .unavailable, ok + "Content-Length: -10\r\n\r\n0123456789"),
        Case("a length with a plus", .get, .damaged, ok + "Content-Length: +10\r\n\r\n0123456789"),
        Case("204 to a GET", .get, .damaged, "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n"),
        Case("nothing", .get, .unavailable, ""),
        Case("no HTTP", .get, .unavailable, "0123456789 and more and more\r\n\r\n"),
        Case("a status of letters", .get, .unavailable, "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"),
        Case("a header of 1 MB", .get, .unavailable, ok + "X: " + String(repeating: "a", count: 1 << 20) + "\r\n\r\n"),
        Case("ten thousand headers", .get, .unavailable, ok + String(repeating: "X: y\r\n", count: 10_000) + "\r\n"),
        Case("a folded header", .get, .unavailable, ok + "X: a\r\n b\r\nContent-Length: 10\r\n\r\n0123456789"),
        Case(
            "a bare CR", .get, .unavailable,
            ok + "x-amz-meta-s3gw: a=b\rX-Accel-Redirect: /x\r\nContent-Length: 10\r\n\r\n"),
        Case("a control byte", .get, .unavailable, ok + "ETag: \"a\u{1B}b\"\r\nContent-Length: 10\r\n\r\n0123456789"),
        Case("endless 100 Continue", .get, .unavailable) { connection in
            while connection.send("HTTP/1.1 100 Continue\r\n\r\n") {}
        },
        Case("silence", .get, .unavailable) { $0.hang() },
        Case("silence to a HEAD", .head, .unavailable) { $0.hang() },
        Case("silence in the body", .get, .short) { connection in
            connection.send(ok + "Content-Length: 10\r\n\r\n01234")
            connection.hang()
        },
        Case("a byte now and then", .get, .short) { connection in
            connection.send(ok + "Content-Length: 1000\r\n\r\n")
            while connection.send("0") { usleep(50_000) }
        },
        Case("an endless error document", .get, .unavailable) { connection in
            connection.send("HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n")
            while connection.send("1000\r\n\(String(repeating: "a", count: 4096))\r\n") {}
        },
        Case(
            "a redirect", .get, .refused,
            "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
        Case("a range ignored", .range, .refused, ok + "Content-Length: 10\r\n\r\n0123456789"),
        Case(
            "another range", .range, .damaged,
            "HTTP/1.1 206 P\r\nContent-Length: 3\r\nContent-Range: bytes 3-5/10\r\n\r\n345"),
        Case(
            "a range of another length", .range, .damaged,
            "HTTP/1.1 206 P\r\nContent-Length: 4\r\nContent-Range: bytes 2-4/10\r\n\r\n2345"),
        Case("a range out of reach", .range, .damaged, "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n"),
        Case("403", .get, .refused, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
        Case("404", .get, .missing, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        Case("409", .delete, .conflict, "HTTP/1.1 409 No\r\nContent-Length: 0\r\n\r\n"),
        Case("429", .delete, .unavailable, "HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n"),
        Case("500", .head, .unavailable, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
        Case("507", .put, .full, "HTTP/1.1 507 No\r\nContent-Length: 0\r\n\r\n"),
        Case("404 to a DELETE", .delete, nil, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        Case(
            "200 with an error document", .put, .unavailable,
            ok + "ETag: \"781e5e245d69b566979b86e28d23f2c7\"\r\nContent-Length: \(error.utf8.count)\r\n\r\n\(error)"),
        Case(
            "the right ETag", .put, nil, ok + "ETag: \"781e5e245d69b566979b86e28d23f2c7\"\r\nContent-Length: 0\r\n\r\n"),
        Case(
            "another ETag", .put, .damaged,
            ok + "ETag: \"00000000000000000000000000000000\"\r\nContent-Length: 0\r\n\r\n"),
        Case(
            "a redirected PUT", .put, .refused,
            "HTTP/1.1 301 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
        Case("silence to a PUT", .put, .unavailable) { $0.hang() },
        Case("a PUT cut before its answer", .put, .unavailable, ""),
        Case("a listing that is no XML", .list, .unavailable, ok + "Content-Length: 5\r\n\r\nhello"),
        Case("a listing with a DTD", .list, .unavailable, listing(["a"], more: "<!DOCTYPE a [<!ENTITY b \"c\">]>")),
        Case("a listing that goes round", .list, .refused, listing(["b", "c"])),
        Case("a listing out of order", .list, .refused, listing(["c", "b"])),
        Case("an endless listing", .list, .unavailable) { connection in
            connection.send(ok + "Transfer-Encoding: chunked\r\n\r\n")
            while connection.send("10000\r\n\(String(repeating: "a", count: 65_536))\r\n") {}
        },
    ]

    @Test(arguments: cases) func `a bad answer is the right error in time`(row: Case) throws {
        let answer = row.answer
        let server = try HostileServer { connection in
            while let head = connection.readHead() {
                if head.hasPrefix("PUT") { connection.readBody(10) }
                answer(connection)
                shutdown(connection.socket, Int32(SHUT_WR))
                return connection.hang()
            }
        }
        let store = try server.backend()
        let start = Date()
        #expect(outcome(row.call, store) == row.kind)
        #expect(Date().timeIntervalSince(start) < 5)
    }

    private func outcome(_ call: Call, _ store: S3Backend) -> BackendError.Kind? {
        let object = PhysicalObject(bucket: "photos", key: Array("a".utf8))
        do {
            switch call {
            case .get: #expect(try store.read("photos", object.key).content == Self.content)
            case .range:
                #expect(try store.read("photos", object.key, range: 2...4).content == Array(Self.content[2...4]))
            case .head: _ = try store.head(object)
            case .put: try store.store("photos", object.key, Self.content)
            case .list: _ = try store.list("photos", after: nil, limit: 10)
            case .delete: try store.delete(object)
            }
            return nil
        } catch {
            #expect(!"\(error)".contains("top-secret"))
            return (error as? BackendError)?.kind
        }
    }

    @Test func `a kept connection that died is replaced without a word`() throws {
        // The first connection answers once and dies on the next request; later ones live.
        let server = try HostileServer { connection in
            while let head = connection.readHead() {
                if head.hasPrefix("PUT") { connection.readBody(10) }
                connection.send("\(Self.ok)ETag: \"781e5e245d69b566979b86e28d23f2c7\"\r\nContent-Length: 0\r\n\r\n")
                if connection.index == 0 {
                    _ = connection.readHead()
                    return
                }
            }
        }
        let store = try server.backend()
        #expect(outcome(.head, store) == nil)
        #expect(outcome(.put, store) == nil)
        #expect(outcome(.put, store) == nil)
        #expect(server.connections == 2)
    }

    @Test func `a slow reader is not taken for a slow store`() throws {
        let server = try HostileServer { connection in
            while connection.readHead() != nil {
                connection.send("\(Self.ok)Content-Length: 400000\r\n\r\n\(String(repeating: "a", count: 400_000))")
            }
        }
        let store = try server.backend()
        var count = 0
        try unsafe store.get(PhysicalObject(bucket: "photos", key: [0x61]), range: nil) { _ in
        } piece: { piece in
            count += piece.count
            usleep(400_000)
        }
        #expect(count == 400_000)
    }

    @Test func `only what describes the object comes through`() throws {
        let server = try HostileServer { connection in
            _ = connection.readHead()
            connection.send(
                "\(Self.ok)X-Accel-Redirect: /etc\r\nSet-Cookie: a\r\nStatus: 500\r\nx-amz-meta-other: a\r\n"
                    + "X-Amz-Meta-S3GW: key=b\r\nContent-Length: 10\r\n\r\n")
            connection.hang()
        }
        let head = try server.backend().head(PhysicalObject(bucket: "photos", key: [0x61]))
        #expect(head?.metadata == [HeaderField(name: "s3gw-key", value: Array("b".utf8))])
        #expect(head?.sizeBytes == 10)
    }

    @Test func `a clock that is wrong is said to be wrong, and the store's words are not repeated`() throws {
        let body = "<Error><Code>RequestTimeTooSkewed</Code><Message>AKIASECRETWORDS</Message></Error>"
        let server = try HostileServer { connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 403 No\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            connection.hang()
        }
        do {
            _ = try server.backend().read("photos", [0x61])
            Issue.record("a 403 must throw")
        } catch let error as BackendError {
            #expect(error.kind == .unavailable)
            #expect(error.cause.contains("RequestTimeTooSkewed") && error.cause.contains("clock"))
            #expect(!error.cause.contains("AKIASECRETWORDS"))
        }
    }

    @Test func `a store with other names for regions gets no location constraint`() throws {
        let bodies = Failures()
        let server = try HostileServer { connection in
            while let head = connection.readHead() {
                if head.hasPrefix("HEAD") {
                    connection.send("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
                    continue
                }
                let length = head.components(separatedBy: "\r\n").compactMap { line in
                    line.lowercased().hasPrefix("content-length: ") ? Int(line.dropFirst(16)) : nil
                }
                bodies.add(connection.readBody(length.first ?? 0))
                let body = "<Error><Code>IllegalLocationConstraintException</Code></Error>"
                connection.send(
                    length.first ?? 0 > 0
                        ? "HTTP/1.1 400 No\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                        : "\(Self.ok)Content-Length: 0\r\n\r\n")
            }
        }
        let store = try S3Backend(
            BackendScenario.record(
                .s3, endpoint: server.endpoint, accessKeyID: "AKIAEXAMPLE", signingRegion: "fi-hel-1"),
            secret: [0x61])
        #expect(try store.createBucket("photos") == .created)
        #expect(bodies.all.count == 2 && bodies.all[1] == "")
        #expect(bodies.all[0].contains("<LocationConstraint>fi-hel-1</LocationConstraint>"))
    }

    /// A bucket that another process of ours made between our look and our request is not taken for somebody else's.
    @Test(arguments: [true, false])
    func `a bucket that exists since a moment ago is ours when it takes our credentials`(isOurs: Bool) throws {
        let looks = Failures()
        let server = try HostileServer { connection in
            while let head = connection.readHead() {
                if head.hasPrefix("HEAD") {
                    looks.add(head)
                    let status = looks.all.count == 1 ? "404 No" : isOurs ? "200 OK" : "403 No"
                    connection.send("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
                    continue
                }
                let body = "<Error><Code>BucketAlreadyExists</Code></Error>"
                connection.send("HTTP/1.1 409 Conflict\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
        let store = try S3Backend(
            BackendScenario.record(.s3, endpoint: server.endpoint, accessKeyID: "AKIAEXAMPLE"), secret: [0x61])
        #expect(try store.createBucket("photos") == (isOurs ? .ownedByUs : .taken))
        #expect(looks.all.count == 2)
    }

    @Test(arguments: [BucketAddressing.path, .virtual])
    func `a bucket stands in the path or in the host`(addressing: BucketAddressing) throws {
        let heads = Failures()
        let server = try HostileServer { connection in
            while let head = connection.readHead() {
                heads.add(head)
                connection.send("\(Self.ok)Content-Length: 0\r\n\r\n")
            }
        }
        let store = try S3Backend(
            BackendScenario.record(
                .s3, endpoint: "http://localhost:\(server.port)", addressing: addressing, accessKeyID: "AKIAEXAMPLE"),
            secret: [0x61])
        _ = try store.head(PhysicalObject(bucket: "photos", key: Array("a/../b c".utf8)))
        let head = try #require(heads.all.first)
        switch addressing {
        case .path:
            #expect(head.hasPrefix("HEAD /photos/a/../b%20c HTTP/1.1\r\n"))
            #expect(head.contains("\r\nHost: localhost:\(server.port)\r\n"))
        case .virtual:
            #expect(head.hasPrefix("HEAD /a/../b%20c HTTP/1.1\r\n"))
            #expect(head.contains("\r\nHost: photos.localhost:\(server.port)\r\n"))
        }
    }

    @Test func `nobody listens`() throws {
        let port = try FreePort.find()
        let store = try S3Backend(
            BackendScenario.record(.s3, endpoint: "http://127.0.0.1:\(port)", accessKeyID: "AKIAEXAMPLE"),
            secret: [0x61])
        #expect(outcome(.get, store) == .unavailable)
    }
}
