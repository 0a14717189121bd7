/// What is known of one backend's health, by the worker's checks and by every process that uses it.
package struct BackendHealth: Sendable, Hashable {
    package var backendID: Int64
    /// When a worker last asked it; nil before the first time.
    package var checkedAt: Timestamp?
    /// How long that answer took; nil when there was none.
    package var checkMilliseconds: Int64?
    /// Why the last check failed; nil when it succeeded.
    package var failure: String?
    /// The first of the failed checks, once there were `failuresToDistrust` in a row; nil while it is well.
    package var unhealthySince: Timestamp?
    /// Processes that reported within `reportLifetimeSeconds`, and those of them whose breaker is not closed.
    package var processes = 0
    package var openBreakers = 0
    /// Calls of those processes, and how many of them failed, each over its last interval of reporting.
    package var calls: Int64 = 0
    package var failures: Int64 = 0
    /// The mean time to the first byte of an answer, weighted by calls; nil when nobody measured one.
    package var latencyMicroseconds: Int64?

    /// Failed checks in a row that make a backend unhealthy: one may be a hiccup.
    package static let failuresToDistrust: Int64 = 2
    /// A report that is older says nothing any more.
    package static let reportLifetimeSeconds: Int64 = 60

    package init(backendID: Int64) { self.backendID = backendID }

    package var isHealthy: Bool { unhealthySince == nil }
}

/// What one check of one backend said.
package struct BackendCheck: Sendable, Hashable {
    package var backendID: Int64
    package var at: Timestamp
    package var milliseconds: Int64?
    /// Nil when the backend is well.
    package var failure: String?

    package init(backendID: Int64, at: Timestamp, milliseconds: Int64?, failure: String?) {
        self.backendID = backendID
        self.at = at
        self.milliseconds = milliseconds
        self.failure = failure
    }
}

/// What one process met at one backend since its last report.
package struct BackendReport: Sendable, Hashable {
    package var backendID: Int64
    /// `closed`, `open` or `half-open`.
    package var breaker: String
    package var calls: Int64
    package var failures: Int64
    package var latencyMicroseconds: Int64?

    package init(backendID: Int64, breaker: String, calls: Int64, failures: Int64, latencyMicroseconds: Int64?) {
        self.backendID = backendID
        self.breaker = breaker
        self.calls = calls
        self.failures = failures
        self.latencyMicroseconds = latencyMicroseconds
    }
}

/// The health of backends, for all processes to see.
extension SQLConnection {
    /// Returns what is known of every backend that was not removed, by id.
    package func backendHealth(at now: Timestamp = .now()) throws(S3Error) -> [BackendHealth] {
        var all = try all(
            """
            SELECT b.id, h.checked_at, h.check_milliseconds, h.failure, h.unhealthy_since
            FROM backends b LEFT JOIN backend_health h ON h.backend_id = b.id WHERE b.is_removed = 0 ORDER BY b.id
            """
        ) { row in
            var health = BackendHealth(backendID: row.int(0))
            health.checkedAt = row.optionalTime(1)
            health.checkMilliseconds = row.optionalInt(2)
            health.failure = row.optionalText(3)
            health.unhealthySince = row.optionalTime(4)
            return health
        }
        for index in all.indices { try addReports(to: &all[index], at: now) }
        return all
    }

    private func addReports(to health: inout BackendHealth, at now: Timestamp) throws(S3Error) {
        let oldest = now.adding(seconds: -BackendHealth.reportLifetimeSeconds)
        let reports = try all(
            """
            SELECT breaker, calls, failures, latency_microseconds FROM backend_reports
            WHERE backend_id = $1 AND reported_at >= $2 ORDER BY reporter
            """, .int(health.backendID), SQLValue(oldest)
        ) { row in
            (isOpen: row.text(0) != "closed", calls: row.int(1), failures: row.int(2), latency: row.optionalInt(3))
        }
        health.processes = reports.count
        health.openBreakers = reports.count { $0.isOpen }
        var weights: Int64 = 0
        var sum: Int64 = 0
        for report in reports {
            health.calls += report.calls
            health.failures += report.failures
            guard let latency = report.latency else { continue }
            weights += max(report.calls, 1)
            sum += latency * max(report.calls, 1)
        }
        if weights > 0 { health.latencyMicroseconds = sum / weights }
    }

    /// Returns the backends that have been unhealthy for longer than `graceMilliseconds`: whose replicas may be made
    /// elsewhere.
    package func backendsPastGrace(at now: Timestamp, graceMilliseconds: Int64) throws(S3Error) -> Set<Int64> {
        let limit = Timestamp(milliseconds: now.milliseconds - graceMilliseconds)
        return Set(
            try all(
                """
                SELECT h.backend_id FROM backend_health h JOIN backends b ON b.id = h.backend_id
                WHERE b.is_removed = 0 AND h.unhealthy_since < $1 ORDER BY h.backend_id
                """, SQLValue(limit)
            ) { $0.int(0) })
    }

    /// Writes down a check and judges by it; returns true when the backend became healthy or unhealthy by it.
    @discardableResult
    package func recordCheck(_ check: BackendCheck) throws(S3Error) -> Bool {
        let before = try first(
            "SELECT failures, failing_since, unhealthy_since FROM backend_health WHERE backend_id = $1",
            .int(check.backendID)
        ) { row in (failures: row.int(0), failingSince: row.optionalTime(1), unhealthySince: row.optionalTime(2)) }
        let isFailing = check.failure != nil
        let failures = isFailing ? (before?.failures ?? 0) + 1 : 0
        let failingSince = isFailing ? before?.failingSince ?? check.at : nil
        let unhealthySince = failures >= BackendHealth.failuresToDistrust ? failingSince : nil
        try run(
            """
            INSERT INTO backend_health (
                backend_id, checked_at, check_milliseconds, failures, failing_since, unhealthy_since, failure)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (backend_id) DO UPDATE SET
                checked_at = excluded.checked_at, check_milliseconds = excluded.check_milliseconds,
                failures = excluded.failures, failing_since = excluded.failing_since,
                unhealthy_since = excluded.unhealthy_since, failure = excluded.failure
            """, .int(check.backendID), SQLValue(check.at), SQLValue(check.milliseconds), .int(failures),
            SQLValue(failingSince?.milliseconds), SQLValue(unhealthySince?.milliseconds), SQLValue(check.failure))
        return (before?.unhealthySince == nil) != (unhealthySince == nil)
    }

    /// Forgets what checks said of a backend that is not checked, as it is offline: it is neither well nor unhealthy.
    package func forgetChecks(backendID: Int64) throws(S3Error) {
        try run("DELETE FROM backend_health WHERE backend_id = $1", .int(backendID))
    }

    /// Writes down what the process `reporter` met, in place of its last report.
    package func recordReport(_ report: BackendReport, of reporter: String, at now: Timestamp) throws(S3Error) {
        try run(
            """
            INSERT INTO backend_reports (
                backend_id, reporter, reported_at, breaker, calls, failures, latency_microseconds)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (backend_id, reporter) DO UPDATE SET
                reported_at = excluded.reported_at, breaker = excluded.breaker, calls = excluded.calls,
                failures = excluded.failures, latency_microseconds = excluded.latency_microseconds
            """, .int(report.backendID), .text(reporter), SQLValue(now), .text(report.breaker), .int(report.calls),
            .int(report.failures), SQLValue(report.latencyMicroseconds))
    }

    /// Drops reports that say nothing any more, such as those of processes that have ended.
    package func dropOldReports(at now: Timestamp) throws(S3Error) {
        let oldest = now.adding(seconds: -BackendHealth.reportLifetimeSeconds)
        try run("DELETE FROM backend_reports WHERE reported_at < $1", SQLValue(oldest))
    }
}
