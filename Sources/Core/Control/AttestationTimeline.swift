/// What was in force for one bucket, and where each backend stood, over the rows of the ledger.
struct AttestationTimeline: Sendable {
    /// One stretch of the ledger in which the bucket's policy did not change.
    struct Segment: Sendable {
        /// Its first row.
        var sequence: Int64
        var from: Timestamp
        var tenantPolicy: PolicyVersion?
        var bucketPolicy: PolicyVersion?
        var policy: EffectivePolicy
    }

    struct PolicyVersion: Sendable, Equatable {
        var version: Int64
        var document: PolicyDocument
    }

    /// A backend from one row about it to the next.
    struct BackendEntry: Sendable {
        var sequence: Int64
        var from: Timestamp
        var backendID: Int64
        var name: String
        var state: String
        var location: Location
    }

    private(set) var segments: [Segment] = []
    /// By backend, in order.
    private(set) var backends: [Int64: [BackendEntry]] = [:]
    private let bucket: Bucket
    /// What LocationConstraint asked for, as the ledger tells; nothing is placed before the bucket is created.
    private var locations: [String] = []

    private static let batch = 10_000

    /// Reads the rows about settings up to `head`.
    init(_ bucket: Bucket, upTo head: LedgerHead, in database: Database) throws(S3Error) {
        self.bucket = bucket
        try append(at: 0, Timestamp(milliseconds: 0), tenant: nil, bucket: nil)
        var last: Int64 = 0
        while true {
            let after = last
            let rows = try database.read { sql throws(S3Error) in
                try sql.ledgerSettings(after: after, upTo: head.sequence, limit: Self.batch)
            }
            for row in rows { try add(row) }
            guard let end = rows.last, rows.count == Self.batch else { return }
            last = end.sequence
        }
    }

    private mutating func add(_ row: LedgerEntry) throws(S3Error) {
        switch row.event {
        case .backendAdded, .backendChanged, .backendLost:
            guard let id = row.backendID else { return }
            backends[id, default: []].append(try Self.backend(row, id))
        case .policySet, .policyRemoved:
            guard row.bucketID == bucket.id || (row.bucketID == nil && row.tenantID == bucket.tenantID) else { return }
            let policy = row.event == .policySet ? try Self.policy(row) : nil
            let current = segments.last
            if row.bucketID == nil {
                try append(at: row.sequence, row.recordedAt, tenant: policy, bucket: current?.bucketPolicy)
            } else {
                try append(at: row.sequence, row.recordedAt, tenant: current?.tenantPolicy, bucket: policy)
            }
        case .bucketCreated where row.bucketID == bucket.id:
            guard let words = try Self.json(row.details, row)["locations"]?.texts else { throw Self.unreadable(row) }
            locations = words
            guard let current = segments.popLast() else { return }
            try append(
                at: current.sequence, current.from, tenant: current.tenantPolicy, bucket: current.bucketPolicy)
        default: return
        }
    }

    private mutating func append(
        at sequence: Int64, _ time: Timestamp, tenant: PolicyVersion?, bucket own: PolicyVersion?
    ) throws(S3Error) {
        segments.append(
            Segment(
                sequence: sequence, from: time, tenantPolicy: tenant, bucketPolicy: own,
                policy: try EffectivePolicy(
                    tenant: tenant?.document, bucket: own?.document, locations: locations,
                    replicaCountTag: nil)))
    }

    // MARK: Questions

    /// The stretch that a row belongs to.
    func segmentIndex(at sequence: Int64) -> Int {
        var low = 0
        var high = segments.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if segments[middle].sequence <= sequence { low = middle } else { high = middle }
        }
        return low
    }

    /// The stretches that were in force between `time` and the row.
    func segmentIndexes(since time: Timestamp, upTo sequence: Int64) -> ClosedRange<Int> {
        let last = segmentIndex(at: sequence)
        var first = last
        while first > 0 && segments[first].from > time { first -= 1 }
        return first...last
    }

    /// What was known of the backend at that row; nil when the ledger does not tell of it.
    func backend(_ id: Int64, at sequence: Int64) -> BackendEntry? {
        backends[id]?.last { $0.sequence <= sequence }
    }

    // MARK: Rows

    private static func backend(_ row: LedgerEntry, _ id: Int64) throws(S3Error) -> BackendEntry {
        let value = try json(row.details, row)
        guard let location = value["location"], let region = location["region"]?.text, let name = value["name"]?.text,
            let state = value["state"]?.text
        else { throw unreadable(row) }
        return BackendEntry(
            sequence: row.sequence, from: row.recordedAt, backendID: id, name: name, state: state,
            location: Location(
                region: region, country: location["country"]?.text,
                jurisdictions: location["jurisdictions"]?.texts ?? [], provider: location["provider"]?.text,
                certifications: location["certifications"]?.texts ?? []))
    }

    private static func policy(_ row: LedgerEntry) throws(S3Error) -> PolicyVersion {
        let value = try json(row.details, row)
        guard case .integer(let version) = value["version"], let policy = value["policy"] else { throw unreadable(row) }
        do throws(PolicyError) {
            return PolicyVersion(version: version, document: try PolicyDocument(parsing: policy.compact))
        } catch {
            throw unreadable(row)
        }
    }

    private static func json(_ bytes: [UInt8], _ row: LedgerEntry) throws(S3Error) -> JSONValue {
        do throws(JSONReader.SyntaxError) { return try JSONReader.read(bytes) } catch { throw unreadable(row) }
    }

    private static func unreadable(_ row: LedgerEntry) -> S3Error {
        S3Error(.internalError, cause: "row \(row.sequence) of the ledger does not read")
    }
}

extension JSONValue {
    fileprivate var text: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    fileprivate var texts: [String]? {
        guard case .array(let values) = self else { return nil }
        return values.compactMap(\.text)
    }
}
