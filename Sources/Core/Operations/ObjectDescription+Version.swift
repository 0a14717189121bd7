/// What lies beside the bytes on a backend, so that the database can be rebuilt from the backends (DESIGN.md 4).
extension ObjectDescription {
    /// S3 stores at most 2 KB of user metadata, names included.
    ///
    /// What does not fit is left out, and `s3gw-omitted` says how many fields; the version then has a record.
    private static let maximumMetadataBytes = 2048
    private static let omittedName = "s3gw-omitted"
    /// Room for `s3gw-omitted` or `s3gw-draft` and its value.
    private static let noteBytes = 24
    private static let draftName = "s3gw-draft"

    /// The field that holds the version's id.
    static let versionField = "s3gw-version"

    /// Describes a version that is about to be sent; values are percent-encoded, so that every backend keeps them.
    ///
    /// A draft is of an upload that has just begun: its size, time and ETag are known at its completion only.
    init(
        of version: ObjectVersion, in bucket: Bucket, tenant: Tenant, md5: [UInt8]?, isDraft: Bool = false,
        proof: DescriptionProof
    ) {
        let whole = VersionDescription(tenant: tenant.canonicalID, bucket: bucket.name.bytes, version: version)
        var metadata: [HeaderField] = []
        var room = Self.maximumMetadataBytes - Self.noteBytes - DescriptionProof.costBytes
        var omitted = 0
        for field in whole.fields(md5: md5) where !isDraft || field.name != "s3gw-size" {
            let cost = field.name.utf8.count + field.value.count
            guard cost <= room else {
                omitted += 1
                continue
            }
            room -= cost
            metadata.append(field)
        }
        if omitted > 0 { metadata.append(HeaderField(name: Self.omittedName, value: Array(String(omitted).utf8))) }
        if isDraft { metadata.append(HeaderField(name: Self.draftName, value: [0x31])) }
        proof.sign(&metadata)
        self.init(sizeBytes: version.sizeBytes, md5: md5, sha256: nil, metadata: metadata)
    }

    /// Whether nothing but this is needed to know the version again; one made of parts has its parts in its record.
    var isWhole: Bool { Self.isWhole(metadata) }

    static func isWhole(_ metadata: [HeaderField]) -> Bool {
        !metadata.contains { $0.name == omittedName || $0.name == draftName }
            && metadata.contains { $0.name == "s3gw-etag" && !$0.value.contains(UInt8(ascii: "-")) }
    }

    static func isDraft(_ metadata: [HeaderField]) -> Bool { metadata.contains { $0.name == draftName } }
}
