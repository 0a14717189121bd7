import Core
import Testing

@Suite struct ChecksumCombinationTests {
    static let content = BackendScenario.content(300_000)

    static func sum(_ algorithm: ChecksumAlgorithm, _ bytes: some Collection<UInt8>) -> ObjectChecksum {
        var stream = ChecksumStream(algorithm)
        unsafe Array(bytes).withUnsafeBytes { unsafe stream.update($0) }
        return stream.finish()
    }

    @Test(
        arguments: [ChecksumAlgorithm.crc32, .crc32c, .crc64nvme],
        [[300_000], [1, 299_999], [0, 300_000, 0], [65_536, 65_536, 65_536, 103_392], [299_999, 1]])
    func `the CRCs of parts join to the CRC of the whole`(algorithm: ChecksumAlgorithm, sizes: [Int]) {
        var start = 0
        var parts: [(checksum: [UInt8], sizeBytes: Int64)] = []
        for size in sizes {
            parts.append((Self.sum(algorithm, Self.content[start..<start + size]).value, Int64(size)))
            start += size
        }
        #expect(ChecksumCombination.fullObject(algorithm, parts) == Self.sum(algorithm, Self.content))
    }

    @Test(arguments: [ChecksumAlgorithm.sha1, .sha256])
    func `a digest of the whole cannot be told from those of its parts`(algorithm: ChecksumAlgorithm) {
        let parts = [(checksum: Self.sum(algorithm, Self.content).value, sizeBytes: Int64(Self.content.count))]
        #expect(ChecksumCombination.fullObject(algorithm, parts) == nil)
    }

    @Test(arguments: ChecksumAlgorithm.allCases)
    func `a composite checksum is that of the checksums, and is stored with its number of parts`(
        algorithm: ChecksumAlgorithm
    ) {
        let one = Self.sum(algorithm, [1]).value
        let two = Self.sum(algorithm, [2, 3]).value
        let composite = ChecksumCombination.composite(algorithm, [one, two])
        #expect(composite.value == Self.sum(algorithm, one + two).value)
        #expect(composite.base64.hasSuffix("-2") && composite.type == .composite)
        #expect(ObjectChecksum(algorithm: algorithm, stored: composite.stored) == composite)
        let whole = Self.sum(algorithm, [1])
        #expect(ObjectChecksum(algorithm: algorithm, stored: whole.stored) == whole && whole.type == .fullObject)
    }

    @Test func `the ETag of parts is the MD5 of their MD5s and their number`() {
        // 5 MiB of zero bytes twice and one byte "x": computed with Python's hashlib.
        let zeros = Crypto.md5([UInt8](repeating: 0, count: 5 << 20))
        let eTag = MultipartETag.make(md5s: [zeros, zeros, Crypto.md5([0x78])])
        #expect(eTag == "5f833834c766704109091a6f716b150f-3")
        #expect(MultipartETag.split(eTag)?.partCount == 3)
        for other in ["", "5d41402abc4b2a76b9719d911017c592", "5d41402abc4b2a76b9719d911017c592-", "x-1", "-1"] {
            #expect(MultipartETag.split(other) == nil, "\(other)")
        }
    }
}
