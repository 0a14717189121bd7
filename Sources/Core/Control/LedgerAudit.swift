/// What checking the ledger found.
package struct LedgerReport: Sendable, Equatable {
    /// The newest row that was looked at.
    package var head = LedgerHead.empty
    package var signedHeads = 0
    package var replicas = 0
    package var findingCount = 0
    /// The first findings, in words; at most `maximumFindings`.
    package var findings: [String] = []

    package static let maximumFindings = 100

    mutating func find(_ words: @autoclosure () -> String) {
        findingCount += 1
        if findings.count < Self.maximumFindings { findings.append(words()) }
    }
}

/// Checks the ledger against itself, its signed heads and the table of replicas, in bounded memory.
///
/// What it can and cannot find is in docs/decisions/0003-ledger.md. It may run while clients write: each batch is one
/// snapshot.
package struct LedgerAudit {
    private let database: Database
    private static let batch = 10_000

    package init(_ database: Database) { self.database = database }

    /// Checks everything; what is beside a broken chain is not looked at.
    package func run(_ key: AttestationKey) throws(S3Error) -> LedgerReport {
        var report = LedgerReport()
        try checkChain(&report)
        if report.findingCount > 0 { return report }
        try checkHeads(key, &report)
        try checkReplicas(&report)
        try checkVersions(&report)
        return report
    }

    /// Checks that the rows count without gaps and that each hash is right.
    private func checkChain(_ report: inout LedgerReport) throws(S3Error) {
        while true {
            var head = report.head
            let rows: [(entry: LedgerEntry, hash: [UInt8])]
            do throws(S3Error) {
                rows = try database.read { sql throws(S3Error) in
                    try sql.ledgerEntries(after: head.sequence, limit: Self.batch)
                }
            } catch {
                guard error.code == .internalError else { throw error }
                return report.find("a row of the ledger after \(head.sequence) does not read: \(error.cause ?? "")")
            }
            for row in rows {
                let sequence = row.entry.sequence
                if sequence != head.sequence + 1 {
                    report.find("rows \(head.sequence + 1) to \(sequence - 1) of the ledger are missing")
                } else if row.entry.hash(after: head.hash) != row.hash {
                    report.find("row \(sequence) of the ledger was changed, or the row before it")
                }
                head = LedgerHead(sequence: sequence, hash: row.hash)
            }
            report.head = head
            if rows.count < Self.batch { return }
        }
    }

    private func checkHeads(_ key: AttestationKey, _ report: inout LedgerReport) throws(S3Error) {
        var last: Int64 = 0
        while true {
            let after = last
            let (heads, hashes) = try database.read { sql throws(S3Error) in
                let heads = try sql.signedHeads(after: after, limit: Self.batch)
                var hashes: [[UInt8]?] = []
                for head in heads { hashes.append(try sql.ledgerHash(sequence: head.head.sequence)) }
                return (heads, hashes)
            }
            for (head, hash) in zip(heads, hashes) {
                let name = "the head signed at \(head.signedAt.iso8601)"
                if !key.isValid(head) {
                    report.find("\(name) for row \(head.head.sequence) has a wrong signature")
                } else if hash == nil {
                    report.find("\(name) was row \(head.head.sequence), which is missing: the end was cut off")
                } else if hash != head.head.hash {
                    report.find("\(name) for row \(head.head.sequence) had another hash: the ledger was rewritten")
                }
            }
            report.signedHeads += heads.count
            guard let end = heads.last, heads.count == Self.batch else { return }
            last = end.head.sequence
        }
    }

    /// Each replica with bytes has to be what the ledger tells last about it.
    private func checkReplicas(_ report: inout LedgerReport) throws(S3Error) {
        var last = ReplicaPlace(versionSequence: 0, backendID: 0)
        while true {
            let after = last
            let rows = try database.read { sql throws(S3Error) in
                try sql.replicasWithLastEvent(after: after, limit: Self.batch)
            }
            for row in rows {
                let words = "the replica of version \(row.versionID) on backend \(row.place.backendID)"
                switch row.event {
                case nil, .removed?, .dropped?:
                    report.find("\(words) is in no row of the ledger, or was removed according to it")
                case .granted? where row.state == .present:
                    report.find("\(words) is present, and the ledger does not tell of it")
                default: break
                }
            }
            report.replicas += rows.count
            guard let end = rows.last, rows.count == Self.batch else { return }
            last = end.place
        }
    }

    /// What is somewhere according to the ledger has to have a replica, or to belong to an upload.
    private func checkVersions(_ report: inout LedgerReport) throws(S3Error) {
        var last: (bucketID: Int64, versionID: [UInt8], sequence: Int64) = (0, [], 0)
        while true {
            let after = last
            let rows = try database.read { sql throws(S3Error) in
                try sql.openEvents(
                    after: after.bucketID, after.versionID, after.sequence, limit: Self.batch)
            }
            for row in rows where row.isLast && !row.isThere {
                report.find(
                    "version \(row.versionID) has bytes on backend \(row.backendID) by row \(row.sequence), "
                        + "and the database knows nothing of them")
            }
            guard let end = rows.last, rows.count == Self.batch else { return }
            last = (end.bucketID, end.versionID.bytes, end.sequence)
        }
    }
}
