/// Reads the content of a request body from its start to its end, once or, after `rewind()`, again; an aws-chunked body
/// comes out without its framing.
///
/// Belongs to one thread; many readers of one body may run at once on different threads, because each keeps its own
/// offset. Memory: one buffer for framing lines, whatever the size of the object.
package final class PayloadReader {
    private let source: PayloadSource
    private let format: AWSChunkedFraming.Format?
    private var offset: Int64 = 0
    private var framing: AWSChunkedFraming?
    private let algorithm: ChecksumAlgorithm?
    private var stream: ChecksumStream?
    /// Bytes read ahead, which are `ahead[aheadStart..<aheadEnd]`.
    private let ahead: ByteBuffer
    private var aheadStart = 0
    private var aheadEnd = 0

    /// Room for the framing between two chunks, and for a small chunk whole.
    private static let readAheadBytes = 16 * 1024

    /// Throws `InternalError` when the spool file cannot be opened.
    package convenience init(plain body: RequestBody) throws(S3Error) { try self.init(body, format: nil) }

    /// `computing` asks for the checksum of what is read.
    init(
        _ body: RequestBody, format: AWSChunkedFraming.Format?, computing algorithm: ChecksumAlgorithm? = nil
    ) throws(S3Error) {
        source = try PayloadSource(body)
        self.format = format
        self.algorithm = algorithm
        ahead = ByteBuffer(sizeBytes: format == nil ? 0 : Self.readAheadBytes)
        rewind()
    }

    /// Begins again at the start.
    package func rewind() {
        offset = 0
        aheadStart = 0
        aheadEnd = 0
        framing = format.map { AWSChunkedFraming($0) }
        stream = algorithm.map { ChecksumStream($0) }
    }

    /// The checksum of what was read since the start; nil when none was asked for.
    package var checksum: ObjectChecksum? { stream?.finish() }

    /// Fills `buffer` from the current position; returns the number of bytes, less than its size at the end only, and
    /// then 0.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(S3Error) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try unsafe framing == nil ? readSource(into: rest) : readChunked(into: rest)
            guard count > 0 else { break }
            filled += count
        }
        unsafe stream?.update(UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
        return filled
    }

    private func readSource(into buffer: UnsafeMutableRawBufferPointer) throws(S3Error) -> Int {
        let count = try unsafe source.read(into: buffer, at: offset)
        offset += Int64(count)
        return count
    }

    private func readChunked(into buffer: UnsafeMutableRawBufferPointer) throws(S3Error) -> Int {
        while true {
            let chunkBytesLeft = framing?.chunkBytesLeft ?? 0
            if aheadStart == aheadEnd {
                if chunkBytesLeft > 0 {
                    // Past what was read ahead, data goes straight to the caller.
                    let size = Int(min(Int64(buffer.count), chunkBytesLeft))
                    let count = try unsafe readSource(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<size]))
                    guard count > 0 else { throw AWSChunkedFraming.broken }
                    framing?.skipData(count)
                    return count
                }
                aheadStart = 0
                aheadEnd = try unsafe readSource(into: ahead.bytes)
                guard aheadEnd > 0 else {
                    guard framing?.isDone == true else { throw AWSChunkedFraming.broken }
                    return 0
                }
            }
            // Data of one step may not exceed the caller's room: let the machine see no more of it.
            let end = chunkBytesLeft > 0 ? min(aheadEnd, aheadStart + buffer.count) : aheadEnd
            if case .data(let range) = try unsafe framing?.next(ahead.prefix(end), &aheadStart) {
                unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: ahead.bytes[range]))
                return range.count
            }
        }
    }
}
