/// Named values of the whole installation, and the generation of its configuration.
extension SQLConnection {
    /// Returns a value such as the sealed `namespace-key`; nil when it was never set.
    package func installationValue(_ name: String) throws(S3Error) -> [UInt8]? {
        try first("SELECT value FROM installation WHERE name = $1", .text(name)) { $0.bytes(0) }
    }

    package func setInstallationValue(_ name: String, _ value: [UInt8]) throws(S3Error) {
        try run(
            """
            INSERT INTO installation (name, value) VALUES ($1, $2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """, .text(name), .bytes(value))
    }

    /// Grows with every change of tenants, keys, backends, policies, mappings and bucket settings: what was read under
    /// one generation holds for as long as it stays.
    package func configurationGeneration() throws(S3Error) -> Int64 {
        guard let generation = try first("SELECT generation FROM configuration WHERE only_row = 1", row: { $0.int(0) })
        else { throw S3Error(.internalError, cause: "the database has no configuration generation") }
        return generation
    }

    /// Called by every function that changes what `configurationGeneration` covers.
    func bumpConfigurationGeneration() throws(S3Error) {
        try run("UPDATE configuration SET generation = generation + 1 WHERE only_row = 1")
    }
}
