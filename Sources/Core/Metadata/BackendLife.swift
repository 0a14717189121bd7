/// A number of replicas and their bytes.
package struct ReplicaSum: Sendable, Hashable {
    package var replicas: Int64
    package var bytes: Int64

    package init(replicas: Int64 = 0, bytes: Int64 = 0) {
        self.replicas = replicas
        self.bytes = bytes
    }

    package static func + (one: ReplicaSum, other: ReplicaSum) -> ReplicaSum {
        ReplicaSum(replicas: one.replicas + other.replicas, bytes: one.bytes + other.bytes)
    }
}

/// What keeps a backend from being removed.
package struct BackendHolding: Sendable, Hashable {
    package var present = ReplicaSum()
    package var pending = ReplicaSum()
    package var removing = ReplicaSum()
    /// Bytes that are missing or wrong, to be replaced.
    package var damaged = ReplicaSum()
    /// Multipart uploads that run, or are being cleared, there.
    package var uploads: Int64 = 0
    /// Physical buckets of ours.
    package var buckets: Int64 = 0
    package var jobs: Int64 = 0

    package var all: ReplicaSum { present + pending + removing + damaged }
    package var isEmpty: Bool { self == BackendHolding() }
}

/// When a backend began to be drained, and how much there was.
package struct DrainStart: Sendable, Hashable {
    package var at: Timestamp
    package var sum: ReplicaSum
}

/// Emptying backends.
extension SQLConnection {
    /// Counts what is on a backend; for people, as it reads all of it.
    package func holding(of backendID: Int64) throws(S3Error) -> BackendHolding {
        var holding = BackendHolding()
        let states = try all(
            """
            SELECT r.state, COUNT(*), CAST(SUM(v.size_bytes) AS BIGINT)
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence WHERE r.backend_id = $1 GROUP BY r.state
            """, .int(backendID)
        ) { (row) throws(S3Error) in
            (state: try row.word(0, ReplicaState.self), sum: ReplicaSum(replicas: row.int(1), bytes: row.int(2)))
        }
        for (state, sum) in states {
            switch state {
            case .present: holding.present = sum
            case .pending: holding.pending = sum
            case .removing: holding.removing = sum
            case .damaged: holding.damaged = sum
            }
        }
        let counts = try first(
            """
            SELECT (SELECT COUNT(*) FROM upload_places WHERE backend_id = $1),
                (SELECT COUNT(*) FROM mappings WHERE backend_id = $1 AND state IN ('creating', 'ready', 'removing')),
                (SELECT COUNT(*) FROM jobs WHERE backend_id = $1)
            """, .int(backendID)
        ) { (uploads: $0.int(0), buckets: $0.int(1), jobs: $0.int(2)) }
        holding.uploads = counts?.uploads ?? 0
        holding.buckets = counts?.buckets ?? 0
        holding.jobs = counts?.jobs ?? 0
        return holding
    }

    // MARK: Draining

    /// Sets the backend to `draining`, notes how much is there, and has its empty buckets removed.
    package func beginDrain(backendID: Int64, at time: Timestamp) throws(S3Error) {
        let sum = try holding(of: backendID).all
        try setBackend(id: backendID, state: .draining)
        try run(
            """
            INSERT INTO drains (backend_id, started_at, replicas, size_bytes) VALUES ($1, $2, $3, $4)
            ON CONFLICT (backend_id) DO UPDATE SET
                started_at = excluded.started_at, replicas = excluded.replicas, size_bytes = excluded.size_bytes
            """, .int(backendID), SQLValue(time), .int(sum.replicas), .int(sum.bytes))
        let names = try all(
            "SELECT physical_name FROM mappings WHERE backend_id = $1 AND state IN ('creating', 'ready')",
            .int(backendID)
        ) { $0.text(0) }
        for name in names { try retireMapping(backendID: backendID, physicalName: name, at: time) }
    }

    /// Returns nil for a backend that was never drained.
    package func drainStart(backendID: Int64) throws(S3Error) -> DrainStart? {
        try first("SELECT started_at, replicas, size_bytes FROM drains WHERE backend_id = $1", .int(backendID)) {
            DrainStart(at: $0.time(0), sum: ReplicaSum(replicas: $0.int(1), bytes: $0.int(2)))
        }
    }

    /// Has a physical bucket removed from a backend that is being drained, once nothing is in it.
    func retireMapping(backendID: Int64, physicalName: String, at time: Timestamp) throws(S3Error) {
        guard try has("SELECT 1 FROM backends WHERE id = $1 AND state = 'draining'", .int(backendID)) else { return }
        guard try !hasReplicas(backendID: backendID, physicalBucket: physicalName),
            try !hasUploadPlaces(backendID: backendID, physicalBucket: physicalName),
            let mapping = try mapping(backendID: backendID, physicalName: physicalName),
            mapping.state == .creating || mapping.state == .ready
        else { return }
        try setMapping(
            bucketID: mapping.bucketID, backendID: backendID, counter: mapping.counter, state: .removing)
        try insertJob(
            kind: .removeBucket, bucketID: mapping.bucketID, versionID: nil, backendID: backendID, notBefore: time)
    }

    // MARK: Losing

    /// Live versions that have bytes on this backend and on no other that is not lost.
    package func countOnlyCopies(on backendID: Int64) throws(S3Error) -> ReplicaSum {
        try first(
            """
            SELECT COUNT(*), CAST(COALESCE(SUM(v.size_bytes), 0) AS BIGINT)
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE r.backend_id = $1 AND r.state = 'present' AND v.state = 'live' AND NOT EXISTS (
                SELECT 1 FROM replicas o JOIN backends b ON b.id = o.backend_id
                WHERE o.version_sequence = r.version_sequence AND o.backend_id <> $1 AND o.state = 'present'
                AND b.state <> 'lost')
            """, .int(backendID)
        ) { ReplicaSum(replicas: $0.int(0), bytes: $0.int(1)) } ?? ReplicaSum()
    }

    /// Returns up to `limit` of them with larger sequences than `after`, in order.
    package func onlyCopies(
        on backendID: Int64, after sequence: Int64, limit: Int
    ) throws(S3Error) -> [(sequence: Int64, bucketID: Int64, key: ObjectKey, id: VersionID, sizeBytes: Int64)] {
        try all(
            """
            SELECT v.sequence, v.bucket_id, v.key, v.id, v.size_bytes
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE r.backend_id = $1 AND r.state = 'present' AND v.state = 'live' AND v.sequence > $2 AND NOT EXISTS (
                SELECT 1 FROM replicas o JOIN backends b ON b.id = o.backend_id
                WHERE o.version_sequence = r.version_sequence AND o.backend_id <> $1 AND o.state = 'present'
                AND b.state <> 'lost')
            ORDER BY v.sequence LIMIT $3
            """, .int(backendID), .int(sequence), .int(Int64(limit))
        ) { (row) throws(S3Error) in
            (
                sequence: row.int(0), bucketID: row.int(1), key: ObjectKey(stored: row.bytes(2)),
                id: try row.versionID(3), sizeBytes: row.int(4)
            )
        }
    }
}
