/// Schema 1.
///
/// Times are milliseconds since 1970, flags are 0 or 1, keys and bucket names are bytes.
///
/// Why it looks as it does: docs/decisions/0001-metadata-schema.md.
func firstSchema(_ dialect: SQLDialect) -> String {
    let bytes = dialect.bytes
    let text = dialect.text
    return """
        CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name \(text) NOT NULL, applied_at BIGINT NOT NULL);

        CREATE TABLE installation (name \(text) PRIMARY KEY, value \(bytes) NOT NULL)\(dialect.clustered);

        CREATE TABLE configuration (only_row BIGINT PRIMARY KEY CHECK (only_row = 1), generation BIGINT NOT NULL);
        INSERT INTO configuration (only_row, generation) VALUES (1, 1);

        CREATE TABLE tenants (
            id \(dialect.identity), name \(text) NOT NULL, canonical_id \(text) NOT NULL, display_name \(text) NOT NULL,
            email \(text), is_removed BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL);
        CREATE UNIQUE INDEX tenants_by_name ON tenants (name) WHERE is_removed = 0;
        CREATE UNIQUE INDEX tenants_by_canonical_id ON tenants (canonical_id) WHERE is_removed = 0;

        CREATE TABLE access_keys (
            id \(text) PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenants (id), sealed_secret \(bytes) NOT NULL,
            is_active BIGINT NOT NULL, created_at BIGINT NOT NULL);
        CREATE INDEX access_keys_by_tenant ON access_keys (tenant_id, id);

        CREATE TABLE backends (
            id \(dialect.identity), name \(text) NOT NULL, kind \(text) NOT NULL, region \(text) NOT NULL, country \(text),
            jurisdictions \(text) NOT NULL, provider \(text), certifications \(text) NOT NULL, state \(text) NOT NULL,
            endpoint \(text) NOT NULL, signing_region \(text) NOT NULL, addressing \(text) NOT NULL, ca_file \(text),
            access_key_id \(text), sealed_secret \(bytes), abilities \(text) NOT NULL,
            is_removed BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL);
        CREATE UNIQUE INDEX backends_by_name ON backends (name) WHERE is_removed = 0;

        CREATE TABLE buckets (
            id \(dialect.identity), tenant_id BIGINT NOT NULL REFERENCES tenants (id), name \(bytes) NOT NULL,
            region \(text) NOT NULL, locations \(text) NOT NULL, versioning \(text) NOT NULL,
            is_removed BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL);
        CREATE UNIQUE INDEX buckets_by_tenant ON buckets (tenant_id, name) WHERE is_removed = 0;
        CREATE INDEX buckets_by_name ON buckets (name) WHERE is_removed = 0;

        CREATE TABLE mappings (
            bucket_id BIGINT NOT NULL REFERENCES buckets (id), backend_id BIGINT NOT NULL REFERENCES backends (id),
            counter BIGINT NOT NULL, physical_name \(text) NOT NULL, scheme BIGINT NOT NULL, state \(text) NOT NULL,
            PRIMARY KEY (bucket_id, backend_id, counter));
        CREATE UNIQUE INDEX mappings_by_physical_name ON mappings (backend_id, physical_name);
        CREATE UNIQUE INDEX mappings_in_use ON mappings (bucket_id, backend_id) WHERE state IN ('creating', 'ready');

        CREATE TABLE policies (
            id \(dialect.identity), tenant_id BIGINT REFERENCES tenants (id), bucket_id BIGINT REFERENCES buckets (id),
            version BIGINT NOT NULL, json \(bytes), created_at BIGINT NOT NULL,
            CHECK ((tenant_id IS NULL) <> (bucket_id IS NULL)));
        CREATE UNIQUE INDEX policies_by_tenant ON policies (tenant_id, version) WHERE tenant_id IS NOT NULL;
        CREATE UNIQUE INDEX policies_by_bucket ON policies (bucket_id, version) WHERE bucket_id IS NOT NULL;

        CREATE TABLE versions (
            sequence \(dialect.identity), id \(bytes) NOT NULL, bucket_id BIGINT NOT NULL REFERENCES buckets (id),
            key \(bytes) NOT NULL, state \(text) NOT NULL, is_delete_marker BIGINT NOT NULL, size_bytes BIGINT NOT NULL,
            etag \(text) NOT NULL, last_modified BIGINT NOT NULL, storage_class \(text) NOT NULL,
            checksum_algorithm \(text), checksum \(bytes), headers \(bytes) NOT NULL);
        CREATE UNIQUE INDEX versions_by_id ON versions (id);
        CREATE INDEX versions_alive ON versions (bucket_id, key, sequence) WHERE state = 'live';
        CREATE INDEX versions_dead ON versions (bucket_id, key, sequence) WHERE state = 'dead';

        CREATE TABLE objects (
            bucket_id BIGINT NOT NULL, key \(bytes) NOT NULL, sequence BIGINT NOT NULL, size_bytes BIGINT NOT NULL,
            etag \(text) NOT NULL, last_modified BIGINT NOT NULL, storage_class \(text) NOT NULL,
            checksum_algorithm \(text), PRIMARY KEY (bucket_id, key))\(dialect.clustered);

        CREATE TABLE replicas (
            version_sequence BIGINT NOT NULL REFERENCES versions (sequence),
            backend_id BIGINT NOT NULL REFERENCES backends (id), physical_bucket \(text) NOT NULL,
            physical_key \(bytes) NOT NULL, state \(text) NOT NULL,
            PRIMARY KEY (version_sequence, backend_id))\(dialect.clustered);
        CREATE UNIQUE INDEX replicas_by_place ON replicas (backend_id, physical_bucket, physical_key);

        CREATE TABLE jobs (
            id \(dialect.identity), kind \(text) NOT NULL, urgency BIGINT NOT NULL, bucket_id BIGINT NOT NULL,
            version_id \(bytes), backend_id BIGINT NOT NULL REFERENCES backends (id), state \(text) NOT NULL,
            attempts BIGINT NOT NULL DEFAULT 0, not_before BIGINT NOT NULL, due_at BIGINT NOT NULL,
            lease_owner \(text), lease_until BIGINT, fence BIGINT NOT NULL DEFAULT 0, is_asked_again BIGINT NOT NULL DEFAULT 0,
            last_error \(text), created_at BIGINT NOT NULL);
        CREATE UNIQUE INDEX jobs_by_version ON jobs (version_id, backend_id, kind) WHERE version_id IS NOT NULL;
        CREATE UNIQUE INDEX jobs_by_bucket ON jobs (bucket_id, backend_id, kind) WHERE version_id IS NULL;
        CREATE INDEX jobs_due ON jobs (urgency, due_at, id) WHERE state <> 'dead';
        CREATE INDEX jobs_by_backend ON jobs (backend_id);
        CREATE INDEX jobs_by_state ON jobs (state, id);
        """
}
