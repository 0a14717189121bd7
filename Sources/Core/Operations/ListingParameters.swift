/// The parameters that all listings of a bucket share.
struct ListingParameters {
    let prefix: [UInt8]
    let delimiter: [UInt8]
    /// `ListObjects.maximumPage` where more was asked for, as AWS answers.
    let maxKeys: Int
    let isURLEncoded: Bool

    /// `limitName` is the parameter with the number of entries.
    ///
    /// Throws `InvalidArgument`.
    init(_ target: RequestTarget, limitName: StaticString = "max-keys") throws(S3Error) {
        prefix = target.query("prefix") ?? []
        delimiter = target.query("delimiter") ?? []
        maxKeys = try Self.limit(target, limitName)
        isURLEncoded = try Self.isURLEncoded(target)
    }

    private static func limit(_ target: RequestTarget, _ name: StaticString) throws(S3Error) -> Int {
        guard let text = target.query(name), !text.isEmpty else { return ListObjects.maximumPage }
        guard let number = DecimalNumber.parse(text), number <= Int(Int32.max) else {
            throw S3Error(.invalidArgument, "Provided \(name) not an integer or within integer range")
                .detail("ArgumentName", "\(name)")
                .detail("ArgumentValue", String(decoding: text, as: UTF8.self))
        }
        return min(number, ListObjects.maximumPage)
    }

    private static func isURLEncoded(_ target: RequestTarget) throws(S3Error) -> Bool {
        guard let text = target.query("encoding-type"), !text.isEmpty else { return false }
        guard ASCII.areEqual(text, "url") else {
            throw S3Error(.invalidArgument, "Invalid Encoding Method specified in Request")
                .detail("ArgumentName", "encoding-type")
                .detail("ArgumentValue", String(decoding: text, as: UTF8.self))
        }
        return true
    }

    func query(_ bucket: Bucket, after marker: [UInt8]) -> ListingQuery {
        ListingQuery(
            bucketID: bucket.id, prefix: prefix, delimiter: delimiter, after: marker,
            limit: maxKeys)
    }

    /// Keys, prefixes and markers are percent-encoded when the client asked for it; a `/` stays readable, as on AWS.
    func write(_ name: String, _ bytes: [UInt8], to xml: inout XMLWriter) {
        xml.element(name, isURLEncoded ? URIEncoding.encode(bytes, keepingSlash: true) : bytes)
    }
}
