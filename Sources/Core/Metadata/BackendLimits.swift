/// What an operator lets each worker process do to a backend.
package struct BackendLimit: Sendable, Hashable {
    /// Jobs at the same time; nil for no limit.
    package var jobs: Int?
    /// Bytes read and written, together, on average; nil for no limit.
    package var bytesPerSecond: Int64?

    package static let jobCounts = 1...1000
    /// Less would make a store look as if it hung.
    package static let lowestBytesPerSecond: Int64 = 64 << 10

    package init(jobs: Int? = nil, bytesPerSecond: Int64? = nil) {
        self.jobs = jobs
        self.bytesPerSecond = bytesPerSecond
    }
}

/// In the database, so that all workers know.
extension SQLConnection {
    /// Returns the limits, by backend; only of those that have one.
    package func backendLimits() throws(S3Error) -> [Int64: BackendLimit] {
        let rows = try all("SELECT backend_id, jobs, bytes_per_second FROM backend_limits") {
            ($0.int(0), BackendLimit(jobs: $0.optionalInt(1).map(Int.init), bytesPerSecond: $0.optionalInt(2)))
        }
        return Dictionary(rows) { first, _ in first }
    }

    package func setLimit(backendID: Int64, _ limit: BackendLimit) throws(S3Error) {
        try run(
            """
            INSERT INTO backend_limits (backend_id, jobs, bytes_per_second) VALUES ($1, $2, $3)
            ON CONFLICT (backend_id) DO UPDATE SET jobs = excluded.jobs, bytes_per_second = excluded.bytes_per_second
            """, .int(backendID), SQLValue(limit.jobs.map(Int64.init)), SQLValue(limit.bytesPerSecond))
    }
}
