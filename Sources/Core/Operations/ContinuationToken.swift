/// The opaque marker that carries a listing on: `1` and the base64 of the marker's bytes.
///
/// It grants nothing: a listing that uses it is authorised like any other. A token of another shape is not ours.
enum ContinuationToken {
    private static let version = UInt8(ascii: "1")

    static func encode(_ marker: [UInt8]) -> [UInt8] { [version] + Base64.encode(marker) }

    /// Throws `InvalidArgument` when the token is not one of ours.
    static func decode(_ token: [UInt8]) throws(S3Error) -> [UInt8] {
        guard token.first == version, let marker = Base64.decode(Array(token.dropFirst())), !marker.isEmpty else {
            throw S3Error(.invalidArgument, "The continuation token provided is incorrect")
                .detail("ArgumentName", "continuation-token")
        }
        return marker
    }
}
