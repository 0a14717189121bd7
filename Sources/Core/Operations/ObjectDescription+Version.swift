/// What lies beside the bytes on a backend, so that the database can be rebuilt from the backends (DESIGN.md 4).
extension ObjectDescription {
    /// S3 stores at most 2 KB of user metadata, names included; what does not fit is left out and `s3gw-omitted` says so.
    static let maximumMetadataBytes = 2048 - 64

    /// The field that holds the version's id.
    static let versionField = "s3gw-version"

    /// Describes a version that is about to be sent; values are percent-encoded, so that every backend keeps them.
    init(of version: ObjectVersion, in bucket: Bucket, tenant: Tenant, md5: [UInt8]?) {
        var fields: [(String, [UInt8])] = [
            ("s3gw-scheme", Array("1".utf8)),
            ("s3gw-tenant", Array(tenant.canonicalID.utf8)),
            ("s3gw-bucket", bucket.name.bytes),
            (Self.versionField, version.id.text),
            ("s3gw-size", Array(String(version.sizeBytes).utf8)),
            ("s3gw-class", Array(version.storageClass.utf8)),
            ("s3gw-modified", Array(version.lastModified.iso8601.utf8)),
            ("s3gw-key", version.key.bytes),
        ]
        if let md5 {
            fields.append(("s3gw-etag", Hex.encode(md5)))
        } else if MultipartETag.split(version.eTag) != nil {
            fields.append(("s3gw-etag", Array(version.eTag.utf8)))
        }
        if let checksum = version.checksum {
            fields.append(
                ("s3gw-checksum", Array(checksum.algorithm.rawValue.utf8) + [0x3A] + Hex.encode(checksum.stored)))
        }
        for (index, field) in version.headers.enumerated() {
            // A name that some store would drop or fold (`_`, `.`) travels in the value instead.
            let isPlain = field.name.utf8.allSatisfy {
                $0 == 0x2D || (0x61...0x7A).contains($0) || (0x30...0x39).contains($0)
            }
            fields.append(
                isPlain
                    ? ("s3gw-h-\(field.name)", field.value)
                    : ("s3gw-x-\(index)", Array(field.name.utf8) + [0x3A] + field.value))
        }
        var metadata: [HeaderField] = []
        var room = Self.maximumMetadataBytes
        var omitted = 0
        for (name, value) in fields {
            let encoded = URIEncoding.encode(value, keepingSlash: true)
            let cost = name.utf8.count + encoded.count
            guard cost <= room else {
                omitted += 1
                continue
            }
            room -= cost
            metadata.append(HeaderField(name: name, value: encoded))
        }
        if omitted > 0 { metadata.append(HeaderField(name: "s3gw-omitted", value: Array(String(omitted).utf8))) }
        self.init(sizeBytes: version.sizeBytes, md5: md5, sha256: nil, metadata: metadata)
    }
}
