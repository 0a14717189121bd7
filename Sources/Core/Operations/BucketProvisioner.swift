/// Makes the physical bucket of a logical bucket on a backend, under a name nobody else has (SECURITY.md 9).
package struct BucketProvisioner: Sendable {
    let naming: PhysicalBucketNaming
    private let database: Database

    /// Collisions that are tried before giving up; one is already a rarity with 130 bits.
    private static let maximumCounter = 32

    init(naming: PhysicalBucketNaming, database: Database) {
        self.naming = naming
        self.database = database
    }

    /// The name that scheme 1 gives for these fields, for explanations only: the stored mapping is the truth.
    package func name(tenant: String, bucket: Bucket, backend: String, counter: Int) -> String {
        naming.name(tenant: tenant, regionScope: bucket.region, bucket: bucket.name, backend: backend, counter: counter)
    }

    /// Returns the physical name, making mapping row and bucket when needed.
    ///
    /// A bucket that is found where no row of ours speaks of it is somebody else's, and the next counter is tried. The row
    /// is written before the bucket is made, so a bucket found under a row in state `creating` is the rest of an attempt
    /// that was cut short, and is taken up again.
    package func ensure(_ bucket: Bucket, of tenant: Tenant, on live: LiveBackend) throws(S3Error) -> String {
        for counter in 0..<Self.maximumCounter {
            if let known = try mapping(bucket, live) {
                if known.state == .ready { return known.physicalName }
                if let name = try create(known, on: live) { return name }
                continue
            }
            let fresh = BucketMapping(
                bucketID: bucket.id, backendID: live.backend.record.id,
                physicalName: name(tenant: tenant.canonicalID, bucket: bucket, backend: live.name, counter: counter),
                scheme: PhysicalBucketNaming.scheme, counter: counter, state: .creating)
            if try ask(live, { backend throws(BackendError) in try backend.hasBucket(fresh.physicalName) }) { continue }
            let isNew = try database.write { sql throws(S3Error) in try sql.insertMapping(fresh) }
            if isNew, let name = try create(fresh, on: live) { return name }
        }
        if let made = try mapping(bucket, live), made.state == .ready { return made.physicalName }
        throw S3Error(.serviceUnavailable, cause: "no free physical bucket name on backend \(live.name)")
    }

    /// The mapping in use, in state `creating` or `ready`.
    private func mapping(_ bucket: Bucket, _ live: LiveBackend) throws(S3Error) -> BucketMapping? {
        try database.read { sql throws(S3Error) in
            try sql.mapping(bucketID: bucket.id, backendID: live.backend.record.id)
        }
    }

    /// Returns nil when the name belongs to somebody else; the mapping is then closed for ever.
    private func create(_ mapping: BucketMapping, on live: LiveBackend) throws(S3Error) -> String? {
        let creation = try ask(live) { backend throws(BackendError) in try backend.createBucket(mapping.physicalName) }
        if creation == .taken { return try close(mapping) }
        let isSet = try database.write { sql throws(S3Error) in
            try sql.setMapping(
                bucketID: mapping.bucketID, backendID: mapping.backendID, counter: mapping.counter, state: .ready)
        }
        guard isSet else {
            // The logical bucket was deleted meanwhile, and the worker may have been here already.
            try ask(live) { backend throws(BackendError) in try backend.deleteBucket(mapping.physicalName) }
            throw S3Error(.noSuchBucket)
        }
        return mapping.physicalName
    }

    /// Closes a mapping whose name belongs to somebody else, unless another process knows better: then returns the name.
    private func close(_ mapping: BucketMapping) throws(S3Error) -> String? {
        try database.write { sql throws(S3Error) -> String? in
            let current = try sql.mapping(bucketID: mapping.bucketID, backendID: mapping.backendID)
            if let current, current.counter == mapping.counter, current.state == .ready { return current.physicalName }
            try sql.setMapping(
                bucketID: mapping.bucketID, backendID: mapping.backendID, counter: mapping.counter, state: .removed)
            return nil
        }
    }

    private func ask<T>(
        _ live: LiveBackend, _ call: (any Backend) throws(BackendError) -> T
    ) throws(S3Error) -> T {
        do throws(BackendError) {
            return try live.observe(call)
        } catch {
            throw S3Error(.serviceUnavailable, cause: "cannot make a bucket on \(error.backend): \(error.cause)")
                .header("Retry-After", "1")
        }
    }
}
