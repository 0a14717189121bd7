/// Schema 10: the adoption of physical buckets.
///
/// `import_shadows` holds the keys that clients wrote or deleted before the import came to them: the originals of such keys
/// stay where they are, and never come to life.
func importSchema(_ dialect: SQLDialect) -> String {
    let bytes = dialect.bytes
    let text = dialect.text
    return """
        CREATE TABLE imports (
            id \(dialect.identity), bucket_id BIGINT NOT NULL REFERENCES buckets (id),
            backend_id BIGINT NOT NULL REFERENCES backends (id), physical_bucket \(text) NOT NULL, position \(bytes),
            state \(text) NOT NULL, adopted BIGINT NOT NULL DEFAULT 0, adopted_bytes BIGINT NOT NULL DEFAULT 0,
            skipped BIGINT NOT NULL DEFAULT 0, started_at BIGINT NOT NULL, finished_at BIGINT);
        CREATE UNIQUE INDEX imports_by_place ON imports (backend_id, physical_bucket);
        CREATE INDEX imports_by_bucket ON imports (bucket_id, state);

        CREATE TABLE import_shadows (
            bucket_id BIGINT NOT NULL REFERENCES buckets (id), key \(bytes) NOT NULL, PRIMARY KEY (bucket_id, key)
        )\(dialect.clustered);
        """
}

/// Schema: since when the recovery buckets know everything that an import has adopted; NULL until then.
func recordedImportSchema(_: SQLDialect) -> String {
    """
    ALTER TABLE imports ADD COLUMN recorded_at BIGINT;
    CREATE INDEX imports_to_settle ON imports (state, recorded_at);
    """
}
