/// How a request says who sends it: the one classifier of it (SECURITY.md 1).
///
/// What follows looks at nothing else.
enum AuthenticationMode: Equatable {
    case anonymous
    /// An `Authorization` header of Signature Version 4.
    case header
    /// `X-Amz-*` query parameters: a presigned URL.
    case query
    /// A browser's form upload, whose fields carry the signature.
    case postForm

    static let algorithm = Array("AWS4-HMAC-SHA256".utf8)

    /// The query parameters that carry a signature, in lower case.
    ///
    /// Any one of them makes a request presigned, so that half a signature is a mistake and never an anonymous request.
    static let queryNames: [[UInt8]] = [
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature",
        "x-amz-security-token",
    ].map { Array($0.utf8) }

    /// Throws `InvalidArgument` when two modes are present or the header is of an unknown kind, and `InvalidRequest` for
    /// Signature Version 2.
    init(of request: HTTPRequest) throws(S3Error) {
        let authorization = request.headers["authorization"]
        let isForm = Self.isForm(request)
        var isPresigned = false
        for item in request.target.query where item.name.count >= 9 {
            if Self.isQueryAuthentication(item.name) { isPresigned = true }
            // Signature Version 2 in the query: AWSAccessKeyId, Signature, Expires.
            if item.name.elementsEqual("AWSAccessKeyId".utf8) || item.name.elementsEqual("Signature".utf8) {
                throw Self.unsupportedMechanism
            }
        }
        let modes = (authorization == nil ? 0 : 1) + (isPresigned ? 1 : 0) + (isForm ? 1 : 0)
        guard modes <= 1 else {
            throw S3Error(
                .invalidArgument,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                    + "parameter or the Authorization header should be specified"
            ).detail("ArgumentName", "Authorization")
        }
        if let authorization {
            try Self.checkKind(authorization)
            self = .header
        } else {
            self = isPresigned ? .query : isForm ? .postForm : .anonymous
        }
    }

    /// Tells whether `name` is one of `queryNames` in any case.
    static func isQueryAuthentication(_ name: [UInt8]) -> Bool {
        guard name.count >= 10, ASCII.lower(name[0]) == UInt8(ascii: "x"), name[1] == UInt8(ascii: "-") else {
            return false
        }
        return queryNames.contains { $0.count == name.count && $0.elementsEqual(name.lazy.map(ASCII.lower)) }
    }

    static let unsupportedMechanism = S3Error(
        .invalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")

    private static func checkKind(_ authorization: [UInt8]) throws(S3Error) {
        let word = authorization.prefix { $0 != 0x20 }
        if word.elementsEqual(algorithm) { return }
        if word.elementsEqual("AWS".utf8) || word.elementsEqual("AWS4-ECDSA-P256-SHA256".utf8) {
            throw unsupportedMechanism
        }
        throw S3Error(.invalidArgument, "Unsupported Authorization Type").detail("ArgumentName", "Authorization")
    }

    private static func isForm(_ request: HTTPRequest) -> Bool {
        guard request.method == .post, let type = request.headers["content-type"] else { return false }
        return type.prefix(19).lazy.map(ASCII.lower).elementsEqual("multipart/form-data".utf8)
    }
}

/// ASCII without locale: `lowercased()` would fold U+212A to `k`.
enum ASCII {
    static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
