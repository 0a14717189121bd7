/// Reads the `X-Amz-*` query parameters of a presigned URL.
///
/// Source: Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters".
enum PresignedURL {
    static let maximumExpirySeconds = 604_800
    static let signatureName = Array("X-Amz-Signature".utf8)

    /// Throws `AuthorizationQueryParametersError`, or `AccessDenied` when the URL has expired or is not valid yet.
    static func claim(of request: HTTPRequest, now: Timestamp) throws(S3Error) -> SignatureClaim {
        let target = request.target
        guard let algorithm = target.query("X-Amz-Algorithm"), let credential = target.query("X-Amz-Credential"),
            let date = target.query("X-Amz-Date"), let expiry = target.query("X-Amz-Expires"),
            let signedHeaders = target.query("X-Amz-SignedHeaders"), let signature = target.query("X-Amz-Signature")
        else {
            throw malformed(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                    + "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
        }
        guard algorithm == AuthenticationMode.algorithm else {
            throw malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
        }
        guard let scope = CredentialScope(parsing: credential) else {
            throw malformed("Error parsing the X-Amz-Credential parameter; \(CredentialScope.malformed)")
        }
        guard let moment = Timestamp(iso8601Basic: date) else {
            throw malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        }
        if let fault = scope.fault(region: request.site.region, requestDate: date) {
            let error = malformed("Error parsing the X-Amz-Credential parameter; \(fault.text)")
            throw fault.region.map { error.detail("Region", $0) } ?? error
        }
        try checkTime(moment, expiry: expiry, now: now)
        return SignatureClaim(
            scope: scope, signedHeaders: signedHeaders, signature: signature, date: date, moment: moment)
    }

    private static func checkTime(_ moment: Timestamp, expiry: [UInt8], now: Timestamp) throws(S3Error) {
        guard let seconds = DecimalNumber.parse(expiry) else {
            throw malformed(
                expiry.first == UInt8(ascii: "-")
                    ? "X-Amz-Expires must be non-negative" : "X-Amz-Expires should be a number")
        }
        guard seconds <= maximumExpirySeconds else {
            throw malformed(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less "
                    + "than \(maximumExpirySeconds) seconds")
        }
        guard seconds >= 1 else { throw malformed("X-Amz-Expires must be at least 1 second") }
        let end = moment.adding(seconds: Int64(seconds))
        guard now <= end else {
            throw S3Error(.accessDenied, "Request has expired")
                .detail("X-Amz-Expires", String(seconds))
                .detail("Expires", end.iso8601)
                .detail("ServerTime", now.iso8601)
        }
        guard moment.seconds - now.seconds <= AuthorizationHeader.maximumSkewSeconds else {
            throw S3Error(.accessDenied, "Request is not yet valid")
                .detail("X-Amz-Date", moment.iso8601)
                .detail("ServerTime", now.iso8601)
        }
    }

    /// Adds the `x-amz-*` parameters that a signer moved from the headers into the query (hoisting) to `headers`, for
    /// S3 reads them there too: they are part of what was signed.
    ///
    /// Throws `InvalidArgument` for a value that no header can have, and `InvalidRequest` when the header stands beside
    /// the parameter.
    static func hoistHeaders(from target: RequestTarget, into headers: inout HeaderFields) throws(S3Error) {
        for item in target.query where beginsAsHeader(item.name) && !AuthenticationMode.isQueryAuthentication(item.name)
        {
            let name = item.name.map(ASCII.lower)
            guard name.allSatisfy(isNameByte), item.value.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 })
            else {
                throw S3Error(
                    .invalidArgument, "A query parameter that stands for a header has a byte that none may have.")
            }
            let text = String(decoding: name, as: UTF8.self)
            guard headers[text] == nil else {
                throw S3Error(.invalidRequest, "\(text) was given as a header and as a query parameter.")
            }
            try headers.add(text, item.value)
        }
    }

    /// Tells whether `name` begins with `x-amz-` in any case and goes on.
    private static func beginsAsHeader(_ name: [UInt8]) -> Bool {
        name.count > 6 && ASCII.lower(name[0]) == UInt8(ascii: "x") && name[1] == UInt8(ascii: "-")
            && ASCII.lower(name[2]) == UInt8(ascii: "a") && ASCII.lower(name[3]) == UInt8(ascii: "m")
            && ASCII.lower(name[4]) == UInt8(ascii: "z") && name[5] == UInt8(ascii: "-")
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }

    private static func malformed(_ text: String) -> S3Error { S3Error(.authorizationQueryParametersError, text) }
}
