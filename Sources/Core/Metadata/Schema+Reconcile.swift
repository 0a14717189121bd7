/// What comparing backends with the database found, and how far comparing and scrubbing are.
///
/// A finding is one thing at one place; it is forgotten by the first complete run that does not find it again. `sweeps`
/// has a row for each (`kind`, backend): who is at it, since when, and where it stands.
func reconcileSchema(_ dialect: SQLDialect) -> String {
    let bytes = dialect.bytes
    let text = dialect.text
    return """
        CREATE TABLE findings (
            id \(dialect.identity), kind \(text) NOT NULL, backend_id BIGINT NOT NULL REFERENCES backends (id),
            physical_bucket \(text) NOT NULL, physical_key \(bytes) NOT NULL, bucket_id BIGINT, version_id \(bytes),
            size_bytes BIGINT, detail \(text) NOT NULL, first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL,
            run BIGINT NOT NULL, runs BIGINT NOT NULL);
        CREATE UNIQUE INDEX findings_by_place ON findings (backend_id, physical_bucket, physical_key, kind);

        CREATE TABLE sweeps (
            kind \(text) NOT NULL, backend_id BIGINT NOT NULL REFERENCES backends (id), run BIGINT NOT NULL,
            started_at BIGINT NOT NULL, finished_at BIGINT, lease_owner \(text), lease_until BIGINT,
            cursor_bucket \(text) NOT NULL, cursor_key \(bytes) NOT NULL, credit_bytes BIGINT NOT NULL,
            credited_at BIGINT NOT NULL, looked BIGINT NOT NULL, looked_bytes BIGINT NOT NULL, found BIGINT NOT NULL,
            failure \(text), PRIMARY KEY (kind, backend_id))\(dialect.clustered);
        """
}
