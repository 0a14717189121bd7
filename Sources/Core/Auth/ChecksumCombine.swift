/// Checksums of an object out of the checksums of its parts.
///
/// Source: Amazon S3 User Guide, "Checking object integrity for multipart uploads".
package enum ChecksumCombination {
    /// Returns the checksum of the checksums (`COMPOSITE`).
    package static func composite(_ algorithm: ChecksumAlgorithm, _ parts: [[UInt8]]) -> ObjectChecksum {
        var stream = ChecksumStream(algorithm)
        for part in parts { unsafe part.withUnsafeBytes { unsafe stream.update($0) } }
        return ObjectChecksum(algorithm: algorithm, value: stream.finish().value, partCount: parts.count)
    }

    /// Returns the checksum that the joined parts have (`FULL_OBJECT`); nil for an algorithm that cannot tell.
    package static func fullObject(
        _ algorithm: ChecksumAlgorithm, _ parts: [(checksum: [UInt8], sizeBytes: Int64)]
    ) -> ObjectChecksum? {
        switch algorithm {
        case .crc32: join(algorithm, CRCJoin(CRC.crc32Polynomial), parts)
        case .crc32c: join(algorithm, CRCJoin(CRC.crc32cPolynomial), parts)
        case .crc64nvme: join(algorithm, CRCJoin(CRC.crc64nvmePolynomial), parts)
        case .sha1, .sha256: nil
        }
    }

    private static func join<Word>(
        _ algorithm: ChecksumAlgorithm, _ joining: CRCJoin<Word>, _ parts: [(checksum: [UInt8], sizeBytes: Int64)]
    ) -> ObjectChecksum {
        // The CRC of nothing is 0, and 0 joined with a part is that part's CRC.
        var whole: Word = 0
        for part in parts {
            let crc = part.checksum.reduce(0 as Word) { $0 << 8 | Word($1) }
            whole = joining.join(whole, crc, secondBytes: part.sizeBytes)
        }
        let value = stride(from: Word.bitWidth - 8, through: 0, by: -8).map {
            UInt8(truncatingIfNeeded: whole >> Word($0))
        }
        return ObjectChecksum(algorithm: algorithm, value: value)
    }
}

/// Joins reflected CRCs that begin and end with all bits flipped: crc(A B) = crc(A) x^(8 |B|) + crc(B) modulo P.
///
/// The highest bit of a word is the coefficient of x^0.
struct CRCJoin<Word: FixedWidthInteger & UnsignedInteger & Sendable> {
    private let polynomial: Word
    private static var one: Word { 1 << Word(Word.bitWidth - 1) }

    /// `polynomial` has its bits reversed.
    init(_ polynomial: Word) { self.polynomial = polynomial }

    func join(_ first: Word, _ second: Word, secondBytes: Int64) -> Word {
        multiply(first, power(secondBytes)) ^ second
    }

    /// x^(8 `bytes`) by squaring: as many steps as the number has bits.
    private func power(_ bytes: Int64) -> Word {
        var result = Self.one
        var square = Self.one >> 8
        var rest = bytes
        while rest > 0 {
            if rest & 1 == 1 { result = multiply(result, square) }
            square = multiply(square, square)
            rest >>= 1
        }
        return result
    }

    private func multiply(_ one: Word, _ other: Word) -> Word {
        var product: Word = 0
        var shifted = other
        var bit = Self.one
        while bit != 0 {
            if one & bit != 0 { product ^= shifted }
            shifted = shifted & 1 == 1 ? shifted >> 1 ^ polynomial : shifted >> 1
            bit >>= 1
        }
        return product
    }
}
