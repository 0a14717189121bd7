/// A GET of one whole object, signed, that nginx sends to the store in our place.
package struct SignedRead: Sendable, Equatable {
    /// Percent-encoded path, with the bucket unless that stands in `host`.
    package let target: [UInt8]
    /// The value of `Host`.
    package let host: [UInt8]
    /// The value of `x-amz-date`.
    package let date: [UInt8]
    /// The value of `Authorization`; good for this object, for as long as the store takes signatures of that date.
    package let authorization: [UInt8]
}

extension Backend {
    /// Nil when reads have to pass through us: the store is no S3 store, or it ignores `If-Match`, so that nobody would
    /// see that its bytes are not those of the version.
    package func signedRead(_ object: PhysicalObject) -> SignedRead? { nil }
}

extension S3Backend {
    package func signedRead(_ object: PhysicalObject) -> SignedRead? {
        guard checksIfMatch else { return nil }
        let call = StoreCall(method: .get, bucket: object.bucket, key: object.key)
        let path = path(call)
        let moment = signer.moment(host: host(call), at: .now())
        return SignedRead(
            target: path, host: moment.host, date: moment.date,
            authorization: moment.authorization(method: call.method.rawValue, path: path))
    }
}
