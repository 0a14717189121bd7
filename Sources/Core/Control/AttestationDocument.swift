/// The signed JSON of an attestation, in pieces (docs/PROTOCOL.md, "Attestations").
///
/// A line each: the opening, the header, the versions, the summary, and the signature over everything between the first
/// and the last line.
package struct AttestationDocument {
    package static let opening = "{\"attestation\":\n"
    /// Begins the last line.
    package static let signatureOpening = ",\"signature\":"
    static let format = "s3gw-attestation-1"
    /// Violations that stand in the summary's list; each stands beside its version, too.
    package static let maximumListed = 1000

    private let header: Attestation.Header
    private var digest = SHA256Stream()
    private var isFirst = true
    private var listed: [JSONValue] = []

    package init(_ header: Attestation.Header) { self.header = header }

    /// The first lines.
    package mutating func begin() -> [UInt8] {
        let bucket = header.bucket
        let members: [JSONValue.Member] = [
            .init("format", .string(Self.format)), .init("bucket", .string(bucket.name.text)),
            .init("tenant", .string(header.tenant)), .init("bucketId", .integer(bucket.id)),
            .init("madeAt", .string(header.madeAt.iso8601)),
            .init("ledger", ["rows": .integer(header.head.sequence), "hash": .string(Hex.text(header.head.hash))]),
            .init("policies", .array(header.timeline.segments.enumerated().map { $1.json(number: $0) })),
            .init(
                "backends",
                .array(header.timeline.backends.values.joined().sorted { $0.sequence < $1.sequence }.map(\.json))),
        ]
        // The object stays open: its list of versions follows.
        var text = JSONValue.object(members).compact
        text.removeLast()
        return Array(Self.opening.utf8) + add(text + Array(",\"versions\":[".utf8))
    }

    package mutating func version(_ version: AttestedVersion) -> [UInt8] {
        for place in version.places {
            for violation in place.violations where listed.count < Self.maximumListed {
                listed.append(violation.json(version: version.id, place))
            }
        }
        let text = Array((isFirst ? "\n" : ",\n").utf8) + version.json.compact
        isFirst = false
        return add(text)
    }

    /// The last lines, with the signature.
    package mutating func end(
        _ summary: Attestation.Summary, signedBy key: AttestationKey
    ) throws(S3Error) -> [UInt8] {
        let sums: JSONValue = [
            "versions": .integer(summary.versions), "places": .integer(summary.places),
            "placesNow": .integer(summary.placesNow), "violations": .integer(summary.violations),
            "arrivals": .integer(summary.arrivals), "stayings": .integer(summary.stayings),
        ]
        var text = Array("\n],\"summary\":".utf8) + sums.compact
        text += Array(",\"violations\":".utf8) + JSONValue.array(listed).compact + Array("}".utf8)
        let end = add(text)
        let signature = AttestationSignature(
            digest: digest.finish(), head: header.head, publicKey: key.publicKey, signature: [])
        let signed = try signature.signed(by: key)
        return end + Array("\n\(Self.signatureOpening)".utf8) + signed.json.compact + Array("}".utf8)
    }

    private mutating func add(_ bytes: [UInt8]) -> [UInt8] {
        digest.update(bytes)
        return bytes
    }
}

/// The last line of an attestation.
package struct AttestationSignature: Sendable, Equatable {
    /// SHA-256 of what is signed, 32 bytes.
    package var digest: [UInt8]
    package var head: LedgerHead
    package var publicKey: [UInt8]
    package var signature: [UInt8]

    /// What is signed: four lines.
    var message: [UInt8] {
        Array(
            "\(AttestationDocument.format)\n\(Hex.text(digest))\n\(head.sequence)\n\(Hex.text(head.hash))\n".utf8)
    }

    func signed(by key: AttestationKey) throws(S3Error) -> AttestationSignature {
        var signed = self
        signed.signature = try key.sign(message)
        return signed
    }

    package var isValid: Bool { Ed25519.isValid(signature, of: message, publicKey: publicKey) }

    var json: JSONValue {
        [
            "algorithm": "Ed25519", "publicKey": .string(Hex.text(publicKey)), "digest": .string(Hex.text(digest)),
            "ledgerRows": .integer(head.sequence), "ledgerHash": .string(Hex.text(head.hash)),
            "signature": .string(Hex.text(signature)),
        ]
    }

    /// Reads the last line of an attestation, without `signatureOpening`; nil when it is none.
    package init?(parsing line: [UInt8]) {
        guard line.last == UInt8(ascii: "}") else { return nil }
        let value: JSONValue
        do throws(JSONReader.SyntaxError) { value = try JSONReader.read(Array(line.dropLast())) } catch { return nil }
        guard let digest = value.hex("digest"), let hash = value.hex("ledgerHash"),
            let publicKey = value.hex("publicKey"), let signature = value.hex("signature"),
            case .integer(let rows) = value["ledgerRows"]
        else { return nil }
        self.digest = digest
        head = LedgerHead(sequence: rows, hash: hash)
        self.publicKey = publicKey
        self.signature = signature
    }

    init(digest: [UInt8], head: LedgerHead, publicKey: [UInt8], signature: [UInt8]) {
        self.digest = digest
        self.head = head
        self.publicKey = publicKey
        self.signature = signature
    }
}

extension JSONValue: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self = .string(value) }

    fileprivate func hex(_ name: String) -> [UInt8]? {
        guard case .string(let text) = self[name] else { return nil }
        return Hex.decode(text.utf8)
    }
}

extension AttestationTimeline.Segment {
    fileprivate func json(number: Int) -> JSONValue {
        [
            "number": .number(number), "from": sequence == 0 ? .null : .string(from.iso8601),
            "ledgerRow": .integer(sequence), "tenantPolicy": Self.json(tenantPolicy),
            "bucketPolicy": Self.json(bucketPolicy),
        ]
    }

    private static func json(_ policy: AttestationTimeline.PolicyVersion?) -> JSONValue {
        guard let policy else { return .null }
        return ["version": .integer(policy.version), "policy": policy.document.jsonValue]
    }
}

extension AttestationTimeline.BackendEntry {
    fileprivate var json: JSONValue {
        [
            "id": .integer(backendID), "name": .string(name), "ledgerRow": .integer(sequence),
            "from": .string(from.iso8601), "state": .string(state), "region": .string(location.region),
            "country": .text(location.country), "jurisdictions": .texts(location.jurisdictions),
            "provider": .text(location.provider), "certifications": .texts(location.certifications),
        ]
    }
}

extension AttestationViolation {
    private var members: [JSONValue.Member] {
        [
            .init("kind", .string(kind.rawValue)), .init("rule", .string(rule)), .init("reason", .string(reason)),
            .init("since", .string(since.iso8601)),
        ]
    }

    fileprivate var json: JSONValue { .object(members) }

    fileprivate func json(version: VersionID, _ place: AttestedPlace) -> JSONValue {
        .object(
            [.init("versionId", .string(version.description)), .init("backend", .string(place.backend))] + members)
    }
}

extension AttestedVersion {
    var json: JSONValue {
        [
            "versionId": .string(id.description), "key": .text(key?.text), "state": .string(state.rawValue),
            "sizeBytes": sizeBytes.map(JSONValue.integer) ?? .null, "places": .array(places.map(\.json)),
        ]
    }
}

extension AttestedPlace {
    fileprivate var json: JSONValue {
        [
            "backend": .string(backend), "backendId": .integer(backendID), "country": .text(location.country),
            "region": .string(location.region), "state": .string(state.rawValue), "from": .string(from.iso8601),
            "presentAt": .text(presentAt?.iso8601), "until": .text(until?.iso8601), "policy": .number(policy),
            "notAllowedSince": .text(notAllowedSince?.iso8601), "violations": .array(violations.map(\.json)),
            "ledgerRow": .integer(sequence),
        ]
    }
}
