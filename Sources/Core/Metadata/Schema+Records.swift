/// Records of versions: what a backend's object does not say of itself lies beside it as a small object, so that the
/// database can be rebuilt.
///
/// `records` has a row for each version that needs a record, or whose record is to be removed; the revision grows with
/// every change, and `due_at` is NULL while all is as it should be. `record_places` names every record object that is,
/// or may be, on a backend: `is_written` is 0 until it is known to be there. `record_sweeps` are buckets all of whose
/// records are to be looked at again. `documents` are the sealed copies of the configuration on backends.
func recordSchema(_ dialect: SQLDialect) -> String {
    let bytes = dialect.bytes
    let text = dialect.text
    return """
        CREATE TABLE records (
            version_id \(bytes) PRIMARY KEY, bucket_id BIGINT NOT NULL, revision BIGINT NOT NULL, due_at BIGINT,
            attempts BIGINT NOT NULL DEFAULT 0)\(dialect.clustered);
        CREATE INDEX records_due ON records (due_at) WHERE due_at IS NOT NULL;
        CREATE INDEX records_by_bucket ON records (bucket_id, version_id);

        CREATE TABLE record_places (
            version_id \(bytes) NOT NULL, revision BIGINT NOT NULL,
            backend_id BIGINT NOT NULL REFERENCES backends (id), physical_bucket \(text) NOT NULL,
            is_written BIGINT NOT NULL, PRIMARY KEY (version_id, revision, backend_id, physical_bucket)
            )\(dialect.clustered);
        CREATE INDEX record_places_by_place ON record_places (backend_id, physical_bucket, version_id, revision);

        CREATE TABLE record_sweeps (bucket_id BIGINT PRIMARY KEY, after_version \(bytes) NOT NULL);

        CREATE TABLE documents (
            name \(text) NOT NULL, backend_id BIGINT NOT NULL REFERENCES backends (id),
            physical_bucket \(text) NOT NULL, generation BIGINT NOT NULL, digest \(bytes) NOT NULL, PRIMARY KEY (name, backend_id))\(dialect.clustered);
        """
}
