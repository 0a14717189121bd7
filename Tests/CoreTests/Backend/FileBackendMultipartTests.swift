import Core
import Foundation
import Testing

@Suite struct FileBackendMultipartTests {
    let scratch: Scratch
    let backend: FileBackend
    let object = PhysicalObject(bucket: "b", key: Array("dir/key~1".utf8))

    init() throws {
        scratch = try Scratch()
        backend = try BackendScenario.file(scratch.path)
        _ = try backend.createBucket("b")
    }

    static let nothing = ObjectDescription(sizeBytes: 0, md5: nil, sha256: nil, metadata: [])

    func begin() throws -> String {
        try backend.createUpload(object, description: Self.nothing, grant: TestGrant.make(for: backend.record))
    }

    func upload(_ number: Int, _ content: [UInt8], to id: String) throws -> (part: NativePart, md5: [UInt8]) {
        let number = try #require(PartNumber(number))
        let receipt = try backend.uploadPart(
            object, uploadID: id, number: number, from: PayloadReader(plain: .memory(content)),
            sizeBytes: Int64(content.count), md5: nil, grant: TestGrant.make(for: backend.record))
        #expect(receipt.md5 == Crypto.md5(content))
        return (NativePart(number: number, token: receipt.token, sizeBytes: Int64(content.count)), receipt.md5)
    }

    func whole(_ parts: [(part: NativePart, md5: [UInt8])]) -> NativeObject {
        let field = HeaderField(name: "s3gw-key", value: Array("k".utf8))
        return NativeObject(
            parts: parts.map(\.part), eTag: MultipartETag.make(md5s: parts.map(\.md5)),
            description: ObjectDescription(
                sizeBytes: parts.reduce(0) { $0 + $1.part.sizeBytes }, md5: nil, sha256: nil, metadata: [field]))
    }

    /// Everything in the directory for uploads.
    var leftovers: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: scratch.path + "/.s3gw-tmp") }
    }

    @Test func `parts in any order become one object, and nothing else is left`() throws {
        let id = try begin()
        let contents = [300_001, 5, 0].map { BackendScenario.content($0, seed: UInt8($0 & 7)) }
        let last = try upload(9, contents[2], to: id)
        let middle = try upload(4, contents[1], to: id)
        let first = try upload(1, contents[0], to: id)
        #expect(try backend.head(object) == nil)
        try backend.completeUpload(object, uploadID: id, as: whole([first, middle, last]))
        let stored = try backend.read("b", object.key)
        #expect(stored.content == contents[0] + contents[1] + contents[2])
        #expect(stored.head?.metadata.map(\.name) == ["s3gw-key"])
        #expect(try leftovers.isEmpty)
    }

    @Test func `of a part uploaded twice the one that is named is taken`() throws {
        let id = try begin()
        let first = try upload(1, [1, 2, 3], to: id)
        _ = try upload(1, [4, 5, 6], to: id)
        try backend.completeUpload(object, uploadID: id, as: whole([first]))
        #expect(try backend.read("b", object.key).content == [1, 2, 3])
    }

    @Test func `a completion may be repeated, and with other parts it is refused`() throws {
        let id = try begin()
        let parts = [try upload(1, [1, 2, 3], to: id)]
        let other = [try upload(1, [4, 5, 6], to: id)]
        try backend.completeUpload(object, uploadID: id, as: whole(parts))
        try backend.completeUpload(object, uploadID: id, as: whole(parts))
        #expect(throws: BackendError.self) { try backend.completeUpload(object, uploadID: id, as: whole(other)) }
        #expect(try backend.read("b", object.key).content == [1, 2, 3])
    }

    @Test func `an upload that was ended takes no part and no completion, and leaves nothing`() throws {
        let id = try begin()
        let parts = [try upload(1, [1], to: id), try upload(2, [2], to: id)]
        try backend.abortUploads(object, uploadID: nil)
        try backend.abortUploads(object, uploadID: id)
        #expect(try leftovers.isEmpty)
        #expect(throws: BackendError.self) { try upload(3, [3], to: id) }
        #expect(throws: BackendError.self) { try backend.completeUpload(object, uploadID: id, as: whole(parts)) }
        #expect(try backend.head(object) == nil && leftovers.isEmpty)
    }

    @Test func `a part that is cut short makes no object`() throws {
        let id = try begin()
        let parts = [try upload(1, [1, 2, 3], to: id)]
        let path = "\(scratch.path)/.s3gw-tmp/\(id)/\(parts[0].part.token)"
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: 2)
        #expect(throws: BackendError.self) { try backend.completeUpload(object, uploadID: id, as: whole(parts)) }
        #expect(try backend.head(object) == nil && leftovers == [id])
    }

    @Test func `a part whose source is not as long as it says leaves no file`() throws {
        let id = try begin()
        let number = try #require(PartNumber(1))
        #expect(throws: BackendError.self) {
            try backend.uploadPart(
                object, uploadID: id, number: number, from: PayloadReader(plain: .memory([1, 2])), sizeBytes: 3,
                md5: nil, grant: TestGrant.make(for: backend.record))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/.s3gw-tmp/\(id)") == ["object"])
    }
}
