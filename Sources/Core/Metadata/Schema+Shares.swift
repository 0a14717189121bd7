/// Schema 9: which tenants may read which buckets of others.
func shareSchema(_ dialect: SQLDialect) -> String {
    """
    CREATE TABLE bucket_shares (
        bucket_id BIGINT NOT NULL REFERENCES buckets (id), tenant_id BIGINT NOT NULL REFERENCES tenants (id),
        created_at BIGINT NOT NULL, PRIMARY KEY (bucket_id, tenant_id))\(dialect.clustered);
    """
}
