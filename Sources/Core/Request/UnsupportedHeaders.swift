/// Headers that ask for something this gateway does not do yet.
///
/// Each is refused by name: nothing is accepted and ignored.
package enum UnsupportedHeaders {
    private static let encryption = "x-amz-server-side-encryption"
    private static let prefixes = [
        encryption, "x-amz-object-lock-", "x-amz-grant-", "x-amz-bucket-object-lock-",
        "x-amz-copy-source-server-side-encryption", "x-amz-if-match-",
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

    /// Throws `NotImplemented` for a read with a key of its own, which would have to be compared with the object's.
    ///
    /// What else a write may ask for means nothing to a read.
    package static func refuseEncryption(in headers: HeaderFields) throws(S3Error) {
        for field in headers.fields where field.name.utf8.starts(with: encryption.utf8) {
            throw S3Error.unimplemented(.header, field.name)
        }
    }

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
