/// Who may do what, before anything about existence is told (SECURITY.md 7).
///
/// A tenant may do everything with its own buckets and nothing with others': names are resolved inside the tenant, and so
/// another tenant's bucket does not exist for it.
enum Authorization {
    /// Throws `AccessDenied` when the client expected the bucket to belong to somebody else.
    static func check(_ request: HTTPRequest, _ tenant: Tenant) throws(S3Error) {
        for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
            guard let expected = request.headers[name] else { continue }
            guard expected.elementsEqual(tenant.canonicalID.utf8) else { throw S3Error(.accessDenied) }
        }
    }
}
