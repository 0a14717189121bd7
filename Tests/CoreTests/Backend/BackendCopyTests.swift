import Core
import Foundation
import Testing

/// Copies that a store makes by itself.
@Suite struct BackendCopyTests {
    private let content = BackendScenario.content(3_000_000)
    private let from = PhysicalObject(bucket: "photos", key: Array("a b/\u{e4}+~1".utf8))
    private let to = PhysicalObject(bucket: "copies", key: Array("x~2".utf8))

    private func description(_ version: String, md5: [UInt8]? = nil) -> ObjectDescription {
        ObjectDescription(
            sizeBytes: Int64(content.count), md5: md5 ?? Crypto.md5(content), sha256: nil,
            metadata: [HeaderField(name: "s3gw-version", value: Array(version.utf8))])
    }

    private func copies(_ store: any Backend) throws {
        for bucket in ["photos", "copies"] { #expect(try store.createBucket(bucket) == .created) }
        try store.store(from.bucket, from.key, content)
        let receipt = try store.copy(
            from, to: to, description: description("2"), grant: TestGrant.make(for: store.record))
        #expect(receipt.md5 == Crypto.md5(content))
        let copy = try store.read(to.bucket, to.key)
        #expect(copy.content == content)
        #expect(copy.head?.metadata == description("2").metadata, "the copy describes itself and not its source")
        let missing = PhysicalObject(bucket: "photos", key: Array("nothing~1".utf8))
        let error = #expect(throws: BackendError.self) {
            try store.copy(
                missing, to: PhysicalObject(bucket: "copies", key: [0x79]), description: description("3"),
                grant: TestGrant.make(for: store.record))
        }
        #expect(error?.kind == .missing)
        #expect(try store.keys("copies", page: 10) == [to.key])
    }

    @Test func `a directory copies between its buckets`() throws {
        let scratch = try Scratch()
        try copies(try BackendScenario.file(scratch.path))
    }

    @Test func `a directory never copies bytes of another MD5`() throws {
        let scratch = try Scratch()
        let store = try BackendScenario.file(scratch.path)
        for bucket in ["photos", "copies"] { _ = try store.createBucket(bucket) }
        try store.store(from.bucket, from.key, content)
        let error = #expect(throws: BackendError.self) {
            try store.copy(
                from, to: to, description: description("2", md5: Crypto.md5([1])),
                grant: TestGrant.make(for: store.record))
        }
        #expect(error?.kind == .missing)
        #expect(try store.head(to) == nil)
    }

    @Test func `an S3 store copies between its buckets`() throws {
        let server = try RcloneServer()
        try copies(try server.backend())
    }

    /// What a store says to the copy, and to the question what lies there now.
    struct Case: Sendable {
        var name: String
        var copy: String
        var head: String
        var kind: BackendError.Kind?
    }

    private static func answer(_ status: String, _ body: String = "", _ headers: String = "") -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
    }

    private static let there = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nx-amz-meta-s3gw: version=2\r\n\r\n"
    private static let other = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nx-amz-meta-s3gw: version=1\r\n\r\n"
    private static let nothing = answer("404 Not Found")
    private static let error = answer("200 OK", "<Error><Code>InternalError</Code></Error>")
    private static let emptyETag = answer("200 OK", "<CopyObjectResult><ETag></ETag></CopyObjectResult>")

    static let cases = [
        Case(name: "an error in a 200", copy: error, head: nothing, kind: .unavailable),
        Case(name: "an error in a 200 after the copy was made", copy: error, head: there, kind: nil),
        Case(name: "no ETag, and the object is there", copy: emptyETag, head: there, kind: nil),
        Case(name: "no ETag, and another object is there", copy: emptyETag, head: other, kind: .unavailable),
        Case(name: "nothing after committing", copy: "", head: there, kind: nil),
        Case(name: "nothing at all", copy: "", head: nothing, kind: .unavailable),
        Case(name: "no such thing", copy: answer("501 Not Implemented"), head: there, kind: .refused),
    ]

    @Test(arguments: cases) func `an unclear answer is settled by what lies there`(row: Case) throws {
        let server = try HostileServer { connection in
            while let head = connection.readHead() {
                let answer = head.hasPrefix("HEAD") ? row.head : row.copy
                guard !answer.isEmpty, connection.send(answer) else { return }
            }
        }
        let store = try server.backend()
        let description = ObjectDescription(
            sizeBytes: 4, md5: Crypto.md5([1]), sha256: nil,
            metadata: [HeaderField(name: "s3gw-version", value: Array("2".utf8))])
        var kind: BackendError.Kind?
        do {
            _ = try store.copy(from, to: to, description: description, grant: TestGrant.make(for: store.record))
        } catch let error as BackendError { kind = error.kind }
        #expect(kind == row.kind, "\(row.name)")
    }
}
