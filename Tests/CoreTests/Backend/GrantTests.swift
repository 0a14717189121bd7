import Core
import Testing

/// Bytes go to a backend only by the right that placement gave for that very backend (SECURITY.md 12).
@Suite struct GrantTests {
    private let object = PhysicalObject(bucket: "b", key: [0x61])
    private let description = ObjectDescription(sizeBytes: 1, md5: nil, sha256: nil, metadata: [])
    private let number = PartNumber(1)

    /// The kinds of error of every call that brings bytes, when it is made by the right for another backend.
    private func refusals(of store: any Backend) throws -> [BackendError.Kind?] {
        var other = store.record
        other.id += 1
        let grant = try TestGrant.make(for: other)
        let number = try #require(number)
        let upload = "01J00000000000000000000000"
        return [
            refusal { _ = try store.put(object, from: source(), description: description, grant: grant) },
            refusal { _ = try store.copy(object, to: object, description: description, grant: grant) },
            refusal { _ = try store.createUpload(object, description: description, grant: grant) },
            refusal {
                _ = try store.uploadPart(
                    object, uploadID: upload, number: number, from: source(), sizeBytes: 1, md5: nil, grant: grant)
            },
        ]
    }

    private func refusal(_ body: () throws -> Void) -> BackendError.Kind? {
        do { try body() } catch {
            return (error as? BackendError)?.kind
        }
        return nil
    }

    private func source() throws -> PayloadReader { try PayloadReader(plain: .memory([1])) }

    @Test func `a directory takes nothing by the right for another backend`() throws {
        let scratch = try Scratch()
        let store = try BackendScenario.file(scratch.path)
        _ = try store.createBucket("b")
        #expect(try refusals(of: store).allSatisfy { $0 == .refused })
        #expect(try store.keys("b", page: 10) == [])
    }

    @Test func `an S3 store is not even asked`() throws {
        // Nobody listens there: a call that went on would find the store unavailable.
        let record = BackendScenario.record(.s3, endpoint: "http://127.0.0.1:1", accessKeyID: "a")
        let store = try BackendFactory.make(record, secret: Array("secret".utf8))
        #expect(try refusals(of: store).allSatisfy { $0 == .refused })
    }
}
