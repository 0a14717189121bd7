/// Who may do what, before anything about existence is told (SECURITY.md 7).
///
/// A tenant may do everything with its own buckets: names are resolved inside the tenant, and so another tenant's bucket
/// does not exist for it. The one exception is a source of a copy that its owner shares (`CopyObject.find`).
enum Authorization {
    /// Throws `AccessDenied` when the client expected the bucket to belong to somebody else.
    static func check(_ request: HTTPRequest, _ tenant: Tenant) throws(S3Error) {
        for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
            // Whose the source of a copy is, is known when it is found.
            if name.hasPrefix("x-amz-source-"), request.headers[CopySource.headerName] != nil { continue }
            guard let expected = request.headers[name] else { continue }
            guard expected.elementsEqual(tenant.canonicalID.utf8) else { throw S3Error(.accessDenied) }
        }
    }
}
