/// Schema: copies of large objects that are under way, part by part, and what an operator lets the worker do to a backend.
///
/// `md5` of `copies` is the running MD5, or CRC, of the content that has been sent, as `RangeDigest.saved`; empty where
/// the version's own parts have one each.
func copySchema(_ dialect: SQLDialect) -> String {
    let bytes = dialect.bytes
    let text = dialect.text
    return """
        CREATE TABLE copies (
            version_id \(bytes) NOT NULL, backend_id BIGINT NOT NULL REFERENCES backends (id), native_id \(text) NOT NULL,
            md5 \(bytes) NOT NULL, PRIMARY KEY (version_id, backend_id))\(dialect.clustered);
        CREATE TABLE copy_parts (
            version_id \(bytes) NOT NULL, backend_id BIGINT NOT NULL, number BIGINT NOT NULL, md5 \(bytes) NOT NULL,
            token \(text) NOT NULL, PRIMARY KEY (version_id, backend_id, number))\(dialect.clustered);

        CREATE TABLE backend_limits (
            backend_id BIGINT PRIMARY KEY REFERENCES backends (id), jobs BIGINT, bytes_per_second BIGINT);
        """
}
