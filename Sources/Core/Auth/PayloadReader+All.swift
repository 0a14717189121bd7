extension PayloadReader {
    private static let pieceBytes = 64 * 1024

    /// Reads to the end.
    ///
    /// Throws `MaxMessageLengthExceeded` when there is more than `limitBytes`.
    package func readAll(limitBytes: Int) throws(S3Error) -> [UInt8] {
        var all: [UInt8] = []
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 16)
        defer { unsafe piece.deallocate() }
        while true {
            let count = unsafe try read(into: piece)
            guard count > 0 else { return all }
            guard all.count + count <= limitBytes else { throw S3Error(.maxMessageLengthExceeded) }
            unsafe all.append(contentsOf: piece[..<count])
        }
    }
}
