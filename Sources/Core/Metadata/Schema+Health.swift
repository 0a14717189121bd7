/// Schema 5: what is known of each backend's health.
///
/// `backend_health` is the judgement of the worker's checks, `backend_reports` what each process last met by itself.
func healthSchema(_ dialect: SQLDialect) -> String {
    let text = dialect.text
    return """
        CREATE TABLE backend_health (
            backend_id BIGINT PRIMARY KEY REFERENCES backends (id), checked_at BIGINT NOT NULL, check_milliseconds BIGINT,
            failures BIGINT NOT NULL, failing_since BIGINT, unhealthy_since BIGINT, failure \(text));

        CREATE TABLE backend_reports (
            backend_id BIGINT NOT NULL REFERENCES backends (id), reporter \(text) NOT NULL, reported_at BIGINT NOT NULL,
            breaker \(text) NOT NULL, calls BIGINT NOT NULL, failures BIGINT NOT NULL, latency_microseconds BIGINT,
            PRIMARY KEY (backend_id, reporter))\(dialect.clustered);
        CREATE INDEX backend_reports_by_age ON backend_reports (reported_at);
        """
}
