/// Which physical bucket stands for a logical one on a backend. Rows are never deleted: a name is never used again.
extension SQLConnection {
    /// Returns the mapping in use, `creating` or `ready`.
    package func mapping(bucketID: Int64, backendID: Int64) throws(S3Error) -> BucketMapping? {
        try first(
            """
            SELECT bucket_id, backend_id, physical_name, scheme, counter, state FROM mappings
            WHERE bucket_id = $1 AND backend_id = $2 AND state IN ('creating', 'ready')
            """, .int(bucketID), .int(backendID), row: mapping)
    }

    /// Returns all mappings the bucket ever had, by backend and counter.
    package func mappings(bucketID: Int64) throws(S3Error) -> [BucketMapping] {
        try all(
            """
            SELECT bucket_id, backend_id, physical_name, scheme, counter, state FROM mappings
            WHERE bucket_id = $1 ORDER BY backend_id, counter
            """, .int(bucketID), row: mapping)
    }

    /// Tells which bucket a physical one belongs, or belonged, to.
    package func mapping(backendID: Int64, physicalName: String) throws(S3Error) -> BucketMapping? {
        try first(
            """
            SELECT bucket_id, backend_id, physical_name, scheme, counter, state FROM mappings
            WHERE backend_id = $1 AND physical_name = $2
            """, .int(backendID), .text(physicalName), row: mapping)
    }

    /// Returns false, and stores nothing, when the name was ever used on that backend, the counter was used for this
    /// bucket there, or the bucket has a mapping in use there.
    ///
    /// Throws `NoSuchBucket` when the bucket is gone: nobody would remove what is made for it.
    package func insertMapping(_ mapping: BucketMapping) throws(S3Error) -> Bool {
        guard try bucket(id: mapping.bucketID) != nil else { throw S3Error(.noSuchBucket) }
        let inserted = try run(
            """
            INSERT INTO mappings (bucket_id, backend_id, counter, physical_name, scheme, state)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
            """, .int(mapping.bucketID), .int(mapping.backendID), .int(Int64(mapping.counter)),
            .text(mapping.physicalName), .int(Int64(mapping.scheme)), .text(mapping.state.rawValue))
        guard inserted == 1 else { return false }
        try bumpConfigurationGeneration()
        return true
    }

    /// Writes down that a physical bucket, made for a bucket that ever was, is ours and is to be removed, with the job for
    /// it; false when another row has that name or counter.
    package func insertStrayMapping(_ mapping: BucketMapping, at time: Timestamp) throws(S3Error) -> Bool {
        let inserted = try run(
            """
            INSERT INTO mappings (bucket_id, backend_id, counter, physical_name, scheme, state)
            VALUES ($1, $2, $3, $4, $5, 'removing') ON CONFLICT DO NOTHING
            """, .int(mapping.bucketID), .int(mapping.backendID), .int(Int64(mapping.counter)),
            .text(mapping.physicalName), .int(Int64(mapping.scheme)))
        guard inserted == 1 else { return false }
        try insertJob(
            kind: .removeBucket, bucketID: mapping.bucketID, versionID: nil, backendID: mapping.backendID,
            notBefore: time)
        try bumpConfigurationGeneration()
        return true
    }

    /// The highest counter that each bucket has on a backend.
    package func highestCounters(backendID: Int64) throws(S3Error) -> [Int64: Int] {
        let rows = try all(
            "SELECT bucket_id, MAX(counter) FROM mappings WHERE backend_id = $1 GROUP BY bucket_id", .int(backendID)
        ) { ($0.int(0), Int($0.int(1))) }
        return Dictionary(rows) { first, _ in first }
    }

    /// Returns false when there is no such mapping, or when it would become `ready` and is being removed already.
    @discardableResult
    package func setMapping(
        bucketID: Int64, backendID: Int64, counter: Int, state: MappingState
    ) throws(S3Error) -> Bool {
        let changed = try run(
            """
            UPDATE mappings SET state = $4 WHERE bucket_id = $1 AND backend_id = $2 AND counter = $3
            AND ($4 <> 'ready' OR state IN ('creating', 'ready'))
            """, .int(bucketID), .int(backendID), .int(Int64(counter)), .text(state.rawValue))
        try bumpConfigurationGeneration()
        return changed == 1
    }

    private func mapping(_ row: any SQLStatement) throws(S3Error) -> BucketMapping {
        BucketMapping(
            bucketID: row.int(0), backendID: row.int(1), physicalName: row.text(2), scheme: Int(row.int(3)),
            counter: Int(row.int(4)), state: try row.word(5))
    }
}
