/// Everything a client can see of one version, in the form in which backends keep it: named fields beside the bytes, and
/// the same fields as lines of a record where they do not fit there.
package struct VersionDescription: Sendable, Equatable {
    /// Of the format; another one is not read.
    static let scheme = "1"
    private static let keyField = "s3gw-key"
    private static let longKeyField = "s3gw-key64"
    /// A key that needs more when it is percent-encoded stands in base 64 instead, which never needs more: it has to
    /// be in what stores keep, as nobody knows an object without its key.
    private static let maximumKeyBytes = (ObjectKey.maximumBytes + 2) / 3 * 4
    /// Before what may be left out.
    private static let keyPosition = 7

    /// The tenant's canonical id.
    package var tenant: String
    package var bucket: [UInt8]
    /// `sequence` and `bucketID` mean nothing here.
    package var version: ObjectVersion
    package var parts: [VersionPart]

    package init(tenant: String, bucket: [UInt8], version: ObjectVersion, parts: [VersionPart] = []) {
        self.tenant = tenant
        self.bucket = bucket
        self.version = version
        self.parts = parts
    }

    // MARK: Writing

    /// The fields with percent-encoded values, the most important first, the parts last; `md5` stands for an ETag that
    /// is not known yet.
    func fields(md5: [UInt8]? = nil) -> [HeaderField] {
        var fields: [(String, [UInt8])] = [
            ("s3gw-scheme", Array(Self.scheme.utf8)),
            ("s3gw-tenant", Array(tenant.utf8)),
            ("s3gw-bucket", bucket),
            ("s3gw-version", version.id.text),
            ("s3gw-size", Array(String(version.sizeBytes).utf8)),
            ("s3gw-class", Array(version.storageClass.utf8)),
            ("s3gw-modified", Array(version.lastModified.iso8601.utf8)),
        ]
        let isLongKey = Self.isLong(version.key.bytes)
        if !isLongKey { fields.append((Self.keyField, version.key.bytes)) }
        if version.isNull { fields.append(("s3gw-null", [0x31])) }
        if version.isDeleteMarker { fields.append(("s3gw-marker", [0x31])) }
        let eTag = version.eTag.isEmpty ? md5.map(Hex.encode) ?? [] : Array(version.eTag.utf8)
        if !eTag.isEmpty { fields.append(("s3gw-etag", eTag)) }
        if let checksum = version.checksum {
            fields.append(
                ("s3gw-checksum", Array(checksum.algorithm.rawValue.utf8) + [0x3A] + Hex.encode(checksum.stored)))
        }
        // Numbered, because stores give fields back in any order and fold names.
        for (index, field) in version.headers.enumerated() {
            fields.append(("s3gw-h-\(index)", Array(field.name.utf8) + [0x3A] + field.value))
        }
        for (index, tag) in version.tags.enumerated() {
            fields.append(
                ("s3gw-t-\(index)", URIEncoding.encode(tag.key, keepingSlash: false) + [0x3D] + tag.value))
        }
        for part in parts {
            let checksum = part.checksum.map { ":" + Hex.text($0) } ?? ""
            fields.append(
                ("s3gw-part-\(part.number.value)", Array("\(part.sizeBytes):\(Hex.text(part.md5))\(checksum)".utf8)))
        }
        var encoded = fields.map { HeaderField(name: $0.0, value: URIEncoding.encode($0.1, keepingSlash: true)) }
        if isLongKey {
            encoded.insert(
                HeaderField(name: Self.longKeyField, value: Base64.encode(version.key.bytes)), at: Self.keyPosition)
        }
        return encoded
    }

    private static func isLong(_ key: [UInt8]) -> Bool {
        guard key.count * 3 > maximumKeyBytes else { return false }
        return URIEncoding.encode(key, keepingSlash: true).count > maximumKeyBytes
    }

    /// The key in the field `s3gw-key`, or `s3gw-key64`; nil when there is none.
    static func key(in fields: [HeaderField]) -> [UInt8]? {
        if let field = fields.first(where: { $0.name == keyField }) { return decoded(field.value) }
        return fields.first { $0.name == longKeyField }.flatMap { Base64.decode($0.value) }
    }

    // MARK: Reading

    /// Reads fields that `fields` made, in any order; nil unless they describe one version.
    ///
    /// What may be missing is empty: the ETag of an object whose MD5 was not known when it was sent.
    package init?(_ fields: [HeaderField]) {
        var values: [String: [UInt8]] = [:]
        for field in fields where field.name.hasPrefix("s3gw-") {
            guard let value = Self.decoded(field.value), values.updateValue(value, forKey: field.name) == nil else {
                return nil
            }
        }
        guard values["s3gw-scheme"]?.elementsEqual(Self.scheme.utf8) == true, let tenant = values["s3gw-tenant"],
            let bucket = values["s3gw-bucket"], let key = Self.key(in: fields),
            (1...ObjectKey.maximumBytes).contains(key.count),
            let id = values["s3gw-version"].flatMap({ VersionID(text: $0) }),
            let modified = values["s3gw-modified"].flatMap({ Timestamp(iso8601: $0) })
        else { return nil }
        var version = ObjectVersion(
            id: id, sequence: 0, bucketID: 0, key: ObjectKey(stored: key),
            isDeleteMarker: values["s3gw-marker"] != nil,
            sizeBytes: Int64(values["s3gw-size"].flatMap(DecimalNumber.parse) ?? 0),
            eTag: String(decoding: values["s3gw-etag"] ?? [], as: UTF8.self), lastModified: modified,
            storageClass: String(decoding: values["s3gw-class"] ?? [], as: UTF8.self), headers: [],
            isNull: values["s3gw-null"] != nil)
        if let written = values["s3gw-checksum"] {
            guard let checksum = Self.checksum(written) else { return nil }
            version.checksum = checksum
        }
        for value in Self.numbered("s3gw-h-", in: values) {
            guard let (name, text) = Self.split(value.bytes, at: 0x3A) else { return nil }
            version.headers.append(HeaderField(name: String(decoding: name, as: UTF8.self), value: text))
        }
        for value in Self.numbered("s3gw-t-", in: values) {
            guard let (name, text) = Self.split(value.bytes, at: 0x3D), let tagKey = Self.decoded(name) else {
                return nil
            }
            version.tags.append(Tag(storedKey: tagKey, value: text))
        }
        var parts: [VersionPart] = []
        for value in Self.numbered("s3gw-part-", in: values) {
            guard let part = Self.part(value, after: parts.last) else { return nil }
            parts.append(part)
        }
        self.init(tenant: String(decoding: tenant, as: UTF8.self), bucket: bucket, version: version, parts: parts)
    }

    private static func numbered(
        _ prefix: String, in values: [String: [UInt8]]
    ) -> [(number: Int, bytes: [UInt8])] {
        values.compactMap { name, bytes in
            guard name.hasPrefix(prefix),
                let number = DecimalNumber.parse(Array(name.utf8.dropFirst(prefix.utf8.count)))
            else { return nil }
            return (number, bytes)
        }.sorted { $0.number < $1.number }
    }

    private static func checksum(_ written: [UInt8]) -> ObjectChecksum? {
        guard let (name, digits) = split(written, at: 0x3A), let algorithm = ChecksumAlgorithm(name: name),
            let stored = Hex.decode(digits)
        else { return nil }
        let checksum = ObjectChecksum(algorithm: algorithm, stored: stored)
        return checksum.value.count == algorithm.digestSizeBytes ? checksum : nil
    }

    private static func part(_ value: (number: Int, bytes: [UInt8]), after last: VersionPart?) -> VersionPart? {
        let pieces = value.bytes.split(separator: 0x3A, omittingEmptySubsequences: false)
        guard (2...3).contains(pieces.count), let number = PartNumber(value.number),
            let sizeBytes = DecimalNumber.parse(Array(pieces[0])), let md5 = Hex.decode(pieces[1])
        else { return nil }
        var checksum: [UInt8]?
        if pieces.count == 3 {
            guard let bytes = Hex.decode(pieces[2]) else { return nil }
            checksum = bytes
        }
        return VersionPart(
            number: number, offset: last.map { $0.offset + $0.sizeBytes } ?? 0, sizeBytes: Int64(sizeBytes), md5: md5,
            checksum: checksum)
    }

    private static func split(_ bytes: [UInt8], at mark: UInt8) -> (before: [UInt8], after: [UInt8])? {
        guard let index = bytes.firstIndex(of: mark) else { return nil }
        return (Array(bytes[..<index]), Array(bytes[(index + 1)...]))
    }

    static func decoded(_ text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "%") {
                guard index + 2 < text.count, let high = Hex.value(text[index + 1]),
                    let low = Hex.value(text[index + 2])
                else { return nil }
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(text[index])
                index += 1
            }
        }
        return bytes
    }
}
