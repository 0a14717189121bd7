/// Reads `AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...`.
///
/// Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header".
enum AuthorizationHeader {
    /// The clock of a client may differ from ours by 15 minutes (same source).
    static let maximumSkewSeconds: Int64 = 15 * 60

    /// Throws `AuthorizationHeaderMalformed`, `AccessDenied` without a usable date, or `RequestTimeTooSkewed`.
    static func claim(of request: HTTPRequest, now: Timestamp) throws(S3Error) -> SignatureClaim {
        let fields = try components(request.headers["authorization"] ?? [])
        guard let scope = CredentialScope(parsing: fields.credential) else {
            throw malformed(CredentialScope.malformed)
        }
        let (date, moment) = try signingDate(request.headers)
        let region = asksForRegion(request, scope) ? CredentialScope.unknownRegion : request.site.region
        if let fault = scope.fault(region: region, requestDate: date) {
            let error = malformed(fault.text)
            throw fault.region.map { error.detail("Region", $0) } ?? error
        }
        guard abs(now.seconds - moment.seconds) <= maximumSkewSeconds else {
            throw S3Error(.requestTimeTooSkewed)
                .detail("RequestTime", String(decoding: date, as: UTF8.self))
                .detail("ServerTime", now.iso8601)
                .detail("MaxAllowedSkewMilliseconds", String(maximumSkewSeconds * 1000))
        }
        return SignatureClaim(
            scope: scope, signedHeaders: Array(fields.signedHeaders), signature: Array(fields.signature), date: date,
            moment: moment)
    }

    /// Whether this is GetBucketLocation of a client that does not know the region yet.
    ///
    /// minio-py, minio-go and what is built on them ask so before anything else, and sign for `us-east-1`, as for AWS's
    /// endpoint without a region.
    private static func asksForRegion(_ request: HTTPRequest, _ scope: CredentialScope) -> Bool {
        guard request.method == .get, scope.region.elementsEqual(CredentialScope.unknownRegion.utf8),
            request.target.has("location")
        else { return false }
        do throws(S3Error) { return try S3Route(routing: request).operation == .getBucketLocation } catch {
            // What cannot be routed is refused for that once the signature is right for the site.
            return false
        }
    }

    private struct Components {
        var credential: ArraySlice<UInt8>
        var signedHeaders: ArraySlice<UInt8>
        var signature: ArraySlice<UInt8>
    }

    private static func components(_ value: [UInt8]) throws(S3Error) -> Components {
        var credential: ArraySlice<UInt8>?
        var signedHeaders: ArraySlice<UInt8>?
        var signature: ArraySlice<UInt8>?
        let rest = value.dropFirst(AuthenticationMode.algorithm.count)
        for part in rest.split(separator: UInt8(ascii: ",")) {
            let part = trimmed(part)
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else {
                throw malformed("the authorization component is malformed.")
            }
            let text = part[(equals + 1)...]
            let name = part[..<equals]
            if name.elementsEqual("Credential".utf8), credential == nil {
                credential = text
            } else if name.elementsEqual("SignedHeaders".utf8), signedHeaders == nil {
                signedHeaders = text
            } else if name.elementsEqual("Signature".utf8), signature == nil {
                signature = text
            } else {
                throw malformed("the authorization component is malformed.")
            }
        }
        guard let credential, let signedHeaders, let signature else {
            throw malformed(
                "the authorization header requires three components: Credential, SignedHeaders, and Signature.")
        }
        return Components(credential: credential, signedHeaders: signedHeaders, signature: signature)
    }

    /// `x-amz-date`, or `Date` when that is missing; both may be in the ISO form, `Date` also in an HTTP form.
    private static func signingDate(_ headers: HeaderFields) throws(S3Error) -> ([UInt8], Timestamp) {
        if let value = headers["x-amz-date"] {
            if let moment = Timestamp(iso8601Basic: value) { return (value, moment) }
        } else if let value = headers["date"] {
            if let moment = Timestamp(iso8601Basic: value) { return (value, moment) }
            if let moment = Timestamp(httpDate: value) { return (Array(moment.iso8601Basic.utf8), moment) }
        }
        throw S3Error(.accessDenied, "AWS authentication requires a valid Date or x-amz-date header")
    }

    private static func trimmed(_ part: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let start = part.firstIndex { $0 != 0x20 } ?? part.endIndex
        let end = part.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? start
        return part[start..<end]
    }

    static func malformed(_ text: String) -> S3Error {
        S3Error(.authorizationHeaderMalformed, "The authorization header is malformed; \(text)")
    }
}
