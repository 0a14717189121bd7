/// The ledger, what it is signed at, how fast copies are made, and what is left to do.
///
/// Why: docs/decisions/0003-ledger.md.
func ledgerSchema(_ dialect: SQLDialect) -> String {
    let bytes = dialect.bytes
    let text = dialect.text
    return """
        CREATE TABLE ledger (
            sequence BIGINT PRIMARY KEY, recorded_at BIGINT NOT NULL, event \(text) NOT NULL, tenant_id BIGINT,
            bucket_id BIGINT, version_id \(bytes), backend_id BIGINT, details \(bytes) NOT NULL,
            hash \(bytes) NOT NULL)\(dialect.clustered);
        CREATE INDEX ledger_by_version ON ledger (bucket_id, version_id, sequence) WHERE version_id IS NOT NULL;
        CREATE INDEX ledger_settings ON ledger (sequence) WHERE version_id IS NULL;
        \(dialect.appendOnly("ledger"))

        CREATE TABLE ledger_heads (
            sequence BIGINT PRIMARY KEY, hash \(bytes) NOT NULL, signed_at BIGINT NOT NULL,
            signature \(bytes) NOT NULL)\(dialect.clustered);
        \(dialect.appendOnly("ledger_heads"))

        CREATE TABLE replication_progress (
            backend_id BIGINT NOT NULL, minute BIGINT NOT NULL, replicas BIGINT NOT NULL, size_bytes BIGINT NOT NULL,
            PRIMARY KEY (backend_id, minute))\(dialect.clustered);

        CREATE TABLE drains (
            backend_id BIGINT PRIMARY KEY, started_at BIGINT NOT NULL, replicas BIGINT NOT NULL,
            size_bytes BIGINT NOT NULL)\(dialect.clustered);

        CREATE INDEX upload_places_by_backend ON upload_places (backend_id);
        CREATE INDEX replicas_unsettled ON replicas (backend_id, state, version_sequence) WHERE state <> 'present';
        DROP INDEX jobs_by_backend;
        CREATE INDEX jobs_by_backend ON jobs (backend_id, kind, state, created_at);
        """
}
