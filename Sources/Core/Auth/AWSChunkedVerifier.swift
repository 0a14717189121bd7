/// Follows the signatures of an aws-chunked body: each covers its chunk and the signature before it.
struct AWSChunkedVerifier {
    private let signing: ChunkSigning
    private var previous: [UInt8]
    private var claimed: [UInt8] = []
    private var digest = SHA256Stream()
    private var trailers: [UInt8] = []
    private var isTrailerSigned = false

    static let trailerSignatureName = Array("x-amz-trailer-signature".utf8)

    init(_ signing: ChunkSigning) {
        self.signing = signing
        previous = signing.seedSignature
    }

    mutating func beginChunk(signature: [UInt8]) {
        claimed = signature
        digest = SHA256Stream()
    }

    mutating func update(_ data: UnsafeRawBufferPointer) { unsafe digest.update(data) }

    /// Throws `SignatureDoesNotMatch` when the chunk's signature is not over its data and place.
    mutating func endChunk() throws(S3Error) {
        let text = StringToSign.chunk(
            date: signing.date, scope: signing.scope, previous: previous, digest: digest.finish())
        try check(text, claimed)
        previous = claimed
    }

    /// Takes the next trailer; tells whether it is content, and not the signature of those before it.
    mutating func take(trailer name: [UInt8], _ value: [UInt8]) throws(S3Error) -> Bool {
        // The signature comes last.
        guard !isTrailerSigned else { throw S3Error(.malformedTrailer) }
        guard name == Self.trailerSignatureName else {
            trailers += name + [UInt8(ascii: ":")] + value + [0x0A]
            return true
        }
        let text = StringToSign.trailer(
            date: signing.date, scope: signing.scope, previous: previous, trailers: trailers)
        try check(text, value)
        isTrailerSigned = true
        return false
    }

    /// Throws `MalformedTrailerError` when trailers should have been signed and were not.
    func end(hasTrailer: Bool) throws(S3Error) {
        guard isTrailerSigned == hasTrailer else { throw S3Error(.malformedTrailer) }
    }

    private func check(_ text: [UInt8], _ signature: [UInt8]) throws(S3Error) {
        guard Crypto.areEqual(signing.key.signature(of: text), signature) else {
            throw S3Error(.signatureDoesNotMatch)
        }
    }
}
