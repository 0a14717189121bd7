/// The stores the gateway can write to.
///
/// A new one, or another state, changes where replicas belong: every version is looked at again. A deleted backend's row stays, hidden: mappings refer to it for ever.
extension SQLConnection {
    /// Stores a new backend and returns it with its id.
    ///
    /// Throws `InvalidArgument` when the name is taken.
    package func insertBackend(_ record: BackendRecord) throws(S3Error) -> BackendRecord {
        let id = try first(
            """
            INSERT INTO backends (
                name, kind, region, country, jurisdictions, provider, certifications, state, endpoint, signing_region,
                addressing, ca_file, access_key_id, sealed_secret, abilities, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
            ON CONFLICT DO NOTHING RETURNING id
            """,
            .text(record.name), .text(record.kind.rawValue), .text(record.location.region),
            SQLValue(record.location.country), .text(TextList.joined(record.location.jurisdictions)),
            SQLValue(record.location.provider), .text(TextList.joined(record.location.certifications)),
            .text(record.state.rawValue), .text(record.endpoint), .text(record.signingRegion),
            .text(record.addressing.rawValue), SQLValue(record.caFile), SQLValue(record.accessKeyID),
            SQLValue(record.sealedSecret), .text(record.abilities), SQLValue(record.createdAt)
        ) { $0.int(0) }
        guard let id else { throw S3Error(.invalidArgument, "There is a backend \(record.name) already.") }
        try requestReplanOfAll(at: .now())
        try bumpConfigurationGeneration()
        var stored = record
        stored.id = id
        try appendLedger(.backendAdded, backendID: id, details: LedgerDetails.backend(stored))
        return stored
    }

    /// Returns all backends, by name.
    package func backends() throws(S3Error) -> [BackendRecord] {
        try all(
            """
            SELECT id, name, kind, region, country, jurisdictions, provider, certifications, state, endpoint,
                signing_region, addressing, ca_file, access_key_id, sealed_secret, abilities, created_at
            FROM backends WHERE is_removed = 0 ORDER BY name
            """, row: backend)
    }

    package func backend(named name: String) throws(S3Error) -> BackendRecord? {
        try first(
            """
            SELECT id, name, kind, region, country, jurisdictions, provider, certifications, state, endpoint,
                signing_region, addressing, ca_file, access_key_id, sealed_secret, abilities, created_at
            FROM backends WHERE name = $1 AND is_removed = 0
            """, .text(name), row: backend)
    }

    package func setBackend(id: Int64, state: BackendState) throws(S3Error) {
        let changed = try first(
            """
            UPDATE backends SET state = $2 WHERE id = $1 AND state <> $2
            RETURNING id, name, kind, region, country, jurisdictions, provider, certifications, state, endpoint,
                signing_region, addressing, ca_file, access_key_id, sealed_secret, abilities, created_at
            """, .int(id), .text(state.rawValue), row: backend)
        guard let changed else { return }
        try appendLedger(
            state == .lost ? .backendLost : .backendChanged, backendID: id, details: LedgerDetails.backend(changed))
        if state == .lost { try endUploads(lostWith: id, at: .now()) }
        try requestReplanOfAll(at: .now())
        try bumpConfigurationGeneration()
    }

    /// Stores how the backend is reached, and what it can do there: nothing else of `record`.
    ///
    /// The ledger notes that something was changed, at that time.
    package func setBackend(reachedAs record: BackendRecord) throws(S3Error) {
        let changed = try first(
            """
            UPDATE backends SET endpoint = $2, signing_region = $3, addressing = $4, ca_file = $5, access_key_id = $6,
                sealed_secret = $7, abilities = $8
            WHERE id = $1 AND is_removed = 0
            RETURNING id, name, kind, region, country, jurisdictions, provider, certifications, state, endpoint,
                signing_region, addressing, ca_file, access_key_id, sealed_secret, abilities, created_at
            """, .int(record.id), .text(record.endpoint), .text(record.signingRegion),
            .text(record.addressing.rawValue),
            SQLValue(record.caFile), SQLValue(record.accessKeyID), SQLValue(record.sealedSecret),
            .text(record.abilities), row: backend)
        guard let changed else { throw S3Error(.invalidRequest, "There is no backend \(record.name) any more.") }
        try appendLedger(.backendChanged, backendID: changed.id, details: LedgerDetails.backend(changed))
        try bumpConfigurationGeneration()
    }

    /// Records where a backend stands, from now on: every version is looked at again.
    package func setBackend(id: Int64, location: Location) throws(S3Error) {
        let changed = try first(
            """
            UPDATE backends SET region = $2, country = $3, jurisdictions = $4, provider = $5, certifications = $6
            WHERE id = $1 AND is_removed = 0
            RETURNING id, name, kind, region, country, jurisdictions, provider, certifications, state, endpoint,
                signing_region, addressing, ca_file, access_key_id, sealed_secret, abilities, created_at
            """, .int(id), .text(location.region), SQLValue(location.country),
            .text(TextList.joined(location.jurisdictions)), SQLValue(location.provider),
            .text(TextList.joined(location.certifications)), row: backend)
        guard let changed else { throw S3Error(.invalidRequest, "There is no such backend any more.") }
        try appendLedger(.backendChanged, backendID: id, details: LedgerDetails.backend(changed))
        try requestReplanOfAll(at: .now())
        try bumpConfigurationGeneration()
    }

    private func forgetBackend(_ id: Int64) throws(S3Error) {
        let places = try all("SELECT upload_id FROM upload_places WHERE backend_id = $1", .int(id)) {
            (row) throws(S3Error) in try row.versionID(0)
        }
        for upload in places { try deletePlace(uploadID: upload, backendID: id, isCleared: true) }
        try run("UPDATE mappings SET state = 'removed' WHERE backend_id = $1", .int(id))
        try run("DELETE FROM jobs WHERE backend_id = $1 AND state <> 'leased'", .int(id))
    }

    func isLost(_ id: Int64) throws(S3Error) -> Bool {
        try has("SELECT 1 FROM backends WHERE id = $1 AND state = 'lost'", .int(id))
    }

    /// `abilities` is the JSON text that the probe made.
    package func setBackend(id: Int64, abilities: String) throws(S3Error) {
        try run("UPDATE backends SET abilities = $2 WHERE id = $1", .int(id), .text(abilities))
        try bumpConfigurationGeneration()
    }

    /// Removes a backend that holds nothing; throws `InvalidRequest` while replicas, uploads, buckets or jobs name it.
    ///
    /// Of a lost one the buckets, uploads and jobs are forgotten: nobody can do anything about them.
    package func deleteBackend(id: Int64) throws(S3Error) {
        let holds = try has(
            """
            SELECT 1 FROM replicas WHERE backend_id = $1
            UNION ALL SELECT 1 FROM strays WHERE backend_id = $1 LIMIT 1
            """, .int(id))
        guard !holds else {
            throw S3Error(.invalidRequest, "The backend still holds replicas.")
        }
        if try isLost(id) { try forgetBackend(id) }
        guard try !has("SELECT 1 FROM upload_places WHERE backend_id = $1 LIMIT 1", .int(id)) else {
            throw S3Error(.invalidRequest, "There are still uploads on the backend.")
        }
        guard
            try !has(
                "SELECT 1 FROM mappings WHERE backend_id = $1 AND state IN ('creating', 'ready', 'removing') LIMIT 1",
                .int(id))
        else { throw S3Error(.invalidRequest, "The backend still holds buckets.") }
        guard try !has("SELECT 1 FROM jobs WHERE backend_id = $1 LIMIT 1", .int(id)) else {
            throw S3Error(.invalidRequest, "There are still jobs for the backend.")
        }
        try run("UPDATE backends SET is_removed = 1, sealed_secret = NULL WHERE id = $1", .int(id))
        try run("DELETE FROM drains WHERE backend_id = $1", .int(id))
        try appendLedger(.backendRemoved, backendID: id)
        try bumpConfigurationGeneration()
    }

    private func backend(_ row: any SQLStatement) throws(S3Error) -> BackendRecord {
        BackendRecord(
            id: row.int(0), name: row.text(1), kind: try row.word(2),
            location: Location(
                region: row.text(3), country: row.optionalText(4), jurisdictions: TextList.split(row.text(5)),
                provider: row.optionalText(6), certifications: TextList.split(row.text(7))),
            state: try row.word(8), endpoint: row.text(9), signingRegion: row.text(10), addressing: try row.word(11),
            caFile: row.optionalText(12), accessKeyID: row.optionalText(13), sealedSecret: row.optionalBytes(14),
            abilities: row.text(15), createdAt: row.time(16))
    }
}

/// A list of words in one column, a line each; no word holds a line feed.
enum TextList {
    static func joined(_ words: [String]) -> String { words.joined(separator: "\n") }

    static func split(_ text: String) -> [String] {
        text.utf8.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }
}
