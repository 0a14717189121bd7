/// Schema 2: multipart uploads.
///
/// An upload's id is the id of the version that it becomes, so the jobs of both never run at once on one backend.
/// `upload_places` outlives `uploads`: a place without its upload is to be cleared by an `end-upload` job.
func uploadSchema(_ dialect: SQLDialect) -> String {
    let bytes = dialect.bytes
    let text = dialect.text
    return """
        CREATE TABLE uploads (
            id \(bytes) PRIMARY KEY, bucket_id BIGINT NOT NULL REFERENCES buckets (id), key \(bytes) NOT NULL,
            state \(text) NOT NULL, storage_class \(text) NOT NULL, checksum_algorithm \(text),
            checksum_type \(text) NOT NULL, headers \(bytes) NOT NULL, initiated_at BIGINT NOT NULL,
            completing \(text));
        CREATE INDEX uploads_by_key ON uploads (bucket_id, key, id);
        CREATE INDEX uploads_by_age ON uploads (initiated_at);

        CREATE TABLE upload_places (
            upload_id \(bytes) NOT NULL, backend_id BIGINT NOT NULL REFERENCES backends (id), bucket_id BIGINT NOT NULL,
            physical_bucket \(text) NOT NULL, physical_key \(bytes) NOT NULL, native_id \(text), state \(text) NOT NULL,
            PRIMARY KEY (upload_id, backend_id))\(dialect.clustered);
        CREATE INDEX upload_places_by_bucket ON upload_places (backend_id, physical_bucket);

        CREATE TABLE upload_parts (
            upload_id \(bytes) NOT NULL, number BIGINT NOT NULL, size_bytes BIGINT NOT NULL, md5 \(bytes) NOT NULL,
            checksum_algorithm \(text), checksum \(bytes), last_modified BIGINT NOT NULL, tokens \(text) NOT NULL,
            PRIMARY KEY (upload_id, number))\(dialect.clustered);

        CREATE TABLE version_parts (
            version_sequence BIGINT NOT NULL REFERENCES versions (sequence) ON DELETE CASCADE, number BIGINT NOT NULL,
            start BIGINT NOT NULL, size_bytes BIGINT NOT NULL, md5 \(bytes) NOT NULL, checksum \(bytes),
            PRIMARY KEY (version_sequence, number))\(dialect.clustered);

        ALTER TABLE objects ADD COLUMN checksum_type \(text);
        """
}
