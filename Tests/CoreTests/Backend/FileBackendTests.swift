import Core
import Foundation
import Testing

@Suite struct FileBackendTests {
    private let scratch: Scratch
    private let store: FileBackend
    private let bucket = "photos"

    init() throws {
        scratch = try Scratch()
        store = try BackendScenario.file(scratch.path)
        #expect(try store.createBucket(bucket) == .created)
    }

    private func refusal(_ body: () throws -> Void) -> BackendError.Kind? {
        do { try body() } catch { return (error as? BackendError)?.kind }
        return nil
    }

    private func files() -> [String] {
        FileManager.default.enumerator(atPath: scratch.path + "/" + bucket)?.compactMap { $0 as? String } ?? []
    }

    @Test(arguments: [0, 1, 4096, 700_000], [false, true])
    func `what is stored comes back`(size: Int, knowsMD5: Bool) throws {
        let content = BackendScenario.content(size)
        let fields = [HeaderField(name: "s3gw-key", value: Array("a%20b".utf8))]
        let md5 = try store.store(bucket, Array("a/b".utf8), content, metadata: fields, knowsMD5: knowsMD5)
        #expect(md5 == Crypto.md5(content))
        let object = try store.read(bucket, Array("a/b".utf8))
        #expect(object.content == content)
        #expect(object.head?.sizeBytes == Int64(size) && object.head?.metadata == fields)
        #expect(object.head?.eTag == Hex.text(md5))
        #expect(try store.head(PhysicalObject(bucket: bucket, key: Array("a/b".utf8)))?.metadata == fields)
    }

    @Test func `a range is exactly its bytes`() throws {
        let content = BackendScenario.content(600_000)
        try store.store(bucket, [0x61], content)
        for range in [0...0, 0...599_999, 599_999...599_999, 262_143...262_144, 5...400_000] as [ClosedRange<Int64>] {
            let object = try store.read(bucket, [0x61], range: range)
            #expect(object.content == Array(content[Int(range.lowerBound)...Int(range.upperBound)]))
            #expect(object.head?.sizeBytes == Int64(range.count))
        }
        #expect(refusal { _ = try store.read(bucket, [0x61], range: 0...600_000) } == .damaged)
    }

    @Test func `any key has its own place, and listing is in byte order`() throws {
        var generator = SeededGenerator(seed: 5)
        var model: [[UInt8]: [UInt8]] = [:]
        for round in 0..<400 {
            let key = AwkwardKeys.make(using: &generator)
            let content = Array("\(round)".utf8)
            try store.store(bucket, key, content)
            model[key] = content
        }
        for (key, content) in model { #expect(try store.read(bucket, key).content == content) }
        let expected = model.keys.sorted { $0.lexicographicallyPrecedes($1) }
        #expect(try store.keys(bucket, page: 1000) == expected)
        #expect(try store.keys(bucket, page: 7) == expected)
        for _ in 0..<100 {
            let after = AwkwardKeys.make(using: &generator)
            let next = expected.first { after.lexicographicallyPrecedes($0) }
            #expect(try store.list(bucket, after: after, limit: 1).first?.key == next)
        }
        for (index, key) in expected.enumerated() where index % 2 == 0 {
            try store.delete(PhysicalObject(bucket: bucket, key: key))
        }
        #expect(
            try store.keys(bucket, page: 50) == expected.enumerated().filter { $0.offset % 2 == 1 }.map(\.element))
        for key in expected { try store.delete(PhysicalObject(bucket: bucket, key: key)) }
        #expect(files() == [])
        try store.deleteBucket(bucket)
        #expect(try !store.hasBucket(bucket))
    }

    @Test func `a key of slashes only is stored, listed and removed`() throws {
        let key = [UInt8](repeating: UInt8(ascii: "/"), count: ObjectKey.maximumBytes)
        try store.store(bucket, key, [1, 2, 3])
        #expect(try store.read(bucket, key).content == [1, 2, 3])
        #expect(try store.list(bucket, after: nil, limit: 5) == [BackendListEntry(key: key, sizeBytes: 3)])
        try store.delete(PhysicalObject(bucket: bucket, key: key))
        #expect(files() == [])
    }

    @Test func `the data file holds the content and nothing else`() throws {
        let key = Array("a/../b".utf8)
        try store.store(bucket, key, Array("pure".utf8))
        let path = String(decoding: store.dataPath(of: PhysicalObject(bucket: bucket, key: key)), as: UTF8.self)
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("pure".utf8))
    }

    @Test func `a source of the wrong length stores nothing`() throws {
        for size in [3, 5] as [Int64] {
            #expect(refusal { try store.store(bucket, [0x61], [1, 2, 3, 4], sizeBytes: size) } == .damaged)
        }
        #expect(files() == [])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path + "/.s3gw-tmp") == [])
    }

    @Test func `what cannot be stored as it is is refused`() throws {
        for (name, value) in [("key", "a"), ("s3gw-a\n", "a"), ("s3gw-a", "a\nb"), ("s3gw-a", "ä"), ("s3gw-a", "a ")] {
            let field = HeaderField(name: name, value: Array(value.utf8))
            #expect(refusal { try store.store(bucket, [0x61], [1], metadata: [field]) } == .refused)
        }
        for name in ["", ".", "..", "a/b", ".s3gw-tmp", "a\u{0}b", String(repeating: "a", count: 64)] {
            #expect(refusal { try store.store(name, [0x61], [1]) } == .refused)
            #expect(refusal { _ = try store.createBucket(name) } == .refused)
        }
        #expect(refusal { try store.store(bucket, [], [1]) } == .refused)
        #expect(files() == [])
    }

    @Test func `a symbolic link is never followed`() throws {
        let outside = try Scratch()
        try store.store(bucket, Array("in/x".utf8), [1])
        let manager = FileManager.default
        try manager.createSymbolicLink(atPath: "\(scratch.path)/\(bucket)/out", withDestinationPath: outside.path)
        try manager.createSymbolicLink(atPath: "\(scratch.path)/linked", withDestinationPath: outside.path)
        try manager.createSymbolicLink(
            atPath: "\(scratch.path)/\(bucket)/x%data", withDestinationPath: "\(scratch.path)/\(bucket)/in/x%data")
        #expect(refusal { try store.store(bucket, Array("out/y".utf8), [1]) } == .refused)
        #expect(refusal { try store.store("linked", Array("y".utf8), [1]) } == .refused)
        #expect(refusal { _ = try store.read(bucket, Array("x".utf8)) } == .refused)
        #expect(try manager.contentsOfDirectory(atPath: outside.path) == [])
    }

    @Test func `what is missing is missing, and removing it is fine`() throws {
        #expect(try store.head(PhysicalObject(bucket: bucket, key: [0x61])) == nil)
        #expect(refusal { _ = try store.read(bucket, [0x61]) } == .missing)
        #expect(refusal { _ = try store.list("nobucket", after: nil, limit: 1) } == .missing)
        #expect(refusal { try store.store("nobucket", [0x61], [1]) } == .missing)
        try store.delete(PhysicalObject(bucket: bucket, key: [0x61]))
        try store.delete(PhysicalObject(bucket: "nobucket", key: [0x61]))
        try store.deleteBucket("nobucket")
        #expect(try store.createBucket(bucket) == .ownedByUs)
    }

    @Test func `a disk that is not mounted is unavailable and not empty`() throws {
        let mountPoint = try Scratch()
        for path in [mountPoint.path, mountPoint.path + "/gone"] {
            let store = try FileBackend(BackendScenario.record(endpoint: path))
            let object = PhysicalObject(bucket: bucket, key: [0x61])
            #expect(refusal { _ = try store.head(object) } == .unavailable)
            #expect(refusal { try store.delete(object) } == .unavailable)
            #expect(refusal { try store.deleteBucket(bucket) } == .unavailable)
            #expect(refusal { _ = try store.hasBucket(bucket) } == .unavailable)
            #expect(refusal { _ = try store.createBucket(bucket) } == .unavailable)
        }
        #expect(throws: S3Error.self) { try FileBackend(BackendScenario.record(endpoint: "relative")) }
        #expect(throws: S3Error.self) { try FileBackend(BackendScenario.record(endpoint: "/a/../b")) }
    }

    @Test func `a bucket in use is not removed`() throws {
        try store.store(bucket, Array("a/b".utf8), [1])
        #expect(refusal { try store.deleteBucket(bucket) } == .conflict)
        try store.delete(PhysicalObject(bucket: bucket, key: Array("a/b".utf8)))
        try Data([1]).write(to: URL(filePath: "\(scratch.path)/\(bucket)/operators-note"))
        #expect(refusal { try store.deleteBucket(bucket) } == .conflict)
        #expect(files() == ["operators-note"])
        #expect(try store.keys(bucket, page: 9) == [])
    }

    @Test func `what a crash leaves is invisible and does not last`() throws {
        // A description whose data never came, as after a crash between the two renames.
        try store.store(bucket, Array("a/b".utf8), [1])
        try FileManager.default.removeItem(atPath: "\(scratch.path)/\(bucket)/a/b%data")
        #expect(try store.head(PhysicalObject(bucket: bucket, key: Array("a/b".utf8))) == nil)
        #expect(try store.list(bucket, after: nil, limit: 9) == [])
        // Uploads: an old one of ours, a young one, an old one that is in use, and a stranger's.
        let uploads = scratch.path + "/.s3gw-tmp/"
        let names = (0..<3).map { "put-" + String(repeating: "\($0)", count: 32) } + ["put-x", "notes"]
        for name in names { #expect(FileManager.default.createFile(atPath: uploads + name, contents: Data([1]))) }
        let old = Date(timeIntervalSinceNow: -7200)
        for name in [names[0], names[2], names[3], names[4]] {
            try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: uploads + name)
        }
        let used = unsafe open(uploads + names[2], O_RDONLY)
        #expect(flock(used, LOCK_EX) == 0)
        _ = try store.probe()
        let left = try FileManager.default.contentsOfDirectory(atPath: uploads)
        #expect(Set(left) == Set(names.dropFirst()))
        close(used)
        try store.deleteBucket(bucket)
        #expect(try !store.hasBucket(bucket))
    }

    @Test func `a damaged object is never handed out`() throws {
        try store.store(bucket, [0x61], [1, 2, 3])
        let path = "\(scratch.path)/\(bucket)/a%data"
        try Data([1, 2]).write(to: URL(filePath: path))
        #expect(refusal { _ = try store.read(bucket, [0x61]) } == .damaged)
        try FileManager.default.removeItem(atPath: "\(scratch.path)/\(bucket)/a%meta")
        #expect(refusal { _ = try store.read(bucket, [0x61]) } == .damaged)
    }

    @Test func `concurrent puts and deletes below one directory all succeed`() throws {
        let store = store
        let bucket = bucket
        let failures = Failures()
        onThreads(8) { thread in
            do {
                for round in 0..<40 {
                    let key = Array("shared/deep/\(thread)-\(round)".utf8)
                    let object = PhysicalObject(bucket: bucket, key: key)
                    try store.store(bucket, key, key)
                    if try store.read(bucket, key).content != key { failures.add("other bytes") }
                    if round % 10 != 0 { try store.delete(object) }
                }
            } catch { failures.add("\(error)") }
        }
        #expect(failures.all == [])
        #expect(try store.keys(bucket, page: 3).count == 8 * 4)
    }

    @Test func `a full disk stores nothing and says so`() throws {
        // Only root may mount; the project's containers and its CI run as root.
        try #require(geteuid() == 0)
        let disk = try Scratch()
        try run("/bin/mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk.path])
        defer { try? run("/bin/umount", [disk.path]) }
        let store = try BackendScenario.file(disk.path)
        _ = try store.createBucket(bucket)
        try store.store(bucket, [0x61], BackendScenario.content(1 << 20))
        #expect(refusal { try store.store(bucket, [0x62], BackendScenario.content(4 << 20)) } == .full)
        #expect(try store.keys(bucket, page: 9) == [[0x61]])
        #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path + "/.s3gw-tmp") == [])
        try store.store(bucket, [0x62], BackendScenario.content(1 << 20))
        #expect(try store.read(bucket, [0x61]).content == BackendScenario.content(1 << 20))
    }

    private func run(_ program: String, _ arguments: [String]) throws {
        let process = try Process.run(URL(filePath: program), arguments: arguments)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }
}

/// Notes from any thread, such as what went wrong.
final class Failures: @unchecked Sendable {
    private let lock = NSLock()
    private var texts: [String] = []

    func add(_ text: String) { lock.withLock { texts.append(text) } }
    var all: [String] { lock.withLock { texts } }
}
