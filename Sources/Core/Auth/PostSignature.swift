/// What the fields of a form claim of its signature.
///
/// Sources: Amazon S3 API Reference, "Authenticating Requests: Browser-Based Uploads Using POST (AWS Signature Version
/// 4)", and the same for Signature Version 2.
enum PostSignature {
    case version4(CredentialScope, signature: [UInt8])
    /// HMAC-SHA1 of the policy in base64.
    case version2(accessKeyID: String, signature: [UInt8])

    /// Any of these makes a form one that wants to be signed.
    private static let version4Fields: [StaticString] = [
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature",
    ]
    private static let version2Fields: [StaticString] = ["awsaccesskeyid", "signature"]

    /// Returns nil for a form without any sign of a signature.
    ///
    /// Throws `InvalidArgument` for a half of one or for both kinds, `InvalidRequest` for Signature Version 2 where the
    /// site does not allow it, `AuthorizationQueryParametersError` for a scope that is not ours, and `InvalidToken`.
    init?(_ form: PostForm, site: SiteSettings, now: Timestamp) throws(S3Error) {
        // No session token is ours, so none can be valid.
        guard form["x-amz-security-token"] == nil else { throw S3Error(.invalidToken) }
        let has4 = Self.version4Fields.contains { form[$0] != nil }
        let has2 = Self.version2Fields.contains { form[$0] != nil }
        guard has4 || has2 || form["policy"] != nil else { return nil }
        guard !(has4 && has2) else {
            throw S3Error(.invalidArgument, "Only one auth mechanism allowed in a form.")
                .detail("ArgumentName", "x-amz-algorithm")
        }
        _ = try Self.required("policy", form)
        if has2 {
            guard site.allowsSignatureV2 else { throw AuthenticationMode.unsupportedMechanism }
            let id = try Self.required("awsaccesskeyid", form)
            let isPlain =
                id.count <= CredentialScope.maximumAccessKeyIDBytes && id.allSatisfy { (0x21...0x7E).contains($0) }
            self = .version2(
                accessKeyID: isPlain ? String(decoding: id, as: UTF8.self) : "",
                signature: try Self.required("signature", form))
        } else {
            self = .version4(try Self.scope(form, site, now), signature: try Self.required("x-amz-signature", form))
        }
    }

    var accessKeyID: String {
        switch self {
        case .version4(let scope, _): scope.accessKeyID
        case .version2(let accessKeyID, _): accessKeyID
        }
    }

    /// The field that need not stand in the policy, beside those that never need to.
    func isExempt(_ field: [UInt8]) -> Bool {
        switch self {
        case .version4: field.elementsEqual("x-amz-signature".utf8)
        case .version2: field.elementsEqual("awsaccesskeyid".utf8) || field.elementsEqual("signature".utf8)
        }
    }

    /// Compares in constant time; `secret` is a made-up one for an unknown key.
    func isRight(of policy: [UInt8], _ keys: SigningKeyCache, accessKeyID: String, secret: [UInt8]) -> Bool {
        switch self {
        case .version4(let scope, let signature):
            let key = keys.key(accessKeyID: accessKeyID, secret: secret, date: scope.date, region: scope.region)
            return Crypto.areEqual(key.signature(of: policy), signature)
        case .version2(_, let signature):
            return Crypto.areEqual(Base64.encode(Crypto.hmacSHA1(key: secret, message: policy)), signature)
        }
    }

    private static func scope(
        _ form: PostForm, _ site: SiteSettings, _ now: Timestamp
    ) throws(S3Error) -> CredentialScope {
        guard try required("x-amz-algorithm", form) == AuthenticationMode.algorithm else {
            throw S3Error(.invalidArgument, "x-amz-algorithm only supports \"AWS4-HMAC-SHA256\"")
                .detail("ArgumentName", "x-amz-algorithm")
        }
        guard let scope = CredentialScope(parsing: try required("x-amz-credential", form)) else {
            throw malformed(CredentialScope.malformed)
        }
        let date = try required("x-amz-date", form)
        guard let moment = Timestamp(iso8601Basic: date) else {
            throw S3Error(.invalidArgument, "x-amz-date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
                .detail("ArgumentName", "x-amz-date")
        }
        if let fault = scope.fault(region: site.region, requestDate: date) {
            let error = malformed(fault.text)
            throw fault.region.map { error.detail("Region", $0) } ?? error
        }
        guard moment.seconds - now.seconds <= AuthorizationHeader.maximumSkewSeconds else {
            throw S3Error(.accessDenied, "Request is not yet valid").detail("ServerTime", now.iso8601)
        }
        return scope
    }

    private static func required(_ name: StaticString, _ form: PostForm) throws(S3Error) -> [UInt8] {
        guard let value = form[name], !value.isEmpty else { throw missing(name) }
        return value
    }

    /// For a field that is not there before the file: what comes after it counts for nothing.
    static func missing(_ name: StaticString) -> S3Error {
        S3Error(
            .invalidArgument,
            "Bucket POST must contain a field named '\(name)'.  If it is specified, please check the order of the fields."
        ).detail("ArgumentName", name.description)
    }

    private static func malformed(_ text: String) -> S3Error {
        S3Error(.authorizationQueryParametersError, "Error parsing the X-Amz-Credential parameter; \(text)")
    }
}
