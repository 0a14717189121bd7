/// One page of a bucket's keys, as ListObjects and ListObjectsV2 ask for it.
package struct ListingQuery: Sendable {
    package var bucketID: Int64
    package var prefix: [UInt8]
    /// Empty for none; keys are rolled up at its first appearance after `prefix`.
    package var delimiter: [UInt8]
    /// Entries are greater than this key or common prefix; empty for the beginning.
    package var after: [UInt8]
    package var limit: Int

    package init(bucketID: Int64, prefix: [UInt8] = [], delimiter: [UInt8] = [], after: [UInt8] = [], limit: Int) {
        self.bucketID = bucketID
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after
        self.limit = limit
    }

    /// The smallest key that may be on the page; nil when none can be.
    var firstKey: [UInt8]? {
        guard after.starts(with: prefix) else {
            return after.lexicographicallyPrecedes(prefix) ? prefix : after + [0]
        }
        // A marker inside a common prefix: that prefix was on an earlier page.
        if let end = endOfCommonPrefix(in: after) { return KeyRange.successor(ofPrefix: Array(after[..<end])) }
        return after.isEmpty ? [] : after + [0]
    }

    /// Returns where the common prefix of `key` ends; nil when nothing is rolled up.
    func endOfCommonPrefix(in key: [UInt8]) -> Int? {
        guard let first = delimiter.first else { return nil }
        var index = prefix.count
        while index + delimiter.count <= key.count {
            if key[index] == first, key[index..<(index + delimiter.count)].elementsEqual(delimiter) {
                return index + delimiter.count
            }
            index += 1
        }
        return nil
    }
}

/// What a listing shows of a key's current version.
package struct ListedObject: Sendable, Hashable {
    package var key: ObjectKey
    package var sizeBytes: Int64
    /// Without quotes.
    package var eTag: String
    package var lastModified: Timestamp
    package var storageClass: String
    package var checksumAlgorithm: ChecksumAlgorithm?
    package var checksumType: ChecksumType

    package init(
        key: ObjectKey, sizeBytes: Int64, eTag: String, lastModified: Timestamp, storageClass: String,
        checksumAlgorithm: ChecksumAlgorithm?, checksumType: ChecksumType = .fullObject
    ) {
        self.key = key
        self.sizeBytes = sizeBytes
        self.eTag = eTag
        self.lastModified = lastModified
        self.storageClass = storageClass
        self.checksumAlgorithm = checksumAlgorithm
        self.checksumType = checksumType
    }
}

package enum ListingEntry: Sendable, Hashable {
    case object(ListedObject)
    /// Up to the end of the delimiter.
    case commonPrefix([UInt8])

    /// What orders entries, and where the next page starts.
    package var marker: [UInt8] {
        switch self {
        case .object(let object): object.key.bytes
        case .commonPrefix(let prefix): prefix
        }
    }
}

package struct ListingPage: Sendable {
    /// In the order of their bytes.
    package var entries: [ListingEntry]
    package var isTruncated: Bool
    /// The last entry's key or common prefix; nil unless the page is truncated.
    package var nextMarker: [UInt8]?
}

extension SQLConnection {
    /// Lists by seeking: a common prefix costs one seek, however many keys it stands for.
    package func list(_ query: ListingQuery) throws(S3Error) -> ListingPage {
        var page = ListingPage(entries: [], isTruncated: false, nextMarker: nil)
        guard query.limit > 0 else { return page }
        page.entries.reserveCapacity(query.limit)
        let statement = try statement(
            """
            SELECT key, size_bytes, etag, last_modified, storage_class, checksum_algorithm, checksum_type FROM objects
            WHERE bucket_id = $1 AND key >= $2 ORDER BY key LIMIT $3
            """)
        defer { statement.finish() }
        var start = query.firstKey
        // hot: MetadataBenchmark
        while let from = start {
            let rows = query.limit - page.entries.count + 1
            try statement.start([.int(query.bucketID), .bytes(from), .int(Int64(rows))])
            start = nil
            while try statement.next() {
                let key = statement.bytes(0)
                guard key.starts(with: query.prefix) else { break }
                if page.entries.count == query.limit {
                    page.isTruncated = true
                    page.nextMarker = page.entries.last?.marker
                    break
                }
                if let end = query.endOfCommonPrefix(in: key) {
                    let prefix = Array(key[..<end])
                    page.entries.append(.commonPrefix(prefix))
                    start = KeyRange.successor(ofPrefix: prefix)
                    break
                }
                page.entries.append(.object(try listedObject(statement, key)))
            }
            statement.finish()
        }
        return page
    }

    private func listedObject(_ row: any SQLStatement, _ key: [UInt8]) throws(S3Error) -> ListedObject {
        ListedObject(
            key: ObjectKey(stored: key), sizeBytes: row.int(1), eTag: row.text(2), lastModified: row.time(3),
            storageClass: row.text(4), checksumAlgorithm: row.isNull(5) ? nil : try row.word(5),
            checksumType: row.isNull(6) ? .fullObject : try row.word(6))
    }
}

/// Ranges of byte strings.
enum KeyRange {
    /// Returns the smallest string greater than all that begin with `prefix`; nil when there is none.
    static func successor(ofPrefix prefix: [UInt8]) -> [UInt8]? {
        guard let last = prefix.lastIndex(where: { $0 != 0xff }) else { return nil }
        return prefix[..<last] + [prefix[last] + 1]
    }
}
