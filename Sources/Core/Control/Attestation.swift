/// Says where the bytes of a bucket's versions are and have been, as far as the ledger tells; in bounded memory.
package struct Attestation {
    /// What holds for all versions.
    package struct Header: Sendable {
        package var bucket: Bucket
        package var tenant: String
        package var madeAt: Timestamp
        package var head: LedgerHead
        let timeline: AttestationTimeline
    }

    package struct Summary: Sendable, Equatable {
        package var versions: Int64 = 0
        package var places: Int64 = 0
        /// Stays that have not ended.
        package var placesNow: Int64 = 0
        package var arrivals: Int64 = 0
        package var stayings: Int64 = 0

        package var violations: Int64 { arrivals + stayings }

        package init(versions: Int64 = 0, places: Int64 = 0, placesNow: Int64 = 0) {
            self.versions = versions
            self.places = places
            self.placesNow = placesNow
        }
    }

    private let database: Database
    package let header: Header
    private let judge: AttestationJudge

    private static let batch = 10_000
    /// Rows of one version: beyond this a version was not written by this program.
    private static let maximumRowsOfVersion = 1_000_000

    /// Checks the ledger up to its head, which is what the attestation is about.
    ///
    /// Throws `InvalidRequest` when something is wrong with it: nothing is attested from a broken ledger.
    package init(
        _ bucket: Bucket, of tenant: String, in database: Database, _ key: AttestationKey
    ) throws(S3Error) {
        self.database = database
        let report = try LedgerAudit(database).run(key)
        if let first = report.findings.first {
            throw S3Error(.invalidRequest, "The ledger is broken (\(report.findingCount) findings): \(first).")
        }
        let timeline = try AttestationTimeline(bucket, upTo: report.head, in: database)
        header = Header(bucket: bucket, tenant: tenant, madeAt: .now(), head: report.head, timeline: timeline)
        judge = AttestationJudge(timeline: timeline, head: report.head)
    }

    /// Gives every version that has, or had, bytes somewhere to `body`, by version id; returns the sums.
    package func run(_ body: (AttestedVersion) throws(S3Error) -> Void) throws(S3Error) -> Summary {
        var summary = Summary()
        var last: (version: [UInt8], sequence: Int64) = ([], 0)
        var pending: [LedgerEntry] = []
        while true {
            let after = last
            let rows = try database.read { sql throws(S3Error) in
                try sql.ledgerReplicas(
                    bucketID: header.bucket.id, after: after.version, after.sequence, upTo: header.head.sequence,
                    limit: Self.batch)
            }
            for row in rows {
                if let first = pending.first, first.versionID != row.versionID {
                    try give(pending, &summary, body)
                    pending.removeAll(keepingCapacity: true)
                }
                guard pending.count < Self.maximumRowsOfVersion else {
                    throw S3Error(.internalError, cause: "the ledger has too many rows of one version")
                }
                pending.append(row)
            }
            guard let end = rows.last, rows.count == Self.batch else { break }
            last = (end.versionID?.bytes ?? [], end.sequence)
        }
        try give(pending, &summary, body)
        return summary
    }

    private func give(
        _ rows: [LedgerEntry], _ summary: inout Summary, _ body: (AttestedVersion) throws(S3Error) -> Void
    ) throws(S3Error) {
        guard let id = rows.first?.versionID else { return }
        let found = try database.read { sql throws(S3Error) -> (ObjectVersion, Bool)? in
            guard let version = try sql.version(id: id) else { return nil }
            return (version, try sql.isLive(id))
        }
        let places = try judge.places(of: rows)
        summary.versions += 1
        summary.places += Int64(places.count)
        for place in places {
            if place.until == nil { summary.placesNow += 1 }
            for violation in place.violations {
                if violation.kind == .arrival { summary.arrivals += 1 } else { summary.stayings += 1 }
            }
        }
        try body(
            AttestedVersion(
                id: id, key: found?.0.key, state: found.map { $0.1 ? .live : .dead } ?? .gone,
                sizeBytes: found?.0.sizeBytes, places: places))
    }
}
