/// A form upload whose policy is signed by a key we know and has not expired.
///
/// What the policy says of its fields and its file is not checked yet.
package struct SignedForm: Sendable {
    package let form: PostForm
    let policy: PostPolicy
    let signature: PostSignature

    private static let ignoredPrefix = Array("x-ignore-".utf8)
    private static let bucketField = Array("bucket".utf8)

    /// Checks all fields, and the bucket of the request as a field of that name.
    ///
    /// Throws `AccessDenied` naming the condition or the fields, and `InvalidArgument` when a field `bucket` names another.
    package func authorize(bucket: BucketName) throws(S3Error) {
        if let named = form["bucket"], named != bucket.bytes {
            throw S3Error(.invalidArgument, "The form names another bucket than the request.")
                .detail("ArgumentName", "bucket")
        }
        var fields = form.fields.filter { $0.name != Self.bucketField }
        fields.append(FormField(name: Self.bucketField, value: bucket.bytes))
        try policy.check(fields) { name in
            name.elementsEqual("policy".utf8) || name.starts(with: Self.ignoredPrefix) || signature.isExempt(name)
        }
    }

    /// Returns the content of the file.
    ///
    /// Throws what `PostForm.file` does, `EntityTooLarge` and `EntityTooSmall`.
    package func upload() throws(S3Error) -> RequestBody {
        let file = try form.file()
        try policy.checkSize(file.sizeBytes)
        return file
    }
}

extension Authenticator {
    /// Verifies the signature of a form's policy.
    ///
    /// Returns nil for a form that is not signed at all.
    ///
    /// Throws `InvalidArgument` for a form without a key before anything is said of its signature, as AWS does: a form
    /// with its file in front has neither.
    func verifyForm(
        _ request: HTTPRequest, now: Timestamp, credential: (String) throws(S3Error) -> Credential?
    ) throws(S3Error) -> (Credential, SignedForm)? {
        // A policy covers the fields of the form: no header of the request may say more than they do.
        let headers = request.headers.fields.map(\.name).filter { $0.utf8.starts(with: "x-amz-".utf8) }
        guard headers.isEmpty else {
            throw S3Error(.accessDenied, "There were headers present in the request which were not signed")
                .detail("HeadersNotSigned", headers.joined(separator: ", "))
        }
        let form = try PostForm(reading: request)
        guard form["key"] != nil else { throw PostSignature.missing("key") }
        guard let signature = try PostSignature(form, site: request.site, now: now), let text = form["policy"] else {
            return nil
        }
        let known = signature.accessKeyID.isEmpty ? nil : try credential(signature.accessKeyID)
        let isRight = signature.isRight(
            of: text, signingKeys, accessKeyID: known?.accessKeyID ?? "", secret: known?.secret ?? nobodysSecret)
        guard let known, known.isActive else {
            throw S3Error(.invalidAccessKeyID).detail("AWSAccessKeyId", signature.accessKeyID)
        }
        guard isRight else { throw S3Error(.signatureDoesNotMatch).detail("AWSAccessKeyId", known.accessKeyID) }
        // A form may break the lines of a long value.
        guard let json = Base64.decode(text.filter { $0 != 0x0D && $0 != 0x0A }) else {
            throw PostPolicy.invalid("Invalid Base64.")
        }
        let policy = try PostPolicy(parsing: json)
        try policy.checkTime(now)
        return (known, SignedForm(form: form, policy: policy, signature: signature))
    }
}
