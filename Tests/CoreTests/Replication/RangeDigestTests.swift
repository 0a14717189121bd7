import Testing

@testable import Core

/// What a copy in ranges proves of the whole, also when another worker goes on with it.
@Suite struct RangeDigestTests {
    private static let content = (0..<100_003).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 7) }
    private static let rangeBytes = 64 * 512
    private static let crc = checksum(.crc64nvme)

    private static func checksum(_ algorithm: ChecksumAlgorithm) -> ObjectChecksum {
        var stream = ChecksumStream(algorithm)
        unsafe content.withUnsafeBytes { unsafe stream.update($0) }
        return stream.finish()
    }

    private static func version(_ eTag: String, _ checksum: ObjectChecksum? = nil) throws -> ObjectVersion {
        ObjectVersion(
            id: VersionID(at: .now()), sequence: 0, bucketID: 1, key: try ObjectKey(validating: [0x61]),
            isDeleteMarker: false, sizeBytes: Int64(content.count), eTag: eTag, lastModified: .now(),
            storageClass: "STANDARD", checksum: checksum, headers: [])
    }

    /// Takes all ranges of `content`, each by another worker.
    private static func digest(_ version: ObjectVersion, of content: [UInt8] = content) throws -> RangeDigest {
        var digest = RangeDigest(of: version)
        for start in stride(from: 0, to: content.count, by: rangeBytes) {
            if let saved = digest.saved { digest = try #require(RangeDigest(of: version, saved: saved)) }
            let range = Array(content[start..<min(start + rangeBytes, content.count)])
            try digest.append(
                try PayloadReader(plain: .memory(range)), sizeBytes: Int64(range.count), at: Int64(start))
        }
        return digest
    }

    private static var changed: [UInt8] {
        var bytes = content
        bytes[70_000] ^= 1
        return bytes
    }

    @Test func `an ETag that is an MD5 is proven by it`() throws {
        let version = try Self.version(Hex.text(Crypto.md5(Self.content)))
        #expect(try Self.digest(version).isRight && Self.digest(version).found == nil)
        #expect(try !Self.digest(version, of: Self.changed).isRight)
    }

    @Test(arguments: [ChecksumAlgorithm.crc32, .crc32c, .crc64nvme])
    func `of an object of parts the checksum is proven`(_ algorithm: ChecksumAlgorithm) throws {
        let version = try Self.version("00000000000000000000000000000000-2", Self.checksum(algorithm))
        #expect(try Self.digest(version).isRight)
        #expect(try !Self.digest(version, of: Self.changed).isRight)
    }

    @Test func `a checksum that nobody knows is found out`() throws {
        let version = try Self.version("00000000000000000000000000000000-2")
        let digest = try Self.digest(version)
        #expect(digest.isRight && digest.found == Self.crc)
    }

    @Test func `what cannot be joined is not compared, and takes the place of nothing`() throws {
        for known in [Self.checksum(.sha256), ObjectChecksum(algorithm: .crc32, value: [1, 2, 3, 4], partCount: 2)] {
            let digest = try Self.digest(try Self.version("00000000000000000000000000000000-2", known))
            #expect(digest.isRight && digest.found == nil)
        }
    }

    @Test func `what another kind of digest saved is not gone on with`() throws {
        let version = try Self.version("00000000000000000000000000000000-2")
        #expect(RangeDigest(of: version, saved: [UInt8](repeating: 0, count: 24)) == nil)
        #expect(RangeDigest(of: try Self.version(Hex.text(Crypto.md5([]))), saved: [1, 2, 3, 4, 5, 6, 7, 8]) == nil)
    }
}
