/// The reading half of `PayloadVerifier`: one pass over the body as it arrived.
extension PayloadVerifier {
    /// Feeds a plain body to `digests`.
    static func readPlain(_ body: RequestBody, _ digests: inout ContentDigests) throws(S3Error) {
        let source = try PayloadSource(body)
        let buffer = ByteBuffer(sizeBytes: bufferSize(for: body))
        var offset: Int64 = 0
        while offset < body.sizeBytes {
            let count = try unsafe source.read(into: buffer.bytes, at: offset)
            guard count > 0 else { throw AWSChunkedFraming.broken }
            unsafe digests.update(buffer.prefix(count))
            offset += Int64(count)
        }
    }

    /// Decodes an aws-chunked body, verifies its chunk and trailer signatures when `mode` has them, feeds the content to
    /// `digests`, and returns the trailers.
    static func readChunked(
        _ body: RequestBody, _ format: AWSChunkedFraming.Format, _ mode: PayloadMode, _ digests: inout ContentDigests
    ) throws(S3Error) -> [(name: [UInt8], value: [UInt8])] {
        let source = try PayloadSource(body)
        let buffer = ByteBuffer(sizeBytes: bufferSize(for: body))
        var pass = ChunkedPass(format, mode)
        var offset: Int64 = 0
        while offset < body.sizeBytes {
            let count = try unsafe source.read(into: buffer.bytes, at: offset)
            guard count > 0 else { break }
            try unsafe pass.take(buffer.prefix(count), &digests)
            offset += Int64(count)
        }
        return try pass.end()
    }

    /// Small bodies need no large buffer.
    private static func bufferSize(for body: RequestBody) -> Int {
        Int(max(1, min(body.sizeBytes, Int64(bufferSizeBytes))))
    }
}

/// The verifying pass over an aws-chunked body, fed with pieces of any size.
struct ChunkedPass {
    private let format: AWSChunkedFraming.Format
    private var framing: AWSChunkedFraming
    private var signatures: AWSChunkedVerifier?
    private var trailers: [(name: [UInt8], value: [UInt8])] = []

    init(_ format: AWSChunkedFraming.Format, _ mode: PayloadMode) {
        self.format = format
        framing = AWSChunkedFraming(format)
        if case .streaming(let signing?, _) = mode { signatures = AWSChunkedVerifier(signing) }
    }

    mutating func take(_ piece: UnsafeRawBufferPointer, _ digests: inout ContentDigests) throws(S3Error) {
        var position = 0
        while true {
            switch try unsafe framing.next(piece, &position) {
            case .needsInput:
                return
            case .chunk(let sizeBytes, let signature):
                signatures?.beginChunk(signature: signature ?? [])
                if sizeBytes == 0 { try signatures?.endChunk() }
            case .data(let range):
                let data = unsafe UnsafeRawBufferPointer(rebasing: piece[range])
                unsafe digests.update(data)
                unsafe signatures?.update(data)
                if framing.chunkBytesLeft == 0 { try signatures?.endChunk() }
            case .trailer(let name, let value):
                let isContent = try signatures?.take(trailer: name, value) ?? true
                if isContent { trailers.append((name, value)) }
            case .end:
                try signatures?.end(hasTrailer: format.hasTrailer)
            }
        }
    }

    /// Returns the trailers; throws `IncompleteBody` when the body did not come to its end.
    func end() throws(S3Error) -> [(name: [UInt8], value: [UInt8])] {
        guard framing.isDone else { throw AWSChunkedFraming.broken }
        return trailers
    }
}
