/// Tells for which logical bucket a physical one was made, by making the names that it can have anew.
struct OwnedBucketNames {
    struct Owner: Hashable {
        let bucket: Bucket
        let counter: Int
    }

    private struct Name: Hashable {
        let tenantID: Int64
        let bucket: [UInt8]

        init(_ bucket: Bucket) {
            tenantID = bucket.tenantID
            self.bucket = bucket.name.bytes
        }
    }

    private var owners: [String: Owner] = [:]

    /// How many counters behind the last one that was used may have been given out since.
    private static let spareCounters = 4

    /// `buckets` are all that ever were, `tenants` the canonical ids of all tenants, `used` the highest counters on the
    /// backend.
    init(
        backend: String, naming: PhysicalBucketNaming, buckets: [Bucket], tenants: [Int64: String], used: [Int64: Int]
    ) {
        // A bucket that is made again under its name goes on counting where the one before ended.
        var last: [Name: Int] = [:]
        for bucket in buckets { last[Name(bucket)] = max(last[Name(bucket)] ?? -1, used[bucket.id] ?? -1) }
        for bucket in buckets {
            guard let tenant = tenants[bucket.tenantID] else { continue }
            for counter in 0...((last[Name(bucket)] ?? -1) + Self.spareCounters) {
                let name = naming.name(
                    tenant: tenant, regionScope: bucket.region, bucket: bucket.name, backend: backend,
                    counter: counter)
                // A name that was deleted and made again has the same physical names: the newest bucket has them.
                if let known = owners[name], known.bucket.id > bucket.id { continue }
                owners[name] = Owner(bucket: bucket, counter: counter)
            }
        }
    }

    func owner(of name: String) -> Owner? { owners[name] }
}
