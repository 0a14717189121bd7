/// The ledger of where bytes are, have been and may be: appended to in the transaction of what it tells.
///
/// SQLite has one writer, so the head that a writer reads is the head it extends.
extension SQLConnection {
    package func appendLedger(
        _ event: LedgerEvent, tenantID: Int64? = nil, bucketID: Int64? = nil, versionID: VersionID? = nil,
        backendID: Int64? = nil, details: [UInt8] = [], at time: Timestamp = .now()
    ) throws(S3Error) {
        // hot: MetadataBenchmark
        let head = try ledgerHead()
        let entry = LedgerEntry(
            sequence: head.sequence + 1, recordedAt: time, event: event, tenantID: tenantID, bucketID: bucketID,
            versionID: versionID, backendID: backendID, details: details)
        try run(
            """
            INSERT INTO ledger (
                sequence, recorded_at, event, tenant_id, bucket_id, version_id, backend_id, details, hash)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """, .int(entry.sequence), SQLValue(time), .text(event.rawValue), SQLValue(tenantID), SQLValue(bucketID),
            SQLValue(versionID?.bytes), SQLValue(backendID), .bytes(details), .bytes(entry.hash(after: head.hash)))
    }

    package func ledgerHead() throws(S3Error) -> LedgerHead {
        try first("SELECT sequence, hash FROM ledger WHERE sequence > 0 ORDER BY sequence DESC LIMIT 1") {
            LedgerHead(sequence: $0.int(0), hash: $0.bytes(1))
        } ?? .empty
    }

    /// Returns up to `limit` rows with larger sequences than `after`, in order, each with the hash that is stored.
    package func ledgerEntries(
        after sequence: Int64, limit: Int
    ) throws(S3Error) -> [(entry: LedgerEntry, hash: [UInt8])] {
        try all(
            """
            SELECT sequence, recorded_at, event, tenant_id, bucket_id, version_id, backend_id, details, hash
            FROM ledger WHERE sequence > $1 ORDER BY sequence LIMIT $2
            """, .int(sequence), .int(Int64(limit))
        ) { (row) throws(S3Error) in (entry: try ledgerEntry(row), hash: row.bytes(8)) }
    }

    /// The stored hash of one row; nil when there is no such row.
    package func ledgerHash(sequence: Int64) throws(S3Error) -> [UInt8]? {
        try first("SELECT hash FROM ledger WHERE sequence = $1", .int(sequence)) { $0.bytes(0) }
    }

    /// Returns up to `limit` rows about policies, backends and buckets, in order.
    package func ledgerSettings(after sequence: Int64, upTo last: Int64, limit: Int) throws(S3Error) -> [LedgerEntry] {
        try all(
            """
            SELECT sequence, recorded_at, event, tenant_id, bucket_id, version_id, backend_id, details
            FROM ledger WHERE version_id IS NULL AND sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3
            """, .int(sequence), .int(last), .int(Int64(limit))
        ) { (row) throws(S3Error) in try ledgerEntry(row) }
    }

    /// Returns up to `limit` rows about a bucket's versions that follow (`version`, `sequence`), by version and
    /// sequence, none beyond `last`.
    package func ledgerReplicas(
        bucketID: Int64, after version: [UInt8], _ sequence: Int64, upTo last: Int64, limit: Int
    ) throws(S3Error) -> [LedgerEntry] {
        try all(
            """
            SELECT sequence, recorded_at, event, tenant_id, bucket_id, version_id, backend_id, details
            FROM ledger WHERE bucket_id = $1 AND version_id IS NOT NULL AND (version_id, sequence) > ($2, $3)
            AND sequence <= $4 ORDER BY version_id, sequence LIMIT $5
            """, .int(bucketID), .bytes(version), .int(sequence), .int(last), .int(Int64(limit))
        ) { (row) throws(S3Error) in try ledgerEntry(row) }
    }

    private func ledgerEntry(_ row: any SQLStatement) throws(S3Error) -> LedgerEntry {
        LedgerEntry(
            sequence: row.int(0), recordedAt: row.time(1), event: try row.word(2), tenantID: row.optionalInt(3),
            bucketID: row.optionalInt(4), versionID: row.isNull(5) ? nil : try row.versionID(5),
            backendID: row.optionalInt(6), details: row.bytes(7))
    }

    // MARK: Signed heads

    /// Keeps a head that was signed; false when that row was signed before.
    @discardableResult
    package func insertSignedHead(_ head: SignedLedgerHead) throws(S3Error) -> Bool {
        try run(
            """
            INSERT INTO ledger_heads (sequence, hash, signed_at, signature) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING
            """, .int(head.head.sequence), .bytes(head.head.hash), SQLValue(head.signedAt), .bytes(head.signature)) == 1
    }

    /// Returns up to `limit` signed heads of larger sequences than `after`, in order.
    package func signedHeads(after sequence: Int64, limit: Int) throws(S3Error) -> [SignedLedgerHead] {
        try all(
            """
            SELECT sequence, hash, signed_at, signature FROM ledger_heads WHERE sequence > $1 ORDER BY sequence LIMIT $2
            """, .int(sequence), .int(Int64(limit))
        ) { row in
            SignedLedgerHead(
                head: LedgerHead(sequence: row.int(0), hash: row.bytes(1)), signedAt: row.time(2),
                signature: row.bytes(3))
        }
    }
}

/// A head with the installation's signature.
package struct SignedLedgerHead: Sendable, Hashable {
    package var head: LedgerHead
    package var signedAt: Timestamp
    /// Ed25519, 64 bytes.
    package var signature: [UInt8]

    package init(head: LedgerHead, signedAt: Timestamp, signature: [UInt8]) {
        self.head = head
        self.signedAt = signedAt
        self.signature = signature
    }
}
