/// A bucket's lifecycle configuration as it is stored.
package struct StoredLifecycle: Sendable, Hashable {
    /// XML, in the gateway's own words.
    package var document: [UInt8]
    /// `x-amz-transition-default-minimum-object-size`, as asked for.
    package var transitionMinimum: String

    package init(document: [UInt8], transitionMinimum: String) {
        self.document = document
        self.transitionMinimum = transitionMinimum
    }
}

/// The lifecycle configuration of buckets; which of them have one, and since when, is part of `Bucket`.
extension SQLConnection {
    /// Returns nil for a bucket without one, or a removed bucket.
    package func lifecycle(bucketID: Int64) throws(S3Error) -> StoredLifecycle? {
        try first(
            """
            SELECT lifecycle, lifecycle_minimum FROM buckets
            WHERE id = $1 AND is_removed = 0 AND lifecycle_revision IS NOT NULL
            """, .int(bucketID)
        ) { StoredLifecycle(document: $0.bytes(0), transitionMinimum: $0.text(1)) }
    }

    /// Replaces the configuration; nil removes it.
    ///
    /// Throws `NoSuchBucket`.
    package func setLifecycle(bucketID: Int64, _ lifecycle: StoredLifecycle?) throws(S3Error) {
        try bumpConfigurationGeneration()
        let generation = try configurationGeneration()
        let changed = try run(
            """
            UPDATE buckets SET lifecycle_revision = $2, lifecycle_minimum = $3, lifecycle = $4
            WHERE id = $1 AND is_removed = 0
            """, .int(bucketID), lifecycle == nil ? .null : .int(generation), SQLValue(lifecycle?.transitionMinimum),
            SQLValue(lifecycle?.document))
        guard changed == 1 else { throw S3Error(.noSuchBucket) }
    }

    /// Returns the first bucket with rules whose id is `id` or greater.
    package func bucketWithLifecycle(from id: Int64) throws(S3Error) -> Bucket? {
        let found = try first(
            """
            SELECT id FROM buckets WHERE is_removed = 0 AND lifecycle_revision IS NOT NULL AND id >= $1
            ORDER BY id LIMIT 1
            """, .int(id)
        ) { $0.int(0) }
        return try found.flatMap { id throws(S3Error) in try bucket(id: id) }
    }
}
