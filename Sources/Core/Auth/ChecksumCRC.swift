/// A reflected CRC over 32 or 64 bits: whole blocks through `CarrylessFold` where the processor can, the rest sixteen
/// bytes a step through sixteen tables.
///
/// Source of the method: Kounavis and Berry, "A Systematic Approach to Building High Performance Software-based CRC
/// Generators" (slicing). hot: the micro-benchmark "checksums".
struct ReflectedCRC: Sendable {
    /// What does not change while a CRC is computed.
    struct Method: Sendable {
        let sizeBytes: Int
        /// `tables[k * 256 + b]` is what byte `b` does to the register when `k` more bytes follow it.
        fileprivate let tables: [UInt64]
        /// Nil where the processor cannot.
        fileprivate let fold: CarrylessFold?

        /// `polynomial` has its bits reversed.
        init<Word: FixedWidthInteger & UnsignedInteger & Sendable>(_ polynomial: Word) {
            sizeBytes = Word.bitWidth / 8
            fold = CarrylessFold.isPossible ? CarrylessFold(polynomial) : nil
            var tables = [UInt64](repeating: 0, count: ReflectedCRC.sliceCount * 256)
            for byte in 0..<256 {
                var word = UInt64(byte)
                for _ in 0..<8 { word = word & 1 == 0 ? word >> 1 : word >> 1 ^ UInt64(polynomial) }
                tables[byte] = word
            }
            for index in 256..<tables.count {
                let before = tables[index - 256]
                tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
            }
            self.tables = tables
        }
    }

    private let method: Method
    /// Of 32 bits, the lower half.
    private var register: UInt64

    private static let sliceCount = 16
    /// Fewer bytes are not worth folding.
    private static let leastFoldedBytes = 4 * CarrylessFold.blockBytes

    init(_ method: Method) {
        self.method = method
        register = UInt64.max >> UInt64(64 - method.sizeBytes * 8)
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let fold = method.fold, bytes.count >= Self.leastFoldedBytes else {
            register = unsafe Self.slice(bytes, register, method.tables)
            return
        }
        let foldedBytes = bytes.count / CarrylessFold.blockBytes * CarrylessFold.blockBytes
        let folded = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<foldedBytes])
        let block = unsafe fold.fold(folded, register: register)
        register = unsafe withUnsafeBytes(of: block) { unsafe Self.slice($0, 0, method.tables) }
        register = unsafe Self.slice(UnsafeRawBufferPointer(rebasing: bytes[foldedBytes...]), register, method.tables)
    }

    /// The value, big-endian, as S3 writes it.
    var bytes: [UInt8] {
        let value = (~register << UInt64(64 - method.sizeBytes * 8)).bigEndian
        return unsafe withUnsafeBytes(of: value) { unsafe Array($0.prefix(method.sizeBytes)) }
    }

    private static func slice(_ bytes: UnsafeRawBufferPointer, _ register: UInt64, _ tables: [UInt64]) -> UInt64 {
        var crc = register
        unsafe tables.withUnsafeBufferPointer { tables in
            var offset = 0
            while bytes.count - offset >= sliceCount {
                let first = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let second = unsafe UInt64(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
                crc = unsafe half(tables, first ^ crc, lastSlice: 15) ^ half(tables, second, lastSlice: 7)
                offset += sliceCount
            }
            while offset < bytes.count {
                crc = unsafe crc >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: crc) ^ bytes[offset])]
                offset += 1
            }
        }
        return crc
    }

    @inline(__always)
    private static func half(_ tables: UnsafeBufferPointer<UInt64>, _ word: UInt64, lastSlice: Int) -> UInt64 {
        @inline(__always) func slice(_ number: Int) -> UInt64 {
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

    private static let crc32Method = ReflectedCRC.Method(crc32Polynomial)
    private static let crc32cMethod = ReflectedCRC.Method(crc32cPolynomial)
    private static let crc64nvmeMethod = ReflectedCRC.Method(crc64nvmePolynomial)

    /// ISO/IEC 13239, as in zlib and Ethernet.
    static var crc32: ReflectedCRC { ReflectedCRC(crc32Method) }
    /// Castagnoli (RFC 3720 section 12.1).
    static var crc32c: ReflectedCRC { ReflectedCRC(crc32cMethod) }
    static var crc64nvme: ReflectedCRC { ReflectedCRC(crc64nvmeMethod) }
}
