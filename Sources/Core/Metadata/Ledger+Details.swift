/// What the ledger says of settings, as JSON.
enum LedgerDetails {
    static func backend(_ record: BackendRecord) -> [UInt8] {
        let location = record.location
        let value: JSONValue = [
            "name": .string(record.name), "state": .string(record.state.rawValue),
            "location": [
                "region": .string(location.region), "country": .text(location.country),
                "jurisdictions": .texts(location.jurisdictions), "provider": .text(location.provider),
                "certifications": .texts(location.certifications),
            ],
        ]
        return value.compact
    }

    static func bucket(_ bucket: Bucket) -> [UInt8] {
        let value: JSONValue = [
            "name": .string(bucket.name.text), "region": .string(bucket.region),
            "locations": .texts(bucket.locations),
        ]
        return value.compact
    }

    /// The policy stands in it byte for byte, as it was set.
    static func policy(version: Int64, json: [UInt8]?) -> [UInt8] {
        var bytes = Array("{\"version\":\(version)".utf8)
        if let json { bytes += Array(",\"policy\":".utf8) + json }
        return bytes + Array("}".utf8)
    }
}

/// What was there before the ledger began: an older database that is brought up to date.
extension SQLConnection {
    private static var adoptionBatch: Int { 10_000 }

    /// Writes down everything as it is now, unless the ledger has rows or there is nothing to write down.
    func adoptIntoLedger(at time: Timestamp) throws(S3Error) {
        guard try ledgerHead() == .empty else { return }
        for backend in try backends() {
            try appendLedger(
                .backendAdded, backendID: backend.id, details: LedgerDetails.backend(backend), at: time)
        }
        for tenant in try tenants() {
            guard let policy = try policy(tenantID: tenant.id) else { continue }
            let details = LedgerDetails.policy(version: policy.version, json: policy.json)
            try appendLedger(.policySet, tenantID: tenant.id, details: details, at: time)
        }
        for bucket in try allBuckets() {
            try appendLedger(
                .bucketCreated, tenantID: bucket.tenantID, bucketID: bucket.id,
                details: LedgerDetails.bucket(bucket), at: time)
            guard let policy = try policy(bucketID: bucket.id) else { continue }
            let details = LedgerDetails.policy(version: policy.version, json: policy.json)
            try appendLedger(
                .policySet, tenantID: bucket.tenantID, bucketID: bucket.id, details: details, at: time)
        }
        try adoptReplicas(at: time)
        try adoptUploads(at: time)
    }

    private func adoptReplicas(at time: Timestamp) throws(S3Error) {
        var last: (sequence: Int64, backendID: Int64) = (0, 0)
        while true {
            let rows = try all(
                """
                SELECT r.version_sequence, r.backend_id, r.state, v.bucket_id, v.id
                FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
                WHERE (r.version_sequence, r.backend_id) > ($1, $2) AND r.physical_bucket <> ''
                ORDER BY r.version_sequence, r.backend_id LIMIT $3
                """, .int(last.sequence), .int(last.backendID), .int(Int64(Self.adoptionBatch))
            ) { (row) throws(S3Error) in
                (
                    place: (sequence: row.int(0), backendID: row.int(1)), state: try row.word(2, ReplicaState.self),
                    bucketID: row.int(3), versionID: try row.versionID(4)
                )
            }
            for row in rows {
                try appendLedger(
                    row.state == .present ? .present : .granted, bucketID: row.bucketID, versionID: row.versionID,
                    backendID: row.place.backendID, at: time)
            }
            guard let end = rows.last, rows.count == Self.adoptionBatch else { return }
            last = end.place
        }
    }

    private func adoptUploads(at time: Timestamp) throws(S3Error) {
        let places = try all("SELECT upload_id, bucket_id, backend_id FROM upload_places") {
            (row) throws(S3Error) in (uploadID: try row.versionID(0), bucketID: row.int(1), backendID: row.int(2))
        }
        for place in places {
            try appendLedger(
                .granted, bucketID: place.bucketID, versionID: place.uploadID, backendID: place.backendID, at: time)
        }
    }
}
