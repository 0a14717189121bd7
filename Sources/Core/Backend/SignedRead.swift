/// A GET of one whole object, signed, that nginx sends to the store in our place.
package struct SignedRead: Sendable, Equatable {
    /// Percent-encoded path, with the bucket unless that stands in `host`.
    package let target: String
    /// The value of `Host`.
    package let host: String
    /// The value of `x-amz-date`.
    package let date: String
    /// The value of `Authorization`; good for this object, for as long as the store takes signatures of that date.
    package let authorization: String
}

extension Backend {
    /// Nil when reads have to pass through us: the store is no S3 store, or it ignores `If-Match`, so that nobody would
    /// see that its bytes are not those of the version.
    package func signedRead(_ object: PhysicalObject) -> SignedRead? { nil }
}

extension S3Backend {
    package func signedRead(_ object: PhysicalObject) -> SignedRead? {
        guard checksIfMatch else { return nil }
        let request = signed(StoreCall(method: .get, bucket: object.bucket, key: object.key))
        func header(_ name: String) -> String { request.headers.first { $0.name == name }?.value ?? "" }
        return SignedRead(
            target: request.target, host: header("Host"), date: header("x-amz-date"),
            authorization: header("Authorization"))
    }
}
