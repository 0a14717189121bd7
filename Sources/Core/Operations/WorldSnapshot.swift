import Synchronization

/// The world at one generation; shared by the threads of a process, filled as questions come.
package final class WorldSnapshot: Sendable {
    package let generation: Int64
    package let backends: [Int64: LiveBackend]
    private let database: Database
    private let masterKeys: MasterKeys
    private let credentials = Cache<String, Credential>()
    private let tenants = Cache<Int64, Tenant>()
    private let buckets = Cache<BucketOwner, Bucket>()
    private let shares = Cache<SharedPlace, Bucket>()
    private let policies = Cache<PolicyPlace, EffectivePolicy>()
    private let physicalNames = Cache<MappingPlace, String>()

    private struct BucketOwner: Hashable {
        let tenantID: Int64
        let name: BucketName
    }

    private struct SharedPlace: Hashable {
        let owner: String
        let name: BucketName
        let tenantID: Int64
    }

    private struct MappingPlace: Hashable {
        let bucketID: Int64
        let backendID: Int64
    }

    private struct PolicyPlace: Hashable {
        let bucketID: Int64
        let replicaCountTag: Int?
    }

    init(generation: Int64, backends: [Int64: LiveBackend], database: Database, masterKeys: MasterKeys) {
        self.generation = generation
        self.backends = backends
        self.database = database
        self.masterKeys = masterKeys
    }

    /// Returns the opened secret of an access key, nil when there is no such key.
    package func credential(_ accessKeyID: String) throws(S3Error) -> Credential? {
        try credentials.value(accessKeyID) { () throws(S3Error) -> Credential? in
            guard let key = try self.database.read({ sql throws(S3Error) in try sql.accessKey(id: accessKeyID) }) else {
                return nil
            }
            let secret = try self.masterKeys.open(key.sealedSecret, table: "access_keys", row: key.id)
            return Credential(accessKeyID: key.id, secret: secret, isActive: key.isActive, tenantID: key.tenantID)
        }
    }

    package func tenant(_ id: Int64) throws(S3Error) -> Tenant? {
        try tenants.value(id) { () throws(S3Error) in
            try self.database.read { sql throws(S3Error) in try sql.tenant(id: id) }
        }
    }

    package func bucket(_ name: BucketName, of tenantID: Int64) throws(S3Error) -> Bucket? {
        try buckets.value(BucketOwner(tenantID: tenantID, name: name)) { () throws(S3Error) in
            try self.database.read { sql throws(S3Error) in try sql.bucket(tenantID: tenantID, name: name) }
        }
    }

    /// Returns a bucket of another tenant that is shared with this one.
    package func bucket(
        _ name: BucketName, of owner: String, sharedWith tenantID: Int64
    ) throws(S3Error) -> Bucket? {
        try shares.value(SharedPlace(owner: owner, name: name, tenantID: tenantID)) { () throws(S3Error) in
            try self.database.read { sql throws(S3Error) in
                try sql.sharedBucket(name, of: owner, with: tenantID)
            }
        }
    }

    /// The tenant's ceiling, narrowed by the bucket's own policy and its locations, for an object with `tags`.
    ///
    /// The tag `replica-count` of the object goes before that of the bucket. Throws `InvalidTag`.
    package func policy(for bucket: Bucket, tags: [Tag] = []) throws(S3Error) -> EffectivePolicy {
        let ownCount = try tags.replicaCount()
        let count = if let ownCount { ownCount } else { try bucket.tags.replicaCount() }
        let place = PolicyPlace(bucketID: bucket.id, replicaCountTag: count)
        let policy = try policies.value(place) { () throws(S3Error) -> EffectivePolicy? in
            try self.database.read { sql throws(S3Error) in try Self.policy(for: bucket, count, sql) }
        }
        guard let policy else {
            throw S3Error(.internalError, cause: "no policy could be made for bucket \(bucket.id)")
        }
        return policy
    }

    /// As `policy(for:tags:)`, by what `sql` sees.
    package static func policy(
        for bucket: Bucket, tags: [Tag], _ sql: any SQLConnection
    ) throws(S3Error) -> EffectivePolicy {
        let ownCount = try tags.replicaCount()
        let count = if let ownCount { ownCount } else { try bucket.tags.replicaCount() }
        return try policy(for: bucket, count, sql)
    }

    private static func policy(
        for bucket: Bucket, _ count: Int?, _ sql: any SQLConnection
    ) throws(S3Error) -> EffectivePolicy {
        let ceiling = try sql.policy(tenantID: bucket.tenantID)
        let own = try sql.policy(bucketID: bucket.id)
        return try effective(
            ceiling: ceiling?.json, own: own?.json, locations: bucket.locations, replicaCountTag: count)
    }

    /// The policy a bucket of this tenant would have, before it exists.
    package func policy(forNewBucketOf tenantID: Int64, locations: [String]) throws(S3Error) -> EffectivePolicy {
        try database.read { sql throws(S3Error) in
            try Self.effective(ceiling: try sql.policy(tenantID: tenantID)?.json, own: nil, locations: locations)
        }
    }

    /// The stored physical name, nil before the bucket was made on that backend.
    package func physicalName(of bucket: Bucket, on backendID: Int64) throws(S3Error) -> String? {
        try physicalNames.value(MappingPlace(bucketID: bucket.id, backendID: backendID)) {
            () throws(S3Error) -> String? in
            let mapping = try self.database.read { sql throws(S3Error) in
                try sql.mapping(bucketID: bucket.id, backendID: backendID)
            }
            return mapping.flatMap { $0.state == .ready ? $0.physicalName : nil }
        }
    }

    /// Every backend as the placement function sees it, in order of id.
    package func candidates() -> [PlacementCandidate] {
        candidates(of: backends.sorted { $0.key < $1.key }.map(\.value.backend.record))
    }

    /// As `candidates`, for records that may be newer than this snapshot.
    func candidates(of records: [BackendRecord]) -> [PlacementCandidate] {
        records.map { record in
            PlacementCandidate(
                backendID: record.id, name: record.name, location: record.location, state: record.state,
                isHealthy: backends[record.id]?.takesBytes ?? true)
        }
    }

    /// The replicas that may be read, each with its backend, the best for a reader at `near` first; those the breaker
    /// has given up on stay as a last resort, in case it closes meanwhile.
    package func readable(_ replicas: [Replica], near: [LocationSelector] = []) -> [(Replica, LiveBackend)] {
        let found = replicas.compactMap { replica in
            backends[replica.backendID].flatMap { $0.isReadable ? (replica, $0) : nil }
        }
        guard found.count > 1 else { return found }
        return ReplicaChoice.order(found.map { $0.1.readCandidate(near: near) }).map { found[$0] }
    }

    private static func effective(
        ceiling: [UInt8]?, own: [UInt8]?, locations: [String], replicaCountTag: Int? = nil
    ) throws(S3Error) -> EffectivePolicy {
        try EffectivePolicy(
            tenant: try document(ceiling), bucket: try document(own), locations: locations,
            replicaCountTag: replicaCountTag)
    }

    private static func document(_ json: [UInt8]?) throws(S3Error) -> PolicyDocument? {
        guard let json else { return nil }
        do throws(PolicyError) {
            return try PolicyDocument(parsing: json)
        } catch {
            throw S3Error(.internalError, cause: "a stored policy does not read: \(error)")
        }
    }
}

/// What was asked before, under a lock of its own: every request comes by here, and threads that meet at one lock for
/// all caches spend more time waiting than looking.
private final class Cache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// A full cache starts over.
    private let capacity = 10_000
    private let entries = Mutex<[Key: Value]>([:])

    /// Looks, then asks outside the lock; a missing thing is not remembered.
    func value(_ key: Key, ask: () throws(S3Error) -> Value?) throws(S3Error) -> Value? {
        if let value = entries.withLock({ $0[key] }) { return value }
        guard let value = try ask() else { return nil }
        entries.withLock { entries in
            if entries.count >= capacity { entries.removeAll(keepingCapacity: true) }
            entries[key] = value
        }
        return value
    }
}
