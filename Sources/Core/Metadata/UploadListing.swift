/// One page of a bucket's uploads, as ListMultipartUploads asks for it.
package struct UploadListingQuery: Sendable {
    package var bucketID: Int64
    package var prefix: [UInt8]
    /// Empty for none.
    package var delimiter: [UInt8]
    /// Uploads of greater keys, and with `afterID` those of this key with greater ids; empty for the beginning.
    package var afterKey: [UInt8]
    package var afterID: VersionID?
    package var limit: Int

    package init(
        bucketID: Int64, prefix: [UInt8] = [], delimiter: [UInt8] = [], afterKey: [UInt8] = [],
        afterID: VersionID? = nil, limit: Int
    ) {
        self.bucketID = bucketID
        self.prefix = prefix
        self.delimiter = delimiter
        self.afterKey = afterKey
        self.afterID = afterID
        self.limit = limit
    }

    /// Returns where the common prefix of `key` ends; nil when nothing is rolled up.
    func endOfCommonPrefix(in key: [UInt8]) -> Int? {
        ListingQuery(bucketID: bucketID, prefix: prefix, delimiter: delimiter, limit: limit)
            .endOfCommonPrefix(in: key)
    }
}

package enum UploadListingEntry: Sendable, Hashable {
    case upload(Upload)
    /// Up to the end of the delimiter.
    case commonPrefix([UInt8])
}

package struct UploadListingPage: Sendable {
    /// By key, uploads of one key in the order in which they began.
    package var entries: [UploadListingEntry] = []
    package var isTruncated = false
}

extension SQLConnection {
    /// Lists by seeking in the index: a common prefix costs one seek, however many uploads it stands for.
    package func listUploads(_ query: UploadListingQuery) throws(S3Error) -> UploadListingPage {
        var page = UploadListingPage()
        guard query.limit > 0 else { return page }
        let statement = try statement(
            """
            SELECT id, bucket_id, key, state, storage_class, checksum_algorithm, checksum_type, headers, initiated_at,
                completing, tags
            FROM uploads WHERE bucket_id = $1 AND (key, id) > ($2, $3) ORDER BY key, id LIMIT $4
            """)
        defer { statement.finish() }
        // An id has 16 bytes: the empty one comes before all, `pastIDs` after all.
        let pastIDs = [UInt8](repeating: 0xFF, count: 17)
        var start: (key: [UInt8], id: [UInt8])? = (query.prefix, [])
        if !query.afterKey.isEmpty, !query.afterKey.lexicographicallyPrecedes(query.prefix) {
            start = (query.afterKey, query.afterID?.bytes ?? pastIDs)
            // A marker inside a common prefix: that prefix was on an earlier page.
            if query.afterKey.starts(with: query.prefix), let end = query.endOfCommonPrefix(in: query.afterKey) {
                start = KeyRange.successor(ofPrefix: Array(query.afterKey[..<end])).map { ($0, []) }
            }
        }
        while let from = start {
            // `creating` ones are skipped: they are few, so that a page rarely needs another seek.
            let rows = query.limit - page.entries.count + 1
            try statement.start([.int(query.bucketID), .bytes(from.key), .bytes(from.id), .int(Int64(rows))])
            start = nil
            var seen = 0
            while try statement.next() {
                seen += 1
                let upload = try upload(statement)
                guard upload.key.bytes.starts(with: query.prefix) else { break }
                if seen == rows { start = (upload.key.bytes, upload.id.bytes) }
                if upload.state == .creating { continue }
                if page.entries.count == query.limit {
                    page.isTruncated = true
                    start = nil
                    break
                }
                if let end = query.endOfCommonPrefix(in: upload.key.bytes) {
                    let prefix = Array(upload.key.bytes[..<end])
                    page.entries.append(.commonPrefix(prefix))
                    start = KeyRange.successor(ofPrefix: prefix).map { ($0, []) }
                    break
                }
                page.entries.append(.upload(upload))
            }
            statement.finish()
        }
        return page
    }
}
