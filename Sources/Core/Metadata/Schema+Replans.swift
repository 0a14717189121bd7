/// Schema: buckets whose versions are to be looked at again, and the order of urgency that the jobs have since.
///
/// `cursor` is the sequence of the last version that was looked at, `looked` counts them, `short` those for which policy
/// leaves too few places; `round` grows with every new request; `look_at` is when the next look is due; `done_at` is set
/// when all versions of that time have been looked at.
/// `backends_away` are the backends that had not answered for longer than the grace when that was last looked at.
func replanSchema(_: SQLDialect) -> String {
    """
    CREATE TABLE replans (
        bucket_id BIGINT PRIMARY KEY REFERENCES buckets (id), round BIGINT NOT NULL, cursor BIGINT NOT NULL,
        looked BIGINT NOT NULL, short BIGINT NOT NULL, asked_at BIGINT NOT NULL, look_at BIGINT NOT NULL,
        done_at BIGINT);
    CREATE TABLE backends_away (backend_id BIGINT PRIMARY KEY REFERENCES backends (id));
    CREATE INDEX replans_due ON replans (look_at, bucket_id);
    CREATE INDEX versions_in_order ON versions (bucket_id, sequence) WHERE state = 'live' AND is_delete_marker = 0;
    UPDATE jobs SET urgency = urgency + 1 WHERE kind <> 'replicate';
    """
}
