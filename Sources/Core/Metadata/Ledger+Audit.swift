/// One replica's key in the table of replicas.
package struct ReplicaPlace: Sendable, Hashable {
    package var versionSequence: Int64
    package var backendID: Int64

    package init(versionSequence: Int64, backendID: Int64) {
        self.versionSequence = versionSequence
        self.backendID = backendID
    }
}

/// The ledger beside the table of replicas.
extension SQLConnection {
    /// Returns up to `limit` replicas with bytes that follow `place`, each with what the ledger tells last about it.
    package func replicasWithLastEvent(
        after place: ReplicaPlace, limit: Int
    ) throws(S3Error) -> [(place: ReplicaPlace, versionID: VersionID, state: ReplicaState, event: LedgerEvent?)] {
        try all(
            """
            SELECT r.version_sequence, r.backend_id, v.id, r.state, (
                SELECT l.event FROM ledger l WHERE l.bucket_id = v.bucket_id AND l.version_id = v.id
                AND l.backend_id = r.backend_id ORDER BY l.sequence DESC LIMIT 1)
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE (r.version_sequence, r.backend_id) > ($1, $2) AND r.physical_bucket <> ''
            ORDER BY r.version_sequence, r.backend_id LIMIT $3
            """, .int(place.versionSequence), .int(place.backendID), .int(Int64(limit))
        ) { (row) throws(S3Error) in
            (
                place: ReplicaPlace(versionSequence: row.int(0), backendID: row.int(1)),
                versionID: try row.versionID(2),
                state: try row.word(3), event: row.isNull(4) ? nil : try row.word(4)
            )
        }
    }

    /// Returns up to `limit` rows that tell of bytes somewhere and follow (bucket, version, sequence), in that order.
    ///
    /// `isLast`: nothing later is told of that version and backend. `isThere`: a replica with bytes, or the place of
    /// an upload, is in the database.
    package func openEvents(
        after bucketID: Int64, _ versionID: [UInt8], _ sequence: Int64, limit: Int
    ) throws(S3Error) -> [(
        sequence: Int64, bucketID: Int64, versionID: VersionID, backendID: Int64, isLast: Bool, isThere: Bool
    )] {
        try all(
            """
            SELECT l.sequence, l.bucket_id, l.version_id, l.backend_id,
                CASE WHEN EXISTS (
                    SELECT 1 FROM ledger later WHERE later.bucket_id = l.bucket_id AND later.version_id = l.version_id
                    AND later.backend_id = l.backend_id AND later.sequence > l.sequence) THEN 0 ELSE 1 END,
                CASE WHEN EXISTS (
                    SELECT 1 FROM versions v JOIN replicas r ON r.version_sequence = v.sequence
                    WHERE v.id = l.version_id AND r.backend_id = l.backend_id AND r.physical_bucket <> '')
                OR EXISTS (
                    SELECT 1 FROM versions v JOIN strays s ON s.version_sequence = v.sequence
                    WHERE v.id = l.version_id AND s.backend_id = l.backend_id)
                OR EXISTS (
                    SELECT 1 FROM upload_places p WHERE p.upload_id = l.version_id AND p.backend_id = l.backend_id)
                THEN 1 ELSE 0 END
            FROM ledger l WHERE l.version_id IS NOT NULL AND l.event IN ('granted', 'present')
            AND (l.bucket_id, l.version_id, l.sequence) > ($1, $2, $3)
            ORDER BY l.bucket_id, l.version_id, l.sequence LIMIT $4
            """, .int(bucketID), .bytes(versionID), .int(sequence), .int(Int64(limit))
        ) { (row) throws(S3Error) in
            (
                sequence: row.int(0), bucketID: row.int(1), versionID: try row.versionID(2), backendID: row.int(3),
                isLast: row.flag(4), isThere: row.flag(5)
            )
        }
    }
}
