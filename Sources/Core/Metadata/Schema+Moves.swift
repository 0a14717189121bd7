/// Schema: moves.
///
/// `source_backend_id` is the backend whose replica goes when a `move` job's copy is there; NULL for other jobs.
func moveSchema(_: SQLDialect) -> String {
    "ALTER TABLE jobs ADD COLUMN source_backend_id BIGINT REFERENCES backends (id);"
}
