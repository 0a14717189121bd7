/// Verifies a whole request body before anything of it can become visible (SECURITY.md 5).
///
/// A body is read here once, in one buffer, for what must be verified: the payload hash, Content-MD5, a checksum, chunk
/// signatures, trailers, the declared length. When nothing must be verified, a plain file is not read at all.
package enum PayloadVerifier {
    static let bufferSizeBytes = 128 * 1024
    /// Up to this size the MD5 of the content is always computed here, for the second pass would cost more than it saves.
    static let smallBodyBytes: Int64 = 1 << 20

    /// Returns the verified body.
    ///
    /// `wantMD5` asks for the MD5 of the content now, whatever the size; `wanted` for a checksum, when the client claims
    /// none, and `incidental` for one only when the body is read here anyway. Without `claimsBody` the checksum headers describe something else: CompleteMultipartUpload's its object.
    ///
    /// Throws `XAmzContentSHA256Mismatch`, `BadDigest`, `InvalidDigest`, `IncompleteBody`, `MissingContentLength`,
    /// `MalformedTrailerError`, `InvalidChunkSizeError`, `SignatureDoesNotMatch`, `EntityTooLarge`, and `InvalidRequest`
    /// for what is wrong with checksum headers.
    package static func verify(
        _ request: HTTPRequest, mode: PayloadMode, wantMD5: Bool, wanted: ChecksumAlgorithm? = nil,
        incidental: ChecksumAlgorithm? = nil, claimsBody: Bool = true
    ) throws(S3Error) -> VerifiedPayload {
        let format = try chunkedFormat(request, mode)
        let sizeBytes = format?.decodedSizeBytes ?? request.body.sizeBytes
        guard sizeBytes <= request.site.maximumPutSizeBytes else {
            throw S3Error(.entityTooLarge)
                .detail("ProposedSize", String(sizeBytes))
                .detail("MaxSizeAllowed", String(request.site.maximumPutSizeBytes))
        }
        let claim =
            claimsBody ? try ChecksumClaim(request.headers, hasTrailer: format?.hasTrailer == true) : ChecksumClaim()
        let claimedMD5 = try contentMD5(request.headers)
        var digests = ContentDigests()
        if case .hash = mode { digests.sha256 = SHA256Stream() }
        if wantMD5 || claimedMD5 != nil || sizeBytes <= smallBodyBytes { digests.md5 = MD5Stream() }
        let byTheWay = format != nil || digests.isWanted ? incidental : nil
        digests.checksum = (claim.algorithm ?? wanted ?? byTheWay).map { ChecksumStream($0) }

        var trailers: [(name: [UInt8], value: [UInt8])] = []
        if let format {
            trailers = try readChunked(request.body, format, mode, &digests)
        } else if digests.isWanted {
            try readPlain(request.body, &digests)
        }

        let md5 = digests.md5?.finish()
        let sha256 = digests.sha256?.finish()
        let checksum = digests.checksum?.finish()
        if case .hash(let wanted) = mode, let sha256, sha256 != wanted {
            throw S3Error(.contentSHA256Mismatch)
                .detail("ClientComputedContentSHA256", Hex.text(wanted))
                .detail("S3ComputedContentSHA256", Hex.text(sha256))
        }
        if let claimedMD5, claimedMD5 != md5 {
            throw S3Error(.badDigest, "The Content-MD5 you specified did not match what we received.")
        }
        try check(claim, checksum, trailers)
        return VerifiedPayload(
            decodedSizeBytes: sizeBytes, md5: md5, sha256: sha256, checksum: checksum, body: request.body,
            format: format)
    }

    private static func chunkedFormat(
        _ request: HTTPRequest, _ mode: PayloadMode
    ) throws(S3Error) -> AWSChunkedFraming.Format? {
        guard case .streaming(let signing, let hasTrailer) = mode else { return nil }
        guard let length = request.headers["x-amz-decoded-content-length"], let sizeBytes = DecimalNumber.parse(length)
        else {
            throw S3Error(.missingContentLength)
        }
        return .init(decodedSizeBytes: Int64(sizeBytes), isSigned: signing != nil, hasTrailer: hasTrailer)
    }

    /// Throws `InvalidDigest` when Content-MD5 is not base64 of 16 bytes (RFC 1864).
    private static func contentMD5(_ headers: HeaderFields) throws(S3Error) -> [UInt8]? {
        guard let value = headers["content-md5"] else { return nil }
        guard let digest = Base64.decode(value), digest.count == 16 else { throw S3Error(.invalidDigest) }
        return digest
    }

    private static func check(
        _ claim: ChecksumClaim, _ checksum: ObjectChecksum?, _ trailers: [(name: [UInt8], value: [UInt8])]
    ) throws(S3Error) {
        var claimed = claim.header
        if let algorithm = claim.trailer {
            guard trailers.count == 1, trailers[0].name.elementsEqual(algorithm.headerName.utf8) else {
                throw S3Error(.malformedTrailer)
            }
            guard let value = ObjectChecksum(algorithm: algorithm, base64: trailers[0].value) else {
                throw S3Error(.invalidRequest, "Value for \(algorithm.headerName) trailing header is invalid.")
            }
            claimed = value
        } else if !trailers.isEmpty {
            throw S3Error(.malformedTrailer)
        }
        if let claimed, claimed != checksum {
            throw S3Error(
                .badDigest, "The \(claimed.algorithm.rawValue) you specified did not match the calculated checksum.")
        }
    }
}

/// What is computed of the content while it passes.
struct ContentDigests {
    var md5: MD5Stream?
    var sha256: SHA256Stream?
    var checksum: ChecksumStream?

    var isWanted: Bool { md5 != nil || sha256 != nil || checksum != nil }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe md5?.update(bytes)
        unsafe sha256?.update(bytes)
        unsafe checksum?.update(bytes)
    }
}
