/// How a description travels to an S3 store: all of it in the one field `x-amz-meta-s3gw`, as
/// `key=a/b&version=01J...&...`.
///
/// Every answer about the object repeats its metadata, and each line of a head costs the store, the network and us more
/// than the bytes in it do.
extension ObjectDescription {
    static let packedHeader = "x-amz-meta-s3gw"
    private static let namePrefix = "s3gw-"
    static let separator = UInt8(ascii: "&")
    private static let equals = UInt8(ascii: "=")

    /// The header of a PUT; none when there is nothing to say.
    var packed: [(name: String, value: String)] {
        guard !metadata.isEmpty else { return [] }
        var text: [UInt8] = []
        for field in metadata {
            if !text.isEmpty { text.append(Self.separator) }
            text.append(contentsOf: field.name.utf8.dropFirst(Self.namePrefix.utf8.count))
            text.append(Self.equals)
            text.append(contentsOf: field.value)
        }
        return [(Self.packedHeader, String(decoding: text, as: UTF8.self))]
    }

    /// The fields of a packed value, names with their `s3gw-` again; what has no `=` is left out.
    static func unpack(_ packed: [UInt8]) -> [HeaderField] {
        packed.split(separator: separator).compactMap { pair in
            guard let end = pair.firstIndex(of: equals) else { return nil }
            return HeaderField(
                name: namePrefix + String(decoding: pair[..<end], as: UTF8.self), value: Array(pair[(end + 1)...]))
        }
    }
}
