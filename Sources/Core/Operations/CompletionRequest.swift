/// What a CompleteMultipartUpload asks for, checked against the parts that are there.
///
/// Source: Amazon S3 API Reference, CompleteMultipartUpload.
struct CompletionRequest {
    /// In rising order of number.
    let items: [CompletionDocument.Item]
    private let headers: HeaderFields

    /// The smallest part but for the last.
    ///
    /// AWS: 5 MiB ("Amazon S3 multipart upload limits").
    static let minimumPartBytes: Int64 = 5 << 20
    /// The largest object.
    ///
    /// AWS: 48.8 TiB; 10,000 parts of 5 GiB.
    static let maximumObjectBytes: Int64 = 10_000 * (5 << 30)

    /// Throws what `CompletionDocument` throws.
    init(_ document: [UInt8], _ headers: HeaderFields) throws(S3Error) {
        items = try CompletionDocument(parsing: document).items
        self.headers = headers
    }

    /// The ETag of the object; nil when an item's ETag is none of a part.
    var eTag: String? {
        var md5s: [[UInt8]] = []
        for item in items {
            guard let md5 = Hex.decode(item.eTag.utf8), md5.count == 16 else { return nil }
            md5s.append(md5)
        }
        return MultipartETag.make(md5s: md5s)
    }

    /// The object that the upload becomes.
    struct Whole {
        let parts: [UploadPart]
        let eTag: String
        let sizeBytes: Int64
        let checksum: ObjectChecksum?

        /// As they will be told of the version.
        var versionParts: [VersionPart] {
            var offset: Int64 = 0
            return parts.map { part in
                defer { offset += part.sizeBytes }
                return VersionPart(
                    number: part.number, offset: offset, sizeBytes: part.sizeBytes, md5: part.md5,
                    checksum: checksum.flatMap { part.checksum(of: $0.algorithm) })
            }
        }
    }

    /// Picks the parts that are named out of `available`.
    ///
    /// Throws `InvalidPart`, `EntityTooSmall`, `EntityTooLarge`, `BadDigest`, and `InvalidRequest` for headers that say
    /// something else of the object than is true.
    func check(against available: [UploadPart], of upload: Upload) throws(S3Error) -> Whole {
        let known = Dictionary(uniqueKeysWithValues: available.map { ($0.number, $0) })
        var parts: [UploadPart] = []
        parts.reserveCapacity(items.count)
        for item in items { parts.append(try Self.part(item, in: known, upload)) }
        for part in parts.dropLast() where part.sizeBytes < Self.minimumPartBytes {
            throw S3Error(.entityTooSmall).detail("ETag", part.eTag)
                .detail("MinSizeAllowed", String(Self.minimumPartBytes))
                .detail("ProposedSize", String(part.sizeBytes)).detail("PartNumber", String(part.number.value))
        }
        let sizeBytes = parts.reduce(0) { $0 + $1.sizeBytes }
        guard sizeBytes <= Self.maximumObjectBytes else {
            throw S3Error(.entityTooLarge).detail("ProposedSize", String(sizeBytes))
                .detail("MaxSizeAllowed", String(Self.maximumObjectBytes))
        }
        if let claimed = headers["x-amz-mp-object-size"] {
            guard DecimalNumber.parse(claimed).map(Int64.init) == sizeBytes else {
                throw S3Error(
                    .invalidRequest,
                    "The provided 'x-amz-mp-object-size' header value \(String(decoding: claimed, as: UTF8.self)) does "
                        + "not match what was computed: \(sizeBytes)")
            }
        }
        return Whole(
            parts: parts, eTag: MultipartETag.make(md5s: parts.map(\.md5)), sizeBytes: sizeBytes,
            checksum: try checksum(of: parts, upload))
    }

    private static func part(
        _ item: CompletionDocument.Item, in known: [PartNumber: UploadPart], _ upload: Upload
    ) throws(S3Error) -> UploadPart {
        let refusal = S3Error(.invalidPart).detail("UploadId", upload.id.description)
            .detail("PartNumber", String(item.number.value)).detail("ETag", item.eTag)
        guard let part = known[item.number], part.eTag.utf8.elementsEqual(item.eTag.utf8) else { throw refusal }
        for claim in item.checksums {
            guard let checksum = part.checksum, checksum.algorithm == claim.algorithm,
                checksum.base64.utf8.elementsEqual(claim.base64.utf8)
            else { throw refusal }
        }
        return part
    }

    // MARK: The object's checksum

    private func checksum(of parts: [UploadPart], _ upload: Upload) throws(S3Error) -> ObjectChecksum? {
        if let type = headers.text("x-amz-checksum-type"), type.uppercased() != upload.checksumType.rawValue {
            throw S3Error(
                .invalidRequest,
                "The upload was created using the \(upload.checksumType.rawValue) checksum mode. The complete request "
                    + "must use the same checksum mode.")
        }
        let claim = try claim()
        guard let algorithm = upload.checksumAlgorithm ?? claim?.algorithm ?? Self.unnamed(parts) else { return nil }
        guard claim == nil || claim?.algorithm == algorithm else { throw Self.mismatch(algorithm) }
        var values: [(checksum: [UInt8], sizeBytes: Int64)] = []
        for part in parts {
            guard let checksum = part.checksum(of: algorithm) else { throw Self.mismatch(algorithm) }
            values.append((checksum, part.sizeBytes))
        }
        let whole =
            upload.checksumType == .composite
            ? ChecksumCombination.composite(algorithm, values.map(\.checksum))
            : ChecksumCombination.fullObject(algorithm, values)
        guard let whole else { throw Self.mismatch(algorithm) }
        if let claim, claim.base64 != whole.base64, claim.base64 != Base64.text(whole.value) {
            throw S3Error(
                .badDigest, "The \(algorithm.rawValue) you specified did not match the calculated checksum.")
        }
        return whole
    }

    /// What the object gets when nobody named an algorithm: it needs to be known of every part.
    private static func unnamed(_ parts: [UploadPart]) -> ChecksumAlgorithm? {
        parts.allSatisfy { $0.checksum(of: .unnamed) != nil } ? .unnamed : nil
    }

    private static func mismatch(_ algorithm: ChecksumAlgorithm) -> S3Error {
        S3Error(
            .invalidRequest,
            "Not every part has a \(algorithm.rawValue) checksum, or the request names another algorithm.")
    }

    /// The one `x-amz-checksum-*` header, which here speaks of the object.
    ///
    /// Throws what `ChecksumClaim.named` does, and `InvalidRequest` for a value that no checksum of an object can be.
    private func claim() throws(S3Error) -> (algorithm: ChecksumAlgorithm, base64: String)? {
        guard let (algorithm, field) = try ChecksumClaim.named(headers) else { return nil }
        let base64 = String(decoding: field.value, as: UTF8.self)
        guard Self.isChecksum(base64, algorithm) else {
            throw S3Error(.invalidRequest, "Value for \(field.name) header is invalid.")
        }
        return (algorithm, base64)
    }

    /// Whether `text` is a checksum, or one with the number of its parts behind a hyphen.
    private static func isChecksum(_ text: String, _ algorithm: ChecksumAlgorithm) -> Bool {
        let pieces = text.utf8.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        guard pieces.count == 1 || DecimalNumber.parse(Array(pieces[1])) != nil else { return false }
        return ObjectChecksum(algorithm: algorithm, base64: Array(pieces[0])) != nil
    }
}
