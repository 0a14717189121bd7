/// Schema: objects of a version at places that no replica names.
///
/// `state` is `coming` for a copy that is being made to replace a damaged replica (one for each version and backend at
/// most), and `going` for what is to be removed by the `remove-replica` job of that version and backend.
func straySchema(_ dialect: SQLDialect) -> String {
    let bytes = dialect.bytes
    let text = dialect.text
    return """
        CREATE TABLE strays (
            version_sequence BIGINT NOT NULL REFERENCES versions (sequence),
            backend_id BIGINT NOT NULL REFERENCES backends (id), physical_bucket \(text) NOT NULL,
            physical_key \(bytes) NOT NULL, state \(text) NOT NULL,
            PRIMARY KEY (version_sequence, backend_id, physical_bucket, physical_key))\(dialect.clustered);
        CREATE UNIQUE INDEX strays_by_place ON strays (backend_id, physical_bucket, physical_key);
        """
}
