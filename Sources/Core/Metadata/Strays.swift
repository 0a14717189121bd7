/// An object of a version at a place that no replica names.
package struct Stray: Sendable, Hashable {
    package enum State: String, Sendable {
        /// A copy that is being made to replace a damaged replica.
        case coming
        /// To be removed.
        case going
    }

    package var physicalBucket: String
    package var physicalKey: [UInt8]
    package var state: State

    package init(physicalBucket: String, physicalKey: [UInt8], state: State) {
        self.physicalBucket = physicalBucket
        self.physicalKey = physicalKey
        self.state = state
    }
}

/// Places that were given up, or are not used yet: a key that is to be removed never becomes a replica's again, so whoever
/// removes it late does no harm.
extension SQLConnection {
    package func strays(of id: VersionID, backendID: Int64) throws(S3Error) -> [Stray] {
        try all(
            """
            SELECT s.physical_bucket, s.physical_key, s.state
            FROM versions v JOIN strays s ON s.version_sequence = v.sequence
            WHERE v.id = $1 AND s.backend_id = $2 ORDER BY s.physical_bucket, s.physical_key
            """, .bytes(id.bytes), .int(backendID)
        ) { (row) throws(S3Error) in
            Stray(physicalBucket: row.text(0), physicalKey: row.bytes(1), state: try row.word(2))
        }
    }

    /// Has the object at a replica's place removed; false when the version has no row, or the place is in use.
    @discardableResult
    package func removeStray(at place: Replica, at time: Timestamp = .now()) throws(S3Error) -> Bool {
        let isNoted = try insertStray(
            Stray(physicalBucket: place.physicalBucket, physicalKey: place.physicalKey, state: .going),
            of: place.versionID, backendID: place.backendID)
        guard isNoted, let version = try version(id: place.versionID) else { return false }
        try insertJob(
            kind: .removeReplica, bucketID: version.bucketID, versionID: version.id, backendID: place.backendID,
            notBefore: time)
        return true
    }

    private func insertStray(_ stray: Stray, of id: VersionID, backendID: Int64) throws(S3Error) -> Bool {
        guard let version = try version(id: id), !stray.physicalBucket.isEmpty,
            try !isPlaceKnown(backendID: backendID, stray.physicalBucket, stray.physicalKey)
        else { return false }
        let isToldOf = try hasBytes(version.sequence, backendID)
        try run(
            """
            INSERT INTO strays (version_sequence, backend_id, physical_bucket, physical_key, state)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (version_sequence, backend_id, physical_bucket, physical_key) DO UPDATE SET
                state = excluded.state
            """, .int(version.sequence), .int(backendID), .text(stray.physicalBucket), .bytes(stray.physicalKey),
            .text(stray.state.rawValue))
        if !isToldOf { try appendLedger(.granted, bucketID: version.bucketID, versionID: id, backendID: backendID) }
        return true
    }

    // MARK: Replacing a damaged replica

    /// Writes down where a copy is about to be made that replaces a damaged replica, or goes on with what was written
    /// down; nil when there is no damaged replica.
    package func beginReplacement(
        versionID: VersionID, backendID: Int64, physicalBucket: String
    ) throws(S3Error) -> Stray? {
        guard let version = try version(id: versionID), try isLive(versionID),
            try replicas(of: versionID).contains(where: { $0.backendID == backendID && $0.state == .damaged })
        else { return nil }
        for stray in try strays(of: versionID, backendID: backendID) where stray.state == .coming {
            if stray.physicalBucket == physicalBucket { return stray }
            try giveUpReplacement(versionID: versionID, backendID: backendID)
        }
        let stray = Stray(
            physicalBucket: physicalBucket, physicalKey: PhysicalKey.makeCopy(version.key, versionID), state: .coming)
        return try insertStray(stray, of: versionID, backendID: backendID) ? stray : nil
    }

    /// Makes what is `coming` at that place the replica; what was there is to be removed.
    ///
    /// False when nothing is coming there any more.
    package func finishReplacement(
        versionID: VersionID, backendID: Int64, physicalBucket: String, physicalKey: [UInt8]
    ) throws(S3Error) -> Bool {
        let new = Stray(physicalBucket: physicalBucket, physicalKey: physicalKey, state: .coming)
        guard let version = try version(id: versionID),
            let old = try replicas(of: versionID).first(where: { $0.backendID == backendID && $0.state == .damaged }),
            try strays(of: versionID, backendID: backendID).contains(new)
        else { return false }
        try run(
            "DELETE FROM strays WHERE version_sequence = $1 AND backend_id = $2 AND state = 'coming'",
            .int(version.sequence), .int(backendID))
        try run(
            """
            UPDATE replicas SET physical_bucket = $3, physical_key = $4
            WHERE version_sequence = $1 AND backend_id = $2
            """, .int(version.sequence), .int(backendID), .text(new.physicalBucket), .bytes(new.physicalKey))
        try removeStray(at: old)
        if !PhysicalKey.isKey(old.physicalKey, of: version.key, versionID) {
            // Its record names that place.
            try touchRecord(of: versionID, bucketID: version.bucketID, at: .now())
        }
        return true
    }

    /// Has what was being made removed: the next copy begins anew at another place.
    package func giveUpReplacement(versionID: VersionID, backendID: Int64) throws(S3Error) {
        guard let version = try version(id: versionID) else { return }
        let changed = try run(
            """
            UPDATE strays SET state = 'going' WHERE version_sequence = $1 AND backend_id = $2 AND state = 'coming'
            """, .int(version.sequence), .int(backendID))
        guard changed > 0 else { return }
        try endCopy(versionID: versionID, backendID: backendID)
        try insertJob(
            kind: .removeReplica, bucketID: version.bucketID, versionID: versionID, backendID: backendID,
            notBefore: .now())
    }

    // MARK: Removing

    /// Forgets strays whose bytes are gone, or whose backend is lost; a dead version of which nothing is left goes, too.
    package func deleteStrays(_ strays: [Stray], of versionID: VersionID, backendID: Int64) throws(S3Error) {
        guard let version = try version(id: versionID) else { return }
        for stray in strays {
            try run(
                """
                DELETE FROM strays WHERE version_sequence = $1 AND backend_id = $2 AND physical_bucket = $3
                AND physical_key = $4 AND state = 'going'
                """, .int(version.sequence), .int(backendID), .text(stray.physicalBucket), .bytes(stray.physicalKey))
        }
        if try !hasBytes(version.sequence, backendID) {
            try appendLedger(
                try isLost(backendID) ? .dropped : .removed, bucketID: version.bucketID, versionID: versionID,
                backendID: backendID)
        }
        for bucket in Set(strays.map(\.physicalBucket)).sorted() {
            try retireMapping(backendID: backendID, physicalName: bucket, at: .now())
        }
        try deleteIfNothingIsLeft(of: versionID, version.sequence)
    }

    /// Whether a replica or a stray of the version may have bytes there.
    private func hasBytes(_ sequence: Int64, _ backendID: Int64) throws(S3Error) -> Bool {
        try has(
            """
            SELECT 1 FROM replicas WHERE version_sequence = $1 AND backend_id = $2 AND physical_bucket <> ''
            UNION ALL SELECT 1 FROM strays WHERE version_sequence = $1 AND backend_id = $2 LIMIT 1
            """, .int(sequence), .int(backendID))
    }

    /// Has the strays of a backend removed whose job was dropped; returns how many jobs were made.
    package func askForStrays(backendID: Int64, at time: Timestamp) throws(S3Error) -> Int64 {
        let forgotten = try all(
            """
            SELECT DISTINCT v.id, v.bucket_id FROM strays s JOIN versions v ON v.sequence = s.version_sequence
            WHERE s.backend_id = $1 AND NOT EXISTS (
                SELECT 1 FROM jobs j WHERE j.version_id = v.id AND j.backend_id = s.backend_id)
            """, .int(backendID)
        ) { (row) throws(S3Error) in (id: try row.versionID(0), bucketID: row.int(1)) }
        for version in forgotten {
            try insertJob(
                kind: .removeReplica, bucketID: version.bucketID, versionID: version.id, backendID: backendID,
                notBefore: time)
        }
        return Int64(forgotten.count)
    }
}
