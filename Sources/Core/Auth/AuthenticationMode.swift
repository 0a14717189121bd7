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

    /// Throws `InvalidArgument` when two modes are present or the header is of an unknown kind, `InvalidRequest` for
    /// Signature Version 2, and `AccessDenied` for an empty header, as for none.
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

    /// Tells whether `name` is, in any case, a query parameter that carries a signature.
    ///
    /// Any one of them makes a request presigned, so that half a signature is a mistake and never an anonymous request.
    static func isQueryAuthentication(_ name: [UInt8]) -> Bool {
        switch name.count {
        case 10: ASCII.areEqual(name, "x-amz-date")
        case 13: ASCII.areEqual(name, "x-amz-expires")
        case 15: ASCII.areEqual(name, "x-amz-algorithm") || ASCII.areEqual(name, "x-amz-signature")
        case 16: ASCII.areEqual(name, "x-amz-credential")
        case 19: ASCII.areEqual(name, "x-amz-signedheaders")
        case 20: ASCII.areEqual(name, "x-amz-security-token")
        default: false
        }
    }

    static let unsupportedMechanism = S3Error(
        .invalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")

    private static func checkKind(_ authorization: [UInt8]) throws(S3Error) {
        guard !authorization.isEmpty else { throw S3Error(.accessDenied) }
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

    /// Compares without case; `word` is lower case and as long as `bytes`.
    static func areEqual(_ bytes: [UInt8], _ word: StaticString) -> Bool {
        guard bytes.count == word.utf8CodeUnitCount else { return false }
        let wanted = unsafe word.utf8Start
        for index in bytes.indices {
            guard unsafe lower(bytes[index]) == wanted[index] else { return false }
        }
        return true
    }
}
