/// The key that signs attestations and heads of the ledger: sealed in the database, made when it is first needed.
package struct AttestationKey: Sendable {
    /// The row of `installation` that holds the sealed private key.
    package static let name = "attestation-key"

    private let privateKey: [UInt8]
    /// 32 bytes.
    package let publicKey: [UInt8]

    /// Opens the installation's key, or makes it.
    ///
    /// Throws `InternalError` when `masterKeys` do not open it.
    package init(_ database: Database, _ masterKeys: MasterKeys) throws(S3Error) {
        let sealed = try database.write { sql throws(S3Error) in
            if let sealed = try sql.installationValue(Self.name) { return sealed }
            let fresh = masterKeys.seal(Ed25519.makePrivateKey(), table: World.installationTable, row: Self.name)
            try sql.setInstallationValue(Self.name, fresh)
            return fresh
        }
        privateKey = try masterKeys.open(sealed, table: World.installationTable, row: Self.name)
        guard let publicKey = Ed25519.publicKey(of: privateKey) else { throw Self.broken }
        self.publicKey = publicKey
    }

    package func sign(_ message: [UInt8]) throws(S3Error) -> [UInt8] {
        guard let signature = Ed25519.sign(message, privateKey: privateKey) else { throw Self.broken }
        return signature
    }

    /// Signs a head and keeps the signature in the database.
    package func keep(_ head: LedgerHead, in database: Database, at time: Timestamp = .now()) throws(S3Error) {
        let signature = try sign(Self.message(of: head, signedAt: time))
        _ = try database.write { sql throws(S3Error) in
            try sql.insertSignedHead(SignedLedgerHead(head: head, signedAt: time, signature: signature))
        }
    }

    package func isValid(_ head: SignedLedgerHead) -> Bool {
        Ed25519.isValid(
            head.signature, of: Self.message(of: head.head, signedAt: head.signedAt), publicKey: publicKey)
    }

    /// What is signed of a head: four lines.
    static func message(of head: LedgerHead, signedAt: Timestamp) -> [UInt8] {
        Array(
            "s3gw-ledger-head-1\n\(head.sequence)\n\(Hex.text(head.hash))\n\(signedAt.milliseconds)\n".utf8)
    }

    private static var broken: S3Error { S3Error(.internalError, cause: "the attestation key is no Ed25519 key") }
}
