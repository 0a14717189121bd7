/// The header `x-amz-copy-source`: `[/]BUCKET/KEY[?versionId=ID]`, percent-encoded.
///
/// A bucket of another tenant is `OWNER:BUCKET`, as radosgw writes it; no bucket has a colon in its name.
/// Source: Amazon S3 API Reference, CopyObject.
package struct CopySource: Sendable, Equatable {
    /// The name of the tenant that has the bucket; nil for the one that asks.
    package let owner: String?
    package let bucket: BucketName
    package let key: ObjectKey
    /// As sent; nil for the current version.
    package let versionID: [UInt8]?

    static let headerName = "x-amz-copy-source"
    private static let versionMark = Array("?versionId=".utf8)

    /// Throws `InvalidArgument` for what names no bucket and key, and what `BucketName` and `ObjectKey` throw.
    package init(_ headers: HeaderFields) throws(S3Error) {
        guard let value = headers[Self.headerName] else { throw Self.refusal(nil) }
        try self.init(parsing: value)
    }

    package init(parsing value: [UInt8]) throws(S3Error) {
        var path = value[...]
        var version: ArraySlice<UInt8>?
        if let mark = Self.versionMarkIndex(in: value) {
            path = value[..<mark]
            version = value[(mark + Self.versionMark.count)...]
        }
        let name: [UInt8]
        do throws(S3Error) {
            // AWS reads `+` as a blank here, and its clients send `%2B` for a plus.
            name = try RequestTarget.percentDecoded(path, plusIsSpace: true)
            versionID = try version.map { text throws(S3Error) in
                try RequestTarget.percentDecoded(text, plusIsSpace: true)
            }
        } catch {
            throw Self.refusal(value)
        }
        let rest = name.first == UInt8(ascii: "/") ? name.dropFirst() : name[...]
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")), slash + 1 < rest.endIndex else {
            throw Self.refusal(value)
        }
        let place = rest[..<slash]
        let colon = place.firstIndex(of: UInt8(ascii: ":"))
        owner = colon.map { String(decoding: place[..<$0], as: UTF8.self) }
        bucket = try BucketName(validating: Array(place[(colon.map { $0 + 1 } ?? place.startIndex)...]))
        key = try ObjectKey(validating: Array(rest[(slash + 1)...]))
    }

    /// The last one: a key may hold the same letters, where they should be encoded and sometimes are not.
    private static func versionMarkIndex(in value: [UInt8]) -> Int? {
        guard value.count >= versionMark.count else { return nil }
        return (0...(value.count - versionMark.count)).last { start in
            value[start] == versionMark[0] && value[start..<(start + versionMark.count)].elementsEqual(versionMark)
        }
    }

    private static func refusal(_ value: [UInt8]?) -> S3Error {
        let error = S3Error(
            .invalidArgument, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        ).detail("ArgumentName", headerName)
        return value.map { error.detail("ArgumentValue", String(decoding: $0, as: UTF8.self)) } ?? error
    }
}
