/// Proves that a self-description was written by this installation, about exactly this version.
///
/// The last field, `s3gw-proof`, is HMAC-SHA256 under the installation's namespace key over all other `s3gw-*` fields in
/// the order of their names, each name and value with its length before it; the first 16 bytes in hex.
package struct DescriptionProof: Sendable {
    static let fieldName = "s3gw-proof"
    /// Of the digest; 128 bits.
    private static let lengthBytes = 16
    /// What `sign` adds to the metadata, in bytes.
    static let costBytes = 10 + 2 * lengthBytes
    private static let context = Array("s3gw-description-1".utf8)

    private let hmac: @Sendable ([UInt8]) -> [UInt8]

    /// `hmac` computes HMAC-SHA256 under the installation's namespace key.
    package init(hmac: @escaping @Sendable ([UInt8]) -> [UInt8]) { self.hmac = hmac }

    /// Adds the proof to fields whose values are encoded already.
    package func sign(_ fields: inout [HeaderField]) {
        fields.append(HeaderField(name: Self.fieldName, value: Hex.encode(digest(of: fields))))
    }

    /// Tells whether the fields are as we wrote them, whatever their order; fields of others do not matter.
    package func holds(for fields: [HeaderField]) -> Bool {
        let proofs = fields.filter { $0.name == Self.fieldName }
        guard let proof = proofs.first, proofs.count == 1, let claimed = Hex.decode(proof.value) else { return false }
        return Crypto.areEqual(claimed, digest(of: fields))
    }

    private func digest(of fields: [HeaderField]) -> [UInt8] {
        let own = fields.filter { $0.name.hasPrefix("s3gw-") && $0.name != Self.fieldName }
        var message = Self.context
        for field in own.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            Self.append(Array(field.name.utf8), to: &message)
            Self.append(field.value, to: &message)
        }
        return Array(hmac(message).prefix(Self.lengthBytes))
    }

    private static func append(_ bytes: [UInt8], to message: inout [UInt8]) {
        for shift in [24, 16, 8, 0] { message.append(UInt8(truncatingIfNeeded: bytes.count >> shift)) }
        message.append(contentsOf: bytes)
    }
}
