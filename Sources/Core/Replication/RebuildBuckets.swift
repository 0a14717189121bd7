import Logging

/// Finds the physical buckets that no document speaks of: those that were made in the last moments before the loss.
///
/// The names that a known bucket's physical buckets have can be made anew. A bucket that no document knows is taken from
/// what its objects prove, when its name is the one that follows from it; it comes back without its settings, and with a
/// policy that keeps its objects in the regions where they were found: what else was allowed is not known.
struct RebuildBuckets {
    private let rebuild: Rebuild
    private let database: Database
    private let stores: [Int64: any Backend]
    private let proof: DescriptionProof
    private let naming: PhysicalBucketNaming

    /// Objects of an unknown bucket that are asked what they are.
    private static let samples = 64
    /// A new bucket has had so many names on one backend at most.
    private static let counters = 0..<4

    init(_ rebuild: Rebuild, _ database: Database, _ stores: [Int64: any Backend], namespaceKey key: [UInt8]) {
        self.rebuild = rebuild
        self.database = database
        self.stores = stores
        proof = DescriptionProof { Crypto.hmacSHA256(key: key, message: $0) }
        naming = PhysicalBucketNaming { Crypto.hmacSHA256(key: key, message: $0) }
    }

    func run() throws(S3Error) {
        var regions: [Int64: Set<String>] = [:]
        for (id, store) in stores.sorted(by: { $0.key < $1.key }) {
            try rebuild.checkGoingOn()
            for name in try unknownNames(id, store) {
                if let owner = try ownedNames(id, store).owner(of: name) {
                    try take(name, owner, id)
                    regions[owner.bucket.id]?.insert(store.record.location.region)
                } else if let owner = try prove(name, store) {
                    let bucket = try database.write { sql throws(S3Error) in
                        let bucketID = try sql.restoreFoundBucket(owner.bucket)
                        rebuild.report.found.append(owner.bucket.name.text)
                        return bucketID
                    }
                    var known = owner.bucket
                    known.id = bucket
                    try take(name, .init(bucket: known, counter: owner.counter), id)
                    regions[bucket] = [store.record.location.region]
                }
            }
        }
        for (bucketID, labels) in regions {
            let policy: JSONValue = ["residency": ["allow": .texts(labels.sorted().map { "region:\($0)" })]]
            try database.write { sql throws(S3Error) in
                try sql.restoreFoundPolicy(bucketID: bucketID, json: policy.compact, at: .now())
            }
        }
    }

    private func unknownNames(_ id: Int64, _ store: any Backend) throws(S3Error) -> [String] {
        let all: [String]
        do throws(BackendError) { all = try store.listBuckets() } catch {
            guard error.kind == .refused else { throw Rebuild.failure(error) }
            rebuild.log.warning(
                "a backend does not list its buckets: new ones are not found there",
                metadata: ["backend": "\(store.record.name)", "cause": "\(error.cause)"])
            return []
        }
        return try database.read { sql throws(S3Error) in
            var unknown: [String] = []
            for name in all.sorted() where PhysicalBucketNaming.looksLikeOurs(name, backend: store.record.name) {
                if try sql.mapping(backendID: id, physicalName: name) == nil { unknown.append(name) }
            }
            return unknown
        }
    }

    private func ownedNames(_ id: Int64, _ store: any Backend) throws(S3Error) -> OwnedBucketNames {
        let name = store.record.name
        let naming = naming
        return try database.read { sql throws(S3Error) in
            OwnedBucketNames(
                backend: name, naming: naming, buckets: try sql.everyBucket(), tenants: try sql.canonicalIDs(),
                used: try sql.highestCounters(backendID: id))
        }
    }

    /// Writes the mapping down; where the bucket has another one there, or is gone, the physical one is to be removed.
    private func take(_ name: String, _ owner: OwnedBucketNames.Owner, _ backendID: Int64) throws(S3Error) {
        try database.write { sql throws(S3Error) in
            let mapping = BucketMapping(
                bucketID: owner.bucket.id, backendID: backendID, physicalName: name,
                scheme: PhysicalBucketNaming.scheme, counter: owner.counter, state: .ready)
            let isThere = try sql.bucket(id: owner.bucket.id) != nil
            let isFree = try sql.mapping(bucketID: owner.bucket.id, backendID: backendID) == nil
            if isThere, isFree {
                _ = try sql.insertMapping(mapping)
            } else {
                _ = try sql.insertStrayMapping(mapping, at: .now())
            }
        }
    }

    // MARK: What objects prove

    /// Returns for which bucket of a known tenant that no document knows the physical one was made; its id is 0.
    private func prove(_ name: String, _ store: any Backend) throws(S3Error) -> OwnedBucketNames.Owner? {
        guard let found = try sample(name, store) else { return nil }
        let (tenant, regions) = try database.read { sql throws(S3Error) in
            (
                try sql.tenants().first { $0.canonicalID == found.tenant },
                Set(try sql.everyBucket().map(\.region) + [self.rebuild.region])
            )
        }
        guard let tenant else { return nil }
        let bucketName: BucketName
        do throws(S3Error) { bucketName = try BucketName(validating: found.bucket) } catch { return nil }
        // Another one has that name now.
        let isTaken = try database.read { sql throws(S3Error) in
            try sql.bucket(tenantID: tenant.id, name: bucketName) != nil
        }
        guard !isTaken else { return nil }
        for region in regions.sorted() {
            for counter in Self.counters {
                let made = naming.name(
                    tenant: tenant.canonicalID, regionScope: region, bucket: bucketName, backend: store.record.name,
                    counter: counter)
                guard made == name else { continue }
                let bucket = Bucket(
                    id: 0, tenantID: tenant.id, name: bucketName, region: region, locations: [],
                    versioning: .unversioned, createdAt: found.version.lastModified)
                return .init(bucket: bucket, counter: counter)
            }
        }
        return nil
    }

    /// The description of the first object that proves itself.
    private func sample(_ name: String, _ store: any Backend) throws(S3Error) -> VersionDescription? {
        do throws(BackendError) {
            for entry in try store.list(name, after: nil, limit: Self.samples) {
                let head: BackendObjectHead?
                do throws(BackendError) { head = try store.head(PhysicalObject(bucket: name, key: entry.key)) } catch {
                    guard error.kind == .damaged else { throw error }
                    continue
                }
                guard let head, proof.holds(for: head.metadata), let found = VersionDescription(head.metadata),
                    PhysicalKey.isKey(entry.key, of: found.version.key, found.version.id)
                else { continue }
                return found
            }
            return nil
        } catch {
            if error.kind == .missing { return nil }
            throw Rebuild.failure(error)
        }
    }
}
