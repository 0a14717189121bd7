/// What is to become of a bucket's objects with time, and how far the worker's look at them is.
///
/// `lifecycle` is the document of the rules, `lifecycle_minimum` what was asked of transitions beside it,
/// `lifecycle_revision` the configuration generation in which they were set; NULL without rules. `lifecycle_pass` has
/// one row at most: where the look stands (`stage` of one bucket; for versions those of `key` with a lower sequence come next,
/// for uploads those behind `key` and `upload_id`), and who is at it; the fence grows with every claim.
func lifecycleSchema(_ dialect: SQLDialect) -> String {
    let bytes = dialect.bytes
    let text = dialect.text
    return """
        ALTER TABLE buckets ADD COLUMN lifecycle_revision BIGINT;
        ALTER TABLE buckets ADD COLUMN lifecycle_minimum \(text);
        ALTER TABLE buckets ADD COLUMN lifecycle \(bytes);
        CREATE INDEX buckets_with_lifecycle ON buckets (is_removed, id) WHERE lifecycle_revision IS NOT NULL;

        CREATE TABLE lifecycle_pass (
            only_row BIGINT PRIMARY KEY CHECK (only_row = 1), begun_at BIGINT NOT NULL, finished_at BIGINT,
            fence BIGINT NOT NULL, lease_owner \(text), lease_until BIGINT, bucket_id BIGINT NOT NULL,
            stage \(text) NOT NULL, key \(bytes) NOT NULL, sequence BIGINT NOT NULL, upload_id \(bytes) NOT NULL,
            looked BIGINT NOT NULL, found BIGINT NOT NULL);
        """
}
