private import CProcessor

/// Shortens what a reflected CRC has to be computed of to 64 bytes, with the processor's carry-less multiplication.
///
/// Source of the method: Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction".
/// hot: the micro-benchmark "checksums".
struct CarrylessFold: Sendable {
    static let blockBytes = 64
    static let isPossible = s3gw_has_carryless() != 0

    /// x^575 and x^511 modulo the polynomial: how far a block's first and last eight bytes of sixteen are moved, which
    /// is 512 bits and, for the first ones, 64 more.
    ///
    /// One less of each, for the product of two reflected words comes out moved by one.
    private let firstKey: UInt64
    private let lastKey: UInt64

    /// `polynomial` has its bits reversed.
    init<Word: FixedWidthInteger & UnsignedInteger & Sendable>(_ polynomial: Word) {
        func power(_ exponent: Int) -> UInt64 {
            var word: Word = 1 << Word(Word.bitWidth - 1)
            for _ in 0..<exponent { word = word & 1 == 1 ? word >> 1 ^ polynomial : word >> 1 }
            return UInt64(word) << UInt64(UInt64.bitWidth - Word.bitWidth)
        }
        let blockBits = Self.blockBytes * 8
        firstKey = power(blockBits + 63)
        lastKey = power(blockBits - 1)
    }

    /// Sixty-four bytes.
    typealias Block = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

    /// Returns the block whose CRC, begun with 0, is that of `bytes`, begun with `register`.
    ///
    /// `bytes` are whole blocks, at least one; only where `isPossible`.
    func fold(_ bytes: UnsafeRawBufferPointer, register: UInt64) -> Block {
        var block = unsafe bytes.loadUnaligned(as: Block.self)
        block.0 ^= register.littleEndian
        if let base = bytes.baseAddress {
            let others = unsafe base + Self.blockBytes
            unsafe s3gw_fold(&block, others, bytes.count / Self.blockBytes - 1, firstKey, lastKey)
        }
        return block
    }
}
