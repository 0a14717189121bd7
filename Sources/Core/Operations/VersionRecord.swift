/// What a record object holds: the newest word about one version, as lines `name value`, each ended by a line feed.
///
/// Of a live version the whole description; of a dead one whose bytes may still lie somewhere only that it is dead.
package struct VersionRecord: Sendable, Equatable {
    package enum Content: Sendable, Equatable {
        case live(VersionDescription)
        case dead
    }

    package var versionID: VersionID
    package var revision: Int64
    package var tenant: String
    package var bucket: [UInt8]
    package var content: Content
    /// Where the version lies under a key that does not say so: the originals of adopted buckets.
    package var places: [RecordedPlace]

    package init(
        versionID: VersionID, revision: Int64, tenant: String, bucket: [UInt8], content: Content,
        places: [RecordedPlace] = []
    ) {
        self.versionID = versionID
        self.revision = revision
        self.tenant = tenant
        self.bucket = bucket
        self.content = content
        self.places = places
    }

    /// 10,000 parts of 160 bytes, 2 KB of metadata and 10 tags, each byte percent-encoded, with room.
    package static let maximumBytes = 4 << 20
    private static let revisionName = "s3gw-revision"
    private static let stateName = "s3gw-state"
    private static let placePrefix = "s3gw-at-"

    /// The fields of the object beside the body: enough to know it as ours.
    package func metadata(_ proof: DescriptionProof) -> [HeaderField] {
        var fields = [field("s3gw-record", "1"), field("s3gw-version", versionID.description), revisionField]
        proof.sign(&fields)
        return fields
    }

    package func bytes(_ proof: DescriptionProof) -> [UInt8] {
        var fields: [HeaderField]
        switch content {
        case .live(let description): fields = description.fields() + [field(Self.stateName, "live")]
        case .dead:
            fields = [
                field("s3gw-scheme", VersionDescription.scheme), field("s3gw-version", versionID.description),
                field("s3gw-tenant", tenant),
                HeaderField(name: "s3gw-bucket", value: URIEncoding.encode(bucket, keepingSlash: true)),
                field(Self.stateName, "dead"),
            ]
        }
        fields.append(revisionField)
        for (index, place) in places.enumerated() {
            fields.append(HeaderField(name: Self.placePrefix + String(index), value: place.encoded))
        }
        proof.sign(&fields)
        return fields.flatMap { Array($0.name.utf8) + [0x20] + $0.value + [0x0A] }
    }

    /// Reads what `bytes` made; nil unless it is whole and `proof` holds.
    package init?(reading bytes: [UInt8], proof: DescriptionProof) {
        guard bytes.last == 0x0A else { return nil }
        var fields: [HeaderField] = []
        for line in bytes.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false) {
            guard let blank = line.firstIndex(of: 0x20) else { return nil }
            fields.append(
                HeaderField(name: String(decoding: line[..<blank], as: UTF8.self), value: Array(line[(blank + 1)...])))
        }
        let value = { (name: String) in fields.first { $0.name == name }?.value }
        guard proof.holds(for: fields), let id = value("s3gw-version").flatMap({ VersionID(text: $0) }),
            let revision = value(Self.revisionName).flatMap(DecimalNumber.parse), let state = value(Self.stateName),
            let tenant = value("s3gw-tenant"), let bucket = value("s3gw-bucket")
        else { return nil }
        if state.elementsEqual("dead".utf8) {
            content = .dead
        } else {
            guard state.elementsEqual("live".utf8), let description = VersionDescription(fields) else { return nil }
            content = .live(description)
        }
        places = []
        for field in fields where field.name.hasPrefix(Self.placePrefix) {
            guard let place = RecordedPlace(encoded: field.value) else { return nil }
            places.append(place)
        }
        versionID = id
        self.revision = Int64(revision)
        self.tenant = String(decoding: tenant, as: UTF8.self)
        self.bucket = bucket
    }

    private var revisionField: HeaderField { field(Self.revisionName, String(revision)) }

    private func field(_ name: String, _ value: String) -> HeaderField {
        HeaderField(name: name, value: Array(value.utf8))
    }
}

/// One object that does not say by its key which version it is: `<backend>/<bucket>/<key>`, percent-encoded.
package struct RecordedPlace: Sendable, Hashable {
    package var backend: String
    package var bucket: String
    package var key: [UInt8]

    package init(backend: String, bucket: String, key: [UInt8]) {
        self.backend = backend
        self.bucket = bucket
        self.key = key
    }

    /// Neither a backend's nor a bucket's name holds a `/`.
    var encoded: [UInt8] {
        URIEncoding.encode(Array("\(backend)/\(bucket)/".utf8) + key, keepingSlash: true)
    }

    /// Nil for what `encoded` did not make.
    init?(encoded: [UInt8]) {
        guard let text = VersionDescription.decoded(encoded) else { return nil }
        let pieces = text.split(separator: UInt8(ascii: "/"), maxSplits: 2, omittingEmptySubsequences: false)
        guard pieces.count == 3, !pieces[0].isEmpty, !pieces[1].isEmpty, !pieces[2].isEmpty else { return nil }
        self.init(
            backend: String(decoding: pieces[0], as: UTF8.self), bucket: String(decoding: pieces[1], as: UTF8.self),
            key: Array(pieces[2]))
    }
}

extension Replica {
    /// Whether its key is none that its version makes: the original of an adopted bucket.
    package func isOriginal(of version: ObjectVersion) -> Bool {
        !PhysicalKey.isKey(physicalKey, of: version.key, version.id)
    }
}
