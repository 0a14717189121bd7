/// What `x-amz-content-sha256` says of the body, with all that verifying the body takes.
package enum PayloadMode: Sendable {
    /// Nothing is said: `UNSIGNED-PAYLOAD`.
    case unsigned
    /// The SHA-256 of the whole body, 32 bytes.
    case hash([UInt8])
    /// An aws-chunked body; with `ChunkSigning` every chunk is signed.
    case streaming(ChunkSigning?, hasTrailer: Bool)

    /// What `x-amz-content-sha256` can say, before the signature is known.
    enum Claim {
        case unsigned
        case hash([UInt8])
        case streaming(isSigned: Bool, hasTrailer: Bool)
    }

    static let unsignedPayload = Array("UNSIGNED-PAYLOAD".utf8)
    private static let streamingPrefix = Array("STREAMING-".utf8)

    /// Reads the value of `x-amz-content-sha256`.
    ///
    /// Throws `InvalidArgument` for anything that is not supported.
    static func claim(_ value: [UInt8]) throws(S3Error) -> Claim {
        if value.count == 64, let digest = Hex.decode(value) { return .hash(digest) }
        if value == unsignedPayload { return .unsigned }
        if value.starts(with: streamingPrefix) {
            switch String(decoding: value, as: UTF8.self) {
            case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": return .streaming(isSigned: true, hasTrailer: false)
            case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": return .streaming(isSigned: true, hasTrailer: true)
            case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": return .streaming(isSigned: false, hasTrailer: true)
            default: break
            }
        }
        throw S3Error(
            .invalidArgument,
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
        ).detail("ArgumentName", "x-amz-content-sha256")
    }
}

/// What links the signatures of an aws-chunked body to the request's own signature, which seeds the chain.
package struct ChunkSigning: Sendable {
    let key: SigningKey
    /// `20130524T000000Z`.
    let date: [UInt8]
    /// `20130524/us-east-1/s3/aws4_request`.
    let scope: [UInt8]
    /// The signature of the request, 64 hex digits.
    let seedSignature: [UInt8]
}
