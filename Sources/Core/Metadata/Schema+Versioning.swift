/// Schema 3: null versions, and the living versions of a bucket in the order in which they are listed.
///
/// All versions so far were written without versioning, and so each is the null version of its key.
func versioningSchema(_: SQLDialect) -> String {
    """
    ALTER TABLE versions ADD COLUMN is_null BIGINT NOT NULL DEFAULT 1;
    DROP INDEX versions_alive;
    CREATE INDEX versions_alive ON versions (bucket_id, key, sequence DESC) WHERE state = 'live';
    CREATE UNIQUE INDEX versions_null ON versions (bucket_id, key) WHERE state = 'live' AND is_null = 1;
    """
}

/// Schema 4: tags, as `TagList` writes them; NULL for none.
func taggingSchema(_ dialect: SQLDialect) -> String {
    """
    ALTER TABLE versions ADD COLUMN tags \(dialect.bytes);
    ALTER TABLE buckets ADD COLUMN tags \(dialect.bytes);
    ALTER TABLE uploads ADD COLUMN tags \(dialect.bytes);
    """
}
