/// Headers that ask for something this gateway does not do yet.
///
/// Each is refused by name: nothing is accepted and ignored.
package enum UnsupportedHeaders {
    private static let prefixes = [
        "x-amz-server-side-encryption", "x-amz-object-lock-", "x-amz-grant-", "x-amz-bucket-object-lock-",
    ]
    private static let names: Set<String> = [
        "x-amz-website-redirect-location", "x-amz-write-offset-bytes", "x-amz-mfa",
        "x-amz-bypass-governance-retention", "x-amz-rename-source", "x-amz-bucket-namespace",
    ]
    /// Headers with the values that say what we do anyway: who writes an object owns its bucket.
    private static let neutral: [(name: String, value: String)] = [
        ("x-amz-acl", "private"), ("x-amz-acl", "bucket-owner-full-control"), ("x-amz-acl", "bucket-owner-read"),
        ("x-amz-object-ownership", "BucketOwnerEnforced"),
        ("x-amz-bucket-object-lock-enabled", "false"),
    ]

    /// Throws `NotImplemented` naming the first such header.
    package static func refuse(in headers: HeaderFields) throws(S3Error) {
        for field in headers.fields where field.name.hasPrefix("x-amz-") {
            if neutral.contains(where: { $0.name == field.name && field.value.elementsEqual($0.value.utf8) }) {
                continue
            }
            let isNeutralName = neutral.contains { $0.name == field.name }
            if isNeutralName || names.contains(field.name) || prefixes.contains(where: field.name.hasPrefix) {
                throw S3Error.unimplemented(.header, field.name)
            }
        }
    }
}
