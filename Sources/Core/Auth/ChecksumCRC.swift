/// A reflected CRC over 32 or 64 bits, sixteen bytes a step through sixteen tables.
///
/// Source of the method: Kounavis and Berry, "A Systematic Approach to Building High Performance Software-based CRC
/// Generators" (slicing). hot: the micro-benchmark "checksums".
struct ReflectedCRC<Word: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    /// `tables[k * 256 + b]` is what byte `b` does to the register when `k` more bytes follow it.
    private let tables: [Word]
    private var register = Word.max

    private static var sliceCount: Int { 16 }

    /// Makes the tables of `polynomial`, bits reversed.
    static func tables(_ polynomial: Word) -> [Word] {
        var tables = [Word](repeating: 0, count: sliceCount * 256)
        for byte in 0..<256 {
            var word = Word(byte)
            for _ in 0..<8 { word = word & 1 == 0 ? word >> 1 : word >> 1 ^ polynomial }
            tables[byte] = word
        }
        for index in 256..<tables.count {
            let before = tables[index - 256]
            tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
        }
        return tables
    }

    init(tables: [Word]) { self.tables = tables }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var crc = register
        unsafe tables.withUnsafeBufferPointer { tables in
            var offset = 0
            while bytes.count - offset >= Self.sliceCount {
                let first = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let second = unsafe UInt64(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
                crc = unsafe Self.step(tables, first ^ UInt64(crc), second)
                offset += Self.sliceCount
            }
            while offset < bytes.count {
                let index = unsafe Int(UInt8(truncatingIfNeeded: crc) ^ bytes[offset])
                crc = unsafe crc >> 8 ^ tables[index]
                offset += 1
            }
        }
        register = crc
    }

    /// The value, big-endian, as S3 writes it.
    var bytes: [UInt8] {
        let value = ~register
        return stride(from: Word.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> Word($0)) }
    }

    @inline(__always)
    private static func step(_ tables: UnsafeBufferPointer<Word>, _ first: UInt64, _ second: UInt64) -> Word {
        let high = unsafe half(tables, first, lastSlice: 15)
        return unsafe high ^ half(tables, second, lastSlice: 7)
    }

    @inline(__always)
    private static func half(_ tables: UnsafeBufferPointer<Word>, _ word: UInt64, lastSlice: Int) -> Word {
        @inline(__always) func slice(_ number: Int) -> Word {
            unsafe tables[(lastSlice - number) << 8 | Int(word >> UInt64(number * 8) & 0xFF)]
        }
        let left = slice(0) ^ slice(1) ^ (slice(2) ^ slice(3))
        return left ^ (slice(4) ^ slice(5) ^ (slice(6) ^ slice(7)))
    }
}

/// The three CRCs of S3, by their reversed polynomials.
enum CRC {
    static let crc32Polynomial: UInt32 = 0xEDB8_8320
    static let crc32cPolynomial: UInt32 = 0x82F6_3B78
    /// NVM Express NVM Command Set Specification 1.0, section 5.2.1.3.4 (64b CRC).
    static let crc64nvmePolynomial: UInt64 = 0x9A6C_9329_AC4B_C9B5

    private static let crc32Tables = ReflectedCRC.tables(crc32Polynomial)
    private static let crc32cTables = ReflectedCRC.tables(crc32cPolynomial)
    private static let crc64nvmeTables = ReflectedCRC.tables(crc64nvmePolynomial)

    /// ISO/IEC 13239, as in zlib and Ethernet.
    static var crc32: ReflectedCRC<UInt32> { ReflectedCRC(tables: crc32Tables) }
    /// Castagnoli (RFC 3720 section 12.1).
    static var crc32c: ReflectedCRC<UInt32> { ReflectedCRC(tables: crc32cTables) }
    static var crc64nvme: ReflectedCRC<UInt64> { ReflectedCRC(tables: crc64nvmeTables) }
}
