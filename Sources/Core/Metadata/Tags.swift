/// Tags of versions and buckets, one column each; the only part of a version that can change.
extension SQLConnection {
    /// Replaces the tags of a live version; false when it is gone.
    package func setTags(versionID: VersionID, _ tags: [Tag]) throws(S3Error) -> Bool {
        let bucketID = try first(
            "UPDATE versions SET tags = $2 WHERE id = $1 AND state = 'live' RETURNING bucket_id",
            .bytes(versionID.bytes), SQLValue(TagList.encoded(tags))
        ) { $0.int(0) }
        guard let bucketID else { return false }
        try touchRecord(of: versionID, bucketID: bucketID, at: .now())
        return true
    }

    /// Replaces the tags of a bucket.
    ///
    /// Throws `NoSuchBucket`.
    package func setTags(bucketID: Int64, _ tags: [Tag]) throws(S3Error) {
        let changed = try run(
            "UPDATE buckets SET tags = $2 WHERE id = $1 AND is_removed = 0", .int(bucketID),
            SQLValue(TagList.encoded(tags)))
        guard changed == 1 else { throw S3Error(.noSuchBucket) }
        try bumpConfigurationGeneration()
    }
}

/// Tags as one column, in the form of `HeaderList`; none is NULL.
enum TagList {
    static func encoded(_ tags: [Tag]) -> [UInt8]? {
        guard !tags.isEmpty else { return nil }
        return HeaderList.encoded(
            tags.map { HeaderField(name: String(decoding: $0.key, as: UTF8.self), value: $0.value) })
    }

    /// Throws `InternalError` for bytes that `encoded` did not make.
    static func decoded(_ bytes: [UInt8]?) throws(S3Error) -> [Tag] {
        guard let bytes else { return [] }
        return try HeaderList.decoded(bytes).map { Tag(storedKey: Array($0.name.utf8), value: $0.value) }
    }
}
