/// What the headers of a request claim about the checksum of its body.
///
/// Source: Amazon S3 User Guide, "Checking object integrity"; the refusals are those that S3 gives.
struct ChecksumClaim {
    /// The value in an `x-amz-checksum-*` header; nothing of it is verified yet.
    var header: ObjectChecksum?
    /// The algorithm that `x-amz-trailer` announces.
    var trailer: ChecksumAlgorithm?

    var algorithm: ChecksumAlgorithm? { header?.algorithm ?? trailer }

    /// Headers that begin like a checksum and are none.
    private static let others = ["x-amz-checksum-mode", "x-amz-checksum-algorithm", "x-amz-checksum-type"]

    /// Claims nothing: for requests whose checksum headers speak of something else than their body.
    init() {}

    /// Throws `InvalidRequest` for more than one checksum, an unknown algorithm or a value that cannot be one, and
    /// `MalformedTrailerError` for a trailer announced without a body that has trailers.
    init(_ headers: HeaderFields, hasTrailer: Bool) throws(S3Error) {
        let found = try Self.named(headers)
        let announced = try Self.announced(headers)
        guard found == nil || announced == nil else { throw Self.multiple }
        if let (algorithm, field) = found {
            guard let value = ObjectChecksum(algorithm: algorithm, base64: field.value) else {
                throw S3Error(.invalidRequest, "Value for \(field.name) header is invalid.")
            }
            header = value
        }
        trailer = announced
        guard hasTrailer || trailer == nil else { throw S3Error(.malformedTrailer) }
        try checkNamedBySDK(headers)
    }

    private static let multiple = S3Error(
        .invalidRequest, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")

    /// Returns the one checksum that stands in a header, whatever it speaks of.
    ///
    /// Throws `InvalidRequest` for a second one, and for an algorithm that is not known here.
    static func named(_ headers: HeaderFields) throws(S3Error) -> (algorithm: ChecksumAlgorithm, field: HeaderField)? {
        var found: HeaderField?
        for field in headers.fields where field.name.utf8.starts(with: "x-amz-checksum-".utf8) {
            if others.contains(field.name) { continue }
            guard found == nil else { throw multiple }
            found = field
        }
        guard let found else { return nil }
        guard let algorithm = ChecksumAlgorithm(headerName: found.name.utf8) else {
            throw S3Error(.invalidRequest, "The algorithm type you specified in x-amz-checksum- header is invalid.")
        }
        return (algorithm, found)
    }

    private static func announced(_ headers: HeaderFields) throws(S3Error) -> ChecksumAlgorithm? {
        guard let value = headers["x-amz-trailer"] else { return nil }
        let name = value.lazy.filter { $0 != 0x20 }.map(ASCII.lower)
        guard let algorithm = ChecksumAlgorithm(headerName: name) else {
            throw S3Error(.invalidRequest, "The value specified in the x-amz-trailer header is not supported")
        }
        return algorithm
    }

    private func checkNamedBySDK(_ headers: HeaderFields) throws(S3Error) {
        guard let value = headers["x-amz-sdk-checksum-algorithm"] else { return }
        guard let named = ChecksumAlgorithm(name: value) else {
            throw S3Error(.invalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid.")
        }
        guard let algorithm else {
            throw S3Error(
                .invalidRequest,
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                    + "headers were found.")
        }
        guard named == algorithm else {
            throw S3Error(.invalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid.")
        }
    }
}
