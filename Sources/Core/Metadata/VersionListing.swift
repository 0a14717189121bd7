/// What a listing shows of one version.
package struct ListedVersion: Sendable, Hashable {
    package var key: ObjectKey
    package var id: VersionID
    package var isNull: Bool
    package var isDeleteMarker: Bool
    package var isLatest: Bool
    package var sizeBytes: Int64
    /// Without quotes; empty for a delete marker.
    package var eTag: String
    package var lastModified: Timestamp
    package var storageClass: String
    package var checksumAlgorithm: ChecksumAlgorithm?

    /// What clients call it.
    package var clientID: [UInt8] { isNull ? Array("null".utf8) : id.text }
}

package enum VersionListingEntry: Sendable, Hashable {
    case version(ListedVersion)
    /// Up to the end of the delimiter.
    case commonPrefix([UInt8])

    /// The key marker that continues after it.
    package var marker: [UInt8] {
        switch self {
        case .version(let version): version.key.bytes
        case .commonPrefix(let prefix): prefix
        }
    }
}

package struct VersionListingPage: Sendable {
    /// By key, then from the newest version to the oldest.
    package var entries: [VersionListingEntry]
    package var isTruncated: Bool
}

/// The living versions of a bucket, in pages.
///
/// A page costs what it returns: rows come from the index `versions_alive` in their order, and a common prefix is one
/// seek, however many keys and versions it stands for.
extension SQLConnection {
    /// Lists from `query.after` on; with `version`, from the versions of that very key that are older than it.
    ///
    /// A version that is gone meanwhile is no marker any more: then all versions of its key are listed again, so that
    /// none is left out.
    package func listVersions(
        _ query: ListingQuery, after version: VersionReference? = nil
    ) throws(S3Error) -> VersionListingPage {
        var page = VersionListingPage(entries: [], isTruncated: false)
        guard query.limit > 0 else { return page }
        page.entries.reserveCapacity(query.limit)
        if let version, query.after.starts(with: query.prefix), query.endOfCommonPrefix(in: query.after) == nil {
            try addOlder(than: version, query, to: &page)
        }
        try addKeys(query, to: &page)
        return page
    }

    /// Adds the rest of the marker's own key.
    private func addOlder(
        than version: VersionReference, _ query: ListingQuery, to page: inout VersionListingPage
    ) throws(S3Error) {
        let key = ObjectKey(stored: query.after)
        let newest = try latestVersion(bucketID: query.bucketID, key: key)
        let marker = try self.version(bucketID: query.bucketID, key: key, version)
        let statement = try statement(
            """
            SELECT key, sequence, id, is_null, is_delete_marker, size_bytes, etag, last_modified, storage_class,
                checksum_algorithm FROM versions
            WHERE bucket_id = $1 AND key = $2 AND state = 'live' AND sequence < $3 ORDER BY sequence DESC LIMIT $4
            """)
        defer { statement.finish() }
        // hot: MetadataBenchmark
        try statement.start([
            .int(query.bucketID), .bytes(key.bytes), .int(marker?.sequence ?? Int64.max), .int(Int64(query.limit) + 1),
        ])
        while try statement.next() {
            let isLatest = statement.int(1) == newest?.sequence
            let version = try listedVersion(statement, isLatest: isLatest)
            guard add(.version(version), query, to: &page) else { return }
        }
    }

    private func addKeys(_ query: ListingQuery, to page: inout VersionListingPage) throws(S3Error) {
        let statement = try statement(
            """
            SELECT key, sequence, id, is_null, is_delete_marker, size_bytes, etag, last_modified, storage_class,
                checksum_algorithm FROM versions
            WHERE bucket_id = $1 AND key >= $2 AND state = 'live' ORDER BY key, sequence DESC LIMIT $3
            """)
        defer { statement.finish() }
        var start = page.isTruncated ? nil : query.firstKey
        // hot: MetadataBenchmark
        while let from = start {
            let rows = query.limit - page.entries.count + 1
            try statement.start([.int(query.bucketID), .bytes(from), .int(Int64(rows))])
            start = nil
            var last: [UInt8]?
            while try statement.next() {
                let key = statement.bytes(0)
                guard key.starts(with: query.prefix) else { break }
                if let end = query.endOfCommonPrefix(in: key) {
                    let prefix = Array(key[..<end])
                    if add(.commonPrefix(prefix), query, to: &page) {
                        start = KeyRange.successor(ofPrefix: prefix)
                    }
                    break
                }
                let version = try listedVersion(statement, isLatest: key != last)
                guard add(.version(version), query, to: &page) else { break }
                last = key
            }
            statement.finish()
        }
    }

    /// Adds an entry while there is room; else the page is truncated and false is returned.
    private func add(
        _ entry: VersionListingEntry, _ query: ListingQuery, to page: inout VersionListingPage
    ) -> Bool {
        guard page.entries.count < query.limit else {
            page.isTruncated = true
            return false
        }
        page.entries.append(entry)
        return true
    }

    private func listedVersion(_ row: any SQLStatement, isLatest: Bool) throws(S3Error) -> ListedVersion {
        ListedVersion(
            key: ObjectKey(stored: row.bytes(0)), id: try row.versionID(2), isNull: row.flag(3),
            isDeleteMarker: row.flag(4), isLatest: isLatest, sizeBytes: row.int(5), eTag: row.text(6),
            lastModified: row.time(7), storageClass: row.text(8),
            checksumAlgorithm: row.isNull(9) ? nil : try row.word(9))
    }
}
