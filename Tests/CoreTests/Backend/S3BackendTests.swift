import Core
import Foundation
import Testing

/// The client against a real server that checks signatures.
@Suite struct S3BackendTests {
    private let server: RcloneServer
    private let store: S3Backend
    private let bucket = "photos"

    init() throws {
        server = try RcloneServer()
        store = try server.backend()
        #expect(try store.createBucket(bucket) == .created)
    }

    private func refusal(_ body: () throws -> Void) -> BackendError.Kind? {
        do { try body() } catch { return (error as? BackendError)?.kind }
        return nil
    }

    @Test(arguments: [0, 1, 4096, 3_000_000], [false, true])
    func `what is stored comes back`(size: Int, knowsMD5: Bool) throws {
        let content = BackendScenario.content(size)
        let fields = [HeaderField(name: "s3gw-key", value: Array("a%20b".utf8))]
        let md5 = try store.store(bucket, Array("a/b".utf8), content, metadata: fields, knowsMD5: knowsMD5)
        #expect(md5 == Crypto.md5(content))
        let object = try store.read(bucket, Array("a/b".utf8))
        #expect(object.content == content)
        #expect(object.head?.sizeBytes == Int64(size) && object.head?.metadata == fields)
        let head = try store.head(PhysicalObject(bucket: bucket, key: Array("a/b".utf8)))
        #expect(head?.sizeBytes == Int64(size) && head?.metadata == fields)
    }

    @Test(arguments: [
        "a b", "ä/ö", "a+b", "a%2Fb", "a?b=c&d", "a#b", "~-._", "a=b;c,d", "'(quotes)'*!", "a\\b", "@:$", "日本",
    ]) func `a key is signed as it is sent`(key: String) throws {
        let key = Array(key.utf8)
        try store.store(bucket, key, key)
        #expect(try store.read(bucket, key).content == key)
        #expect(try store.keys(bucket, page: 10) == [key])
        try store.delete(PhysicalObject(bucket: bucket, key: key))
        #expect(try store.head(PhysicalObject(bucket: bucket, key: key)) == nil)
    }

    @Test func `a known SHA-256 is signed`() throws {
        let content = BackendScenario.content(100_000)
        let description = ObjectDescription(
            sizeBytes: 100_000, md5: nil, sha256: Crypto.sha256(content), metadata: [])
        let receipt = try store.put(
            PhysicalObject(bucket: bucket, key: [0x61]), from: PayloadReader(plain: .memory(content)),
            description: description, grant: TestGrant.make(for: store.record))
        #expect(receipt.md5 == Crypto.md5(content))
        #expect(try store.read(bucket, [0x61]).content == content)
    }

    @Test func `a range is exactly its bytes`() throws {
        let content = BackendScenario.content(300_000)
        try store.store(bucket, [0x61], content)
        for range in [0...0, 0...299_999, 299_999...299_999, 5...200_000] as [ClosedRange<Int64>] {
            let object = try store.read(bucket, [0x61], range: range)
            #expect(object.content == Array(content[Int(range.lowerBound)...Int(range.upperBound)]))
            #expect(object.head?.sizeBytes == Int64(range.count))
        }
        #expect(refusal { _ = try store.read(bucket, [0x61], range: 0...300_000) } == .damaged)
    }

    @Test func `a source of the wrong length stores nothing`() throws {
        for size in [3, 5] as [Int64] {
            #expect(refusal { try store.store(bucket, [0x61], [1, 2, 3, 4], sizeBytes: size) } == .damaged)
            #expect(try store.head(PhysicalObject(bucket: bucket, key: [0x61])) == nil)
        }
    }

    @Test func `a grant for another backend moves no byte`() throws {
        var other = store.record
        other.id += 1
        let grant = try TestGrant.make(for: other)
        let description = ObjectDescription(sizeBytes: 1, md5: nil, sha256: nil, metadata: [])
        #expect(
            refusal {
                _ = try store.put(
                    PhysicalObject(bucket: bucket, key: [0x61]), from: PayloadReader(plain: .memory([1])),
                    description: description, grant: grant)
            } == .refused)
        #expect(try store.keys(bucket, page: 10) == [])
    }

    @Test func `listing is in byte order, page by page`() throws {
        let keys = ["a", "a/b", "a-", "b/c/d", "b/ä", "z"].map { Array($0.utf8) }
        for key in keys where key != Array("a".utf8) { try store.store(bucket, key, [1]) }
        let expected = keys.dropFirst().sorted { $0.lexicographicallyPrecedes($1) }
        #expect(try store.keys(bucket, page: 100) == expected)
        #expect(try store.keys(bucket, page: 2) == expected)
    }

    @Test func `what is missing is missing, and removing it is fine`() throws {
        #expect(refusal { _ = try store.read(bucket, [0x61]) } == .missing)
        #expect(refusal { _ = try store.list("nobucket", after: nil, limit: 1) } == .missing)
        #expect(refusal { try store.store("nobucket", [0x61], [1]) } == .missing)
        try store.delete(PhysicalObject(bucket: bucket, key: [0x61]))
        try store.deleteBucket("nobucket")
        #expect(try !store.hasBucket("nobucket"))
        #expect(try store.createBucket(bucket) == .ownedByUs)
        try store.store(bucket, [0x61], [1])
        #expect(refusal { try store.deleteBucket(bucket) } == .conflict)
        try store.delete(PhysicalObject(bucket: bucket, key: [0x61]))
        try store.deleteBucket(bucket)
        #expect(try !store.hasBucket(bucket))
    }

    @Test func `wrong credentials are refused, with the store's code and without a secret`() throws {
        let wrong = try server.backend(secret: Array("guessed-wrong".utf8))
        do {
            _ = try wrong.read(bucket, [0x61])
            Issue.record("a wrong secret must not work")
        } catch let error as BackendError {
            #expect(error.kind == .refused && error.cause.contains("SignatureDoesNotMatch"))
            #expect(!error.cause.contains("guessed-wrong"))
        }
        #expect(refusal { _ = try wrong.probe() } == .refused)
    }

    @Test func `a bucket name cannot change the host or the path`() throws {
        for name in ["", ".", "..", "a/b", "a?b", "a@b", "a b", "a\r\nb"] {
            #expect(refusal { _ = try store.hasBucket(name) } == .refused)
            #expect(refusal { try store.store(name, [0x61], [1]) } == .refused)
        }
    }

    @Test func `a probe finds out and leaves nothing behind`() throws {
        let abilities = try store.probe()
        #expect(abilities.ranges && abilities.userMetadata && abilities.contentMD5)
        #expect(!abilities.checksums)
        #expect(abilities.probedAtMilliseconds > 0)
        #expect(try store.keys(bucket, page: 10) == [])
        #expect(try server.buckets() == [bucket])
    }

    @Test func `many threads share one client`() throws {
        let store = store
        let failures = Failures()
        onThreads(8) { thread in
            do {
                for round in 0..<20 {
                    let key = Array("\(thread)/\(round)".utf8)
                    let content = BackendScenario.content(10_000, seed: UInt8(thread * 20 + round))
                    try store.store("photos", key, content)
                    if try store.read("photos", key).content != content { failures.add("other bytes") }
                }
            } catch { failures.add("\(error)") }
        }
        #expect(failures.all == [])
    }

    @Test func `TLS is verified, by the file that was given and for the name that was dialled`() throws {
        let server = try RcloneServer(isHTTPS: true)
        func store(_ endpoint: String, caFile: String?) throws -> S3Backend {
            try S3Backend(
                BackendScenario.record(
                    .s3, endpoint: endpoint, caFile: caFile, accessKeyID: RcloneServer.accessKeyID),
                secret: RcloneServer.secret)
        }
        let good = try store(server.endpoint, caFile: server.certificate)
        #expect(try good.createBucket(bucket) == .created)
        try good.store(bucket, [0x61], [1, 2, 3])
        #expect(try good.read(bucket, [0x61]).content == [1, 2, 3])
        let unknown = try store(server.endpoint, caFile: nil)
        #expect(refusal { _ = try unknown.read(bucket, [0x61]) } == .unavailable)
        let otherName = try store(
            server.endpoint.replacingOccurrences(of: "127.0.0.1", with: "localhost"), caFile: server.certificate)
        #expect(refusal { _ = try otherName.read(bucket, [0x61]) } == .unavailable)
    }
}
