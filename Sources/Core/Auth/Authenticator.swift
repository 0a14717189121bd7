/// An access key as the database knows it.
package struct Credential: Sendable {
    package let accessKeyID: String
    /// The secret access key as bytes, opened.
    package let secret: [UInt8]
    package let isActive: Bool
    package let tenantID: Int64

    package init(accessKeyID: String, secret: [UInt8], isActive: Bool, tenantID: Int64) {
        self.accessKeyID = accessKeyID
        self.secret = secret
        self.isActive = isActive
        self.tenantID = tenantID
    }
}

/// Who sent a request, verified, and how its body is to be verified.
package enum Authentication: Sendable {
    case anonymous(payload: PayloadMode)
    case signed(Credential, PayloadMode)
    /// A form upload; its body is verified through the form.
    case form(Credential, SignedForm)

    package var payload: PayloadMode {
        switch self {
        case .anonymous(let payload), .signed(_, let payload): payload
        case .form: .unsigned
        }
    }
}

/// Verifies Signature Version 4 in the header, in the query and in a form (DESIGN.md 5: authenticate).
package struct Authenticator: Sendable {
    let signingKeys: SigningKeyCache
    /// What an unknown access key is verified with, so that it takes as long as a known one.
    let nobodysSecret = Crypto.randomBytes(40)

    package init(signingKeys: SigningKeyCache) { self.signingKeys = signingKeys }

    /// Tells who sent `request`.
    ///
    /// The request gets back the header names that CGI had folded, and the headers that a presigned URL carries in its
    /// query.
    ///
    /// `credential` looks an access key id up; nil for an unknown one. Throws what S3 throws: see the stages.
    package func authenticate(
        _ request: inout HTTPRequest, now: Timestamp,
        credential: (_ accessKeyID: String) throws(S3Error) -> Credential?
    ) throws(S3Error) -> Authentication {
        let mode = try AuthenticationMode(of: request)
        // No session token is ours, so none can be valid.
        guard request.headers["x-amz-security-token"] == nil, !request.target.has("X-Amz-Security-Token") else {
            throw S3Error(.invalidToken)
        }
        switch mode {
        case .anonymous:
            return .anonymous(payload: try anonymousPayload(request))
        case .postForm:
            guard let (known, form) = try verifyForm(request, now: now, credential: credential) else {
                return .anonymous(payload: .unsigned)
            }
            return .form(known, form)
        case .header:
            let claim = try AuthorizationHeader.claim(of: request, now: now)
            guard let payloadHash = request.headers["x-amz-content-sha256"] else {
                throw S3Error(.invalidRequest, "Missing required header for this request: x-amz-content-sha256")
            }
            return try verify(claim, payloadHash, &request, hoistedCount: 0, credential)
        case .query:
            let claim = try PresignedURL.claim(of: request, now: now)
            let ownCount = request.headers.fields.count
            try PresignedURL.hoistHeaders(from: request.target, into: &request.headers)
            let payloadHash = request.headers["x-amz-content-sha256"] ?? PayloadMode.unsignedPayload
            let hoistedCount = request.headers.fields.count - ownCount
            return try verify(claim, payloadHash, &request, hoistedCount: hoistedCount, credential)
        }
    }

    private func verify(
        _ claim: SignatureClaim, _ payloadHash: [UInt8], _ request: inout HTTPRequest, hoistedCount: Int,
        _ credential: (String) throws(S3Error) -> Credential?
    ) throws(S3Error) -> Authentication {
        let payload = try PayloadMode.claim(payloadHash)
        let signedHeaders = try SignedHeaders(
            matching: claim.signedHeaders, with: &request.headers, hoistedCount: hoistedCount)
        let known = claim.scope.accessKeyID.isEmpty ? nil : try credential(claim.scope.accessKeyID)
        let key = signingKeys.key(
            accessKeyID: known?.accessKeyID ?? "", secret: known?.secret ?? nobodysSecret, date: claim.scope.date,
            region: claim.scope.region)
        let isRight = isSigned(request, claim, signedHeaders, payloadHash, by: key)
        guard let known, known.isActive else {
            throw S3Error(.invalidAccessKeyID).detail("AWSAccessKeyId", claim.scope.accessKeyID)
        }
        guard isRight else { throw S3Error(.signatureDoesNotMatch).detail("AWSAccessKeyId", known.accessKeyID) }
        switch payload {
        case .unsigned: return .signed(known, .unsigned)
        case .hash(let digest): return .signed(known, .hash(digest))
        case .streaming(isSigned: false, let hasTrailer):
            return .signed(known, .streaming(nil, hasTrailer: hasTrailer))
        case .streaming(isSigned: true, let hasTrailer):
            let signing = ChunkSigning(
                key: key, date: claim.date, scope: claim.scope.bytes, seedSignature: claim.signature)
            return .signed(known, .streaming(signing, hasTrailer: hasTrailer))
        }
    }

    // hot: the micro-benchmark "signature verification". Compares in constant time.
    private func isSigned(
        _ request: HTTPRequest, _ claim: SignatureClaim, _ signedHeaders: SignedHeaders, _ payloadHash: [UInt8],
        by key: SigningKey
    ) -> Bool {
        let query = CanonicalRequest.query(request.target.query)
        let scope = claim.scope.bytes
        func signature(path: [UInt8]) -> [UInt8] {
            var canonical = CanonicalRequest(method: request.method.text, path: path, query: query)
            signedHeaders.append(request.headers, to: &canonical)
            canonical.finish(signedHeaders: signedHeaders.list, payloadHash: payloadHash)
            return key.signature(of: StringToSign.request(canonical, date: claim.date, scope: scope))
        }
        let path = CanonicalRequest.path(request.target.path)
        if Crypto.areEqual(signature(path: path), claim.signature) { return true }
        // botocore signs the path as it stands on the wire, where `%2F` and its like are not canonical.
        guard path != request.target.rawPath else { return false }
        return Crypto.areEqual(signature(path: request.target.rawPath), claim.signature)
    }

    private func anonymousPayload(_ request: HTTPRequest) throws(S3Error) -> PayloadMode {
        guard let value = request.headers["x-amz-content-sha256"] else { return .unsigned }
        switch try PayloadMode.claim(value) {
        case .unsigned: return .unsigned
        case .hash(let digest): return .hash(digest)
        case .streaming(isSigned: false, let hasTrailer): return .streaming(nil, hasTrailer: hasTrailer)
        case .streaming(isSigned: true, _):
            throw S3Error(.invalidRequest, "An anonymous request cannot have a signed streaming payload.")
        }
    }
}
