/// A request body whose every claim was checked, as content: without aws-chunked framing.
package struct VerifiedPayload: Sendable {
    package let decodedSizeBytes: Int64
    /// MD5 of the content, 16 bytes, when it was computed: always up to 1 MiB.
    package let md5: [UInt8]?
    /// SHA-256 of the content, 32 bytes, when the client claimed it.
    package let sha256: [UInt8]?
    /// The checksum that the client claimed or the operation wanted, as we computed it.
    package let checksum: ObjectChecksum?
    let body: RequestBody
    let format: AWSChunkedFraming.Format?

    /// Returns a new reader from the start; one for each backend that the content goes to at once.
    ///
    /// `computing` asks for the checksum of what is read.
    package func makeReader(computing algorithm: ChecksumAlgorithm? = nil) throws(S3Error) -> PayloadReader {
        try PayloadReader(body, format: format, computing: algorithm)
    }

    /// Returns the whole content, for bodies that are documents.
    ///
    /// Throws `MaxMessageLengthExceeded` above `limit` bytes.
    package func bytes(atMost limit: Int) throws(S3Error) -> [UInt8] {
        guard decodedSizeBytes <= Int64(limit) else { throw S3Error(.maxMessageLengthExceeded) }
        let buffer = ByteBuffer(sizeBytes: Int(decodedSizeBytes))
        let count = try unsafe makeReader().read(into: buffer.bytes)
        guard Int64(count) == decodedSizeBytes else { throw AWSChunkedFraming.broken }
        return unsafe Array(buffer.prefix(count))
    }
}
