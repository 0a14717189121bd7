import Core
import Foundation
import Testing

/// Whatever a store answers to the end of an upload: what is there decides, never what was said.
@Suite struct HostileMultipartTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// To CompleteMultipartUpload; nil closes the connection after the request was read.
        let completion: String?
        /// To the HEAD of the object.
        let head: String
        let kind: BackendError.Kind?
    }

    private static let object = PhysicalObject(bucket: "bucket", key: Array("key~1".utf8))
    private static let eTag = MultipartETag.make(md5s: [Crypto.md5([1])])
    private static let otherETag = MultipartETag.make(md5s: [Crypto.md5([2])])

    private static func answer(_ status: String, _ body: String = "") -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }

    private static func result(_ eTag: String) -> String {
        "<CompleteMultipartUploadResult><ETag>\(eTag)</ETag></CompleteMultipartUploadResult>"
    }

    private static func there(_ sizeBytes: Int, _ eTag: String) -> String {
        "HTTP/1.1 200 OK\r\nContent-Length: \(sizeBytes)\r\nETag: \"\(eTag)\"\r\nConnection: close\r\n\r\n"
    }

    private static func error(_ code: String) -> String { "<Error><Code>\(code)</Code></Error>" }
    private static let absent = answer("404 Not Found")

    static let cases: [Case] = [
        Case(testDescription: "our ETag", completion: answer("200 OK", result(eTag)), head: absent, kind: nil),
        Case(
            testDescription: "blanks before our ETag", completion: answer("200 OK", "\n\n    " + result(eTag)),
            head: absent, kind: nil),
        Case(
            testDescription: "an empty ETag, and it is there", completion: answer("200 OK", result("")),
            head: there(9, eTag), kind: nil),
        Case(
            testDescription: "an empty ETag, and it is not there", completion: answer("200 OK", result("")),
            head: absent, kind: .unavailable),
        Case(
            testDescription: "200 with an error, and it is there", completion: answer("200 OK", error("InternalError")),
            head: there(9, eTag), kind: nil),
        Case(
            testDescription: "200 with an error, and it is not there",
            completion: answer("200 OK", error("InternalError")), head: absent, kind: .unavailable),
        Case(
            testDescription: "200 with a refusal, and it is not there",
            completion: answer("200 OK", error("InvalidPart")), head: absent, kind: .refused),
        Case(
            testDescription: "a refusal, and the store does not let us look",
            completion: answer("400 Bad Request", error("InvalidPart")), head: answer("403 Forbidden"),
            kind: .unavailable),
        Case(
            testDescription: "no answer, and it is there", completion: nil, head: there(9, "opaque"), kind: nil),
        Case(testDescription: "no answer, and it is not there", completion: nil, head: absent, kind: .unavailable),
        Case(
            testDescription: "no such upload, and it is there",
            completion: answer("404 Not Found", error("NoSuchUpload")), head: there(9, eTag), kind: nil),
        Case(
            testDescription: "no such upload, and it is not there",
            completion: answer("404 Not Found", error("NoSuchUpload")), head: absent, kind: .missing),
        Case(
            testDescription: "no such upload, and something shorter is there",
            completion: answer("404 Not Found", error("NoSuchUpload")), head: there(8, eTag), kind: .damaged),
        Case(
            testDescription: "no such upload, and other parts of the same size are there",
            completion: answer("404 Not Found", error("NoSuchUpload")), head: there(9, otherETag), kind: .damaged),
        Case(
            testDescription: "another ETag, and it is there", completion: answer("200 OK", result(otherETag)),
            head: there(9, otherETag), kind: .damaged),
        Case(
            testDescription: "a body that is no XML, and it is not there", completion: answer("200 OK", "hello"),
            head: absent, kind: .unavailable),
    ]

    @Test(arguments: cases) func `the object tells what came of the completion`(_ example: Case) throws {
        let server = try HostileServer { connection in
            guard let head = connection.readHead() else { return }
            if head.hasPrefix("HEAD ") {
                connection.send(example.head)
            } else if let completion = example.completion {
                connection.send(completion)
            }
        }
        let number = try #require(PartNumber(1))
        let whole = NativeObject(
            parts: [NativePart(number: number, token: "t", sizeBytes: 9)], eTag: Self.eTag,
            description: ObjectDescription(sizeBytes: 9, md5: nil, sha256: nil, metadata: []))
        let backend = try server.backend()
        var kind: BackendError.Kind?
        do { try backend.completeUpload(Self.object, uploadID: "u", as: whole) } catch { kind = error.kind }
        #expect(kind == example.kind)
    }

    @Test(arguments: ["", "<InitiateMultipartUploadResult/>", "<Error><Code>SlowDown</Code></Error>"])
    func `an upload without an id has not begun`(body: String) throws {
        let server = try HostileServer { connection in
            if connection.readHead() != nil { connection.send(Self.answer("200 OK", body)) }
        }
        let backend = try server.backend()
        let nothing = ObjectDescription(sizeBytes: 0, md5: nil, sha256: nil, metadata: [])
        let error = #expect(throws: BackendError.self) {
            try backend.createUpload(Self.object, description: nothing, grant: TestGrant.make(for: backend.record))
        }
        #expect(error?.kind == .unavailable)
    }

    @Test(arguments: ["InitiateMultipartUploadResult", "InitiateMultipartUpload"])
    func `an upload has begun whatever the store calls its answer`(root: String) throws {
        let server = try HostileServer { connection in
            if connection.readHead() != nil {
                connection.send(Self.answer("200 OK", "<\(root)><UploadId>u</UploadId></\(root)>"))
            }
        }
        let backend = try server.backend()
        let nothing = ObjectDescription(sizeBytes: 0, md5: nil, sha256: nil, metadata: [])
        let id = try backend.createUpload(Self.object, description: nothing, grant: TestGrant.make(for: backend.record))
        #expect(id == "u")
    }

    @Test func `of the uploads a store lists only those of the key are ended`() throws {
        let uploads = ["key~1", "key~1/other", "key~1"].enumerated().map {
            "<Upload><Key>\($0.element)</Key><UploadId>u\($0.offset)</UploadId></Upload>"
        }.joined()
        let ended = Ended()
        let server = try HostileServer { connection in
            guard let head = connection.readHead() else { return }
            if head.hasPrefix("DELETE ") {
                ended.add(head.split(separator: " ")[1])
                connection.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            } else {
                connection.send(
                    Self.answer("200 OK", "<ListMultipartUploadsResult>\(uploads)</ListMultipartUploadsResult>"))
            }
        }
        try server.backend().abortUploads(Self.object, uploadID: "known")
        #expect(
            ended.targets.sorted()
                == ["known", "u0", "u2"].map { "/bucket/key~1?uploadId=\($0)" })
    }

    private final class Ended: @unchecked Sendable {
        private let lock = NSLock()
        private var all: [String] = []

        func add(_ target: Substring) { lock.withLock { all.append(String(target)) } }
        var targets: [String] { lock.withLock { all } }
    }
}
