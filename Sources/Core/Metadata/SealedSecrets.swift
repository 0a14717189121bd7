/// Every sealed secret of the database, for a change of the master key.
extension SQLConnection {
    /// Replaces each sealed secret for which `reseal` returns another; returns how many there were.
    ///
    /// `reseal` gets the secret and the table and row that it is bound to. All or nothing: it runs in one transaction.
    package func resealSecrets(
        _ reseal: (_ sealed: [UInt8], _ table: String, _ row: String) throws(S3Error) -> [UInt8]?
    ) throws(S3Error) -> Int {
        var count = 0
        for (name, sealed) in try all("SELECT name, value FROM installation", row: { ($0.text(0), $0.bytes(1)) }) {
            guard let fresh = try reseal(sealed, "installation", name) else { continue }
            try setInstallationValue(name, fresh)
            count += 1
        }
        let backends = try all("SELECT name, id, sealed_secret FROM backends WHERE sealed_secret IS NOT NULL") {
            (name: $0.text(0), id: $0.int(1), sealed: $0.bytes(2))
        }
        for backend in backends {
            guard let fresh = try reseal(backend.sealed, "backends", backend.name) else { continue }
            try run("UPDATE backends SET sealed_secret = $2 WHERE id = $1", .int(backend.id), .bytes(fresh))
            count += 1
        }
        for key in try accessKeys(tenantID: nil) {
            guard let fresh = try reseal(key.sealedSecret, "access_keys", key.id) else { continue }
            try run("UPDATE access_keys SET sealed_secret = $2 WHERE id = $1", .text(key.id), .bytes(fresh))
            count += 1
        }
        if count > 0 { try bumpConfigurationGeneration() }
        return count
    }

    /// Returns how many records and documents are in each recovery bucket of the backends that are not lost.
    package func recordCounts() throws(S3Error) -> [(physicalBucket: String, count: Int64)] {
        try all(
            """
            SELECT p.physical_bucket, COUNT(*) FROM (
                SELECT physical_bucket, backend_id FROM record_places
                UNION ALL SELECT physical_bucket, backend_id FROM documents) p
            JOIN backends b ON b.id = p.backend_id WHERE b.is_removed = 0 AND b.state <> 'lost'
            GROUP BY p.physical_bucket
            """
        ) { (physicalBucket: $0.text(0), count: $0.int(1)) }
    }
}
