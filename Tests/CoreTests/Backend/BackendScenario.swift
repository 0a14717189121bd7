import Core
import Foundation

/// A directory of its own, removed at the end.
final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "s3gw-test-" + Hex.text(Crypto.randomBytes(8))
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What the tests need to say about one backend, with defaults for the rest.
enum BackendScenario {
    static func record(
        _ kind: BackendKind = .file, endpoint: String, addressing: BucketAddressing = .path, caFile: String? = nil,
        accessKeyID: String? = nil, signingRegion: String = "us-east-1"
    ) -> BackendRecord {
        BackendRecord(
            id: 7, name: "store", kind: kind, location: Location(region: "fi-hel-1", country: "FI"), state: .active,
            endpoint: endpoint, signingRegion: signingRegion, addressing: addressing, caFile: caFile,
            accessKeyID: accessKeyID, sealedSecret: nil, abilities: "{}", createdAt: .now())
    }

    static func file(_ path: String) throws -> FileBackend {
        let backend = try FileBackend(record(endpoint: path))
        _ = try backend.probe()
        return backend
    }

    /// Bytes that differ everywhere and are the same in every run.
    static func content(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
        var state = UInt32(seed) &+ 1
        return (0..<count).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24)
        }
    }
}

/// The calls of a backend in the tests' words.
extension Backend {
    @discardableResult
    func store(
        _ bucket: String, _ key: [UInt8], _ content: [UInt8], metadata: [HeaderField] = [], knowsMD5: Bool = false,
        sizeBytes: Int64? = nil
    ) throws -> [UInt8] {
        let description = ObjectDescription(
            sizeBytes: sizeBytes ?? Int64(content.count), md5: knowsMD5 ? Crypto.md5(content) : nil, sha256: nil,
            metadata: metadata)
        return try put(
            PhysicalObject(bucket: bucket, key: key), from: PayloadReader(plain: .memory(content)),
            description: description, grant: TestGrant.make(for: record)
        ).md5
    }

    func read(_ bucket: String, _ key: [UInt8], range: ClosedRange<Int64>? = nil) throws -> StoredObject {
        var object = StoredObject(head: nil, content: [])
        try unsafe get(PhysicalObject(bucket: bucket, key: key), range: range) {
            object.head = $0
        } piece: {
            unsafe object.content.append(contentsOf: $0)
        }
        return object
    }

    func keys(_ bucket: String, page: Int) throws -> [[UInt8]] {
        var keys: [[UInt8]] = []
        while true {
            let entries = try list(bucket, after: keys.last, limit: page)
            keys.append(contentsOf: entries.map(\.key))
            if entries.isEmpty { return keys }
        }
    }
}

struct StoredObject {
    var head: BackendObjectHead?
    var content: [UInt8]
}

/// Runs `body` on `count` threads at once and waits for all of them.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let done = DispatchGroup()
    for index in 0..<count {
        done.enter()
        Thread {
            body(index)
            done.leave()
        }.start()
    }
    done.wait()
}
