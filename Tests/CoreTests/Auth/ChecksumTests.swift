import Core
import Testing

@Suite struct ChecksumTests {
    func checksum(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8], cutAt cut: Int? = nil) -> ObjectChecksum {
        var stream = ChecksumStream(algorithm)
        for piece in [bytes[..<(cut ?? bytes.count)], bytes[(cut ?? bytes.count)...]] {
            unsafe Array(piece).withUnsafeBytes { unsafe stream.update($0) }
        }
        return stream.finish()
    }

    /// From the vectors, from the catalogue check value of `123456789`, and from FIPS 180-4.
    @Test(arguments: [
        (ChecksumAlgorithm.crc32, "hello", "NhCmhg=="), (.crc32c, "hello", "mnG7TA=="),
        (.crc64nvme, "hello", "M3eFcAZSQlc="),
        (.crc32, "123456789", "y/Q5Jg=="), (.crc32c, "123456789", "4waSgw=="),
        (.crc64nvme, "123456789", "rosUhgp5mIg="),
        (.crc32, "", "AAAAAA=="), (.crc64nvme, "", "AAAAAAAAAAA="),
        (.sha1, "abcdefg", "L7XhNBn8iSRoZeejJPR27GJOh0A="),
        (.sha256, "abcdefg", "fRpUEnsiJQL1t5tfsIAwYRUqRPkrN+I8ZSe69mXU2po="),
        (.crc32, "abcdefg", "MSpqpg=="), (.crc32c, "abcdefg", "5if0QQ=="), (.crc64nvme, "abcdefg", "SmzZ/LTp1CA="),
    ])
    func `checksums agree with known values`(algorithm: ChecksumAlgorithm, text: String, base64: String) {
        let value = checksum(algorithm, Array(text.utf8))
        #expect(value.base64 == base64)
        #expect(ObjectChecksum(algorithm: algorithm, base64: Array(base64.utf8)) == value)
    }

    @Test func `the long value of the vectors agrees`() {
        #expect(checksum(.crc32c, [UInt8](repeating: 0x61, count: 66560)).base64 == "sOO8/Q==")
    }

    /// The slow, obvious definition of a reflected CRC.
    func bitwise(_ polynomial: UInt64, bits: Int, _ bytes: [UInt8]) -> [UInt8] {
        var crc: UInt64 = bits == 64 ? .max : (1 << UInt64(bits)) - 1
        let mask = crc
        for byte in bytes {
            crc ^= UInt64(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ polynomial }
        }
        crc = (crc ^ mask) & mask
        return stride(from: bits - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: crc >> UInt64($0)) }
    }

    @Test func `sixteen bytes a step give what one bit a step gives, for every length and cut`() {
        let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 * $0 &* 31 + 7) }
        for count in 0..<200 {
            let part = Array(bytes[..<count])
            #expect(checksum(.crc32, part, cutAt: count / 3).value == bitwise(0xEDB8_8320, bits: 32, part))
            #expect(checksum(.crc32c, part, cutAt: count / 2).value == bitwise(0x82F6_3B78, bits: 32, part))
            #expect(
                checksum(.crc64nvme, part, cutAt: count / 5).value == bitwise(0x9A6C_9329_AC4B_C9B5, bits: 64, part))
        }
    }

    @Test func `what is folded gives what one bit a step gives, for every length and cut around the blocks`() {
        let bytes = (0..<1400).map { UInt8(truncatingIfNeeded: $0 * $0 &* 131 + $0 >> 3) }
        for count in Array(250..<330) + [383, 384, 511, 512, 513, 1023, 1024, 1400] {
            let part = Array(bytes[(bytes.count - count)...])
            let wanted = (
                bitwise(0xEDB8_8320, bits: 32, part), bitwise(0x82F6_3B78, bits: 32, part),
                bitwise(0x9A6C_9329_AC4B_C9B5, bits: 64, part)
            )
            for cut in [0, 1, count / 2, count - 1] {
                #expect(checksum(.crc32, part, cutAt: cut).value == wanted.0)
                #expect(checksum(.crc32c, part, cutAt: cut).value == wanted.1)
                #expect(checksum(.crc64nvme, part, cutAt: cut).value == wanted.2)
            }
        }
    }

    @Test func `names and sizes are strict`() {
        #expect(ChecksumAlgorithm(headerName: "x-amz-checksum-crc64nvme".utf8) == .crc64nvme)
        #expect(ChecksumAlgorithm(headerName: "x-amz-checksum-md5".utf8) == nil)
        #expect(ChecksumAlgorithm(name: Array("crc32C".utf8)) == .crc32c && ChecksumAlgorithm(name: []) == nil)
        #expect(ObjectChecksum(algorithm: .crc32, base64: Array("NhCmhgA=".utf8)) == nil)
        #expect(ObjectChecksum(algorithm: .crc32, base64: Array("NhCm".utf8)) == nil)
    }
}
