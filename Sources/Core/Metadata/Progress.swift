/// How fast replicas are made, for estimates: sums by backend and minute, kept for a day.
extension SQLConnection {
    private static var minuteMilliseconds: Int64 { 60_000 }
    private static var keptMinutes: Int64 { 24 * 60 }

    /// Counts one replica that became present, in the transaction in which it did.
    func countProgress(backendID: Int64, sizeBytes: Int64, at time: Timestamp = .now()) throws(S3Error) {
        let minute = time.milliseconds / Self.minuteMilliseconds
        let isNew =
            try run(
                """
                UPDATE replication_progress SET replicas = replicas + 1, size_bytes = size_bytes + $3
                WHERE backend_id = $1 AND minute = $2
                """, .int(backendID), .int(minute), .int(sizeBytes)) == 0
        guard isNew else { return }
        try run(
            "INSERT INTO replication_progress (backend_id, minute, replicas, size_bytes) VALUES ($1, $2, 1, $3)",
            .int(backendID), .int(minute), .int(sizeBytes))
        try run(
            "DELETE FROM replication_progress WHERE backend_id = $1 AND minute < $2", .int(backendID),
            .int(minute - Self.keptMinutes))
    }

    /// Sums what became present on a backend in the last `minutes`, the running one included.
    package func progress(
        backendID: Int64, minutes: Int64, at time: Timestamp
    ) throws(S3Error) -> (replicas: Int64, bytes: Int64) {
        let minute = time.milliseconds / Self.minuteMilliseconds
        return try first(
            """
            SELECT CAST(COALESCE(SUM(replicas), 0) AS BIGINT), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT)
            FROM replication_progress WHERE backend_id = $1 AND minute > $2
            """, .int(backendID), .int(minute - minutes)
        ) { (replicas: $0.int(0), bytes: $0.int(1)) } ?? (0, 0)
    }
}
