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
    package var checksum: ObjectChecksum?

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
    /// Lists from `query.after` on; with `marker`, from the versions of that very key that are older than it.
    package func listVersions(
        _ query: ListingQuery, after marker: VersionMarker? = nil
    ) throws(S3Error) -> VersionListingPage {
        var page = VersionListingPage(entries: [], isTruncated: false)
        guard query.limit > 0 else { return page }
        page.entries.reserveCapacity(query.limit)
        if let marker, query.after.starts(with: query.prefix), query.endOfCommonPrefix(in: query.after) == nil {
            try addOlder(than: marker, query, to: &page)
        }
        try addKeys(query, to: &page)
        return page
    }

    /// Adds the rest of the marker's own key.
    private func addOlder(
        than marker: VersionMarker, _ query: ListingQuery, to page: inout VersionListingPage
    ) throws(S3Error) {
        let key = ObjectKey(stored: query.after)
        let newest = try latestVersion(bucketID: query.bucketID, key: key)
        let end = try sequence(of: marker, bucketID: query.bucketID, key: key, newest)
        let statement = try statement(
            """
            SELECT key, sequence, id, is_null, is_delete_marker, size_bytes, etag, last_modified, storage_class,
                checksum_algorithm, checksum FROM versions
            WHERE bucket_id = $1 AND key = $2 AND state = 'live' AND sequence < $3 ORDER BY sequence DESC LIMIT $4
            """)
        defer { statement.finish() }
        // hot: MetadataBenchmark
        try statement.start([
            .int(query.bucketID), .bytes(key.bytes), .int(end), .int(Int64(query.limit) + 1),
        ])
        while try statement.next() {
            let isLatest = statement.int(1) == newest?.sequence
            let version = try listedVersion(statement, isLatest: isLatest)
            guard add(.version(version), query, to: &page) else { return }
        }
    }

    /// The sequence below which the next page begins.
    ///
    /// A plain id of a version whose row is gone tells nothing: then all versions of its key are listed again, so that none
    /// is left out.
    private func sequence(
        of marker: VersionMarker, bucketID: Int64, key: ObjectKey, _ newest: ObjectVersion?
    ) throws(S3Error) -> Int64 {
        let named = try version(bucketID: bucketID, key: key, marker.reference)
        if let named, marker.lastModified == nil || marker.lastModified == named.lastModified { return named.sequence }
        if let time = marker.lastModified { return try sequence(before: time, bucketID: bucketID, key: key, newest) }
        guard case .id(let id) = marker.reference, let dead = try version(id: id), dead.bucketID == bucketID,
            dead.key == key
        else { return Int64.max }
        return dead.sequence
    }

    /// Finds the sequence from which on the key's versions are not older than `time`, by halving: as many seeks as the
    /// number of sequences has bits.
    private func sequence(
        before time: Timestamp, bucketID: Int64, key: ObjectKey, _ newest: ObjectVersion?
    ) throws(S3Error) -> Int64 {
        var older: Int64 = 0
        var notOlder = newest.map { $0.sequence + 1 } ?? 1
        // The newest version at or below a sequence is older than `time` at `older`, and is not at `notOlder`, or there is
        // none above it.
        while notOlder - older > 1 {
            let middle = older + (notOlder - older) / 2
            let found = try first(
                """
                SELECT sequence, last_modified FROM versions
                WHERE bucket_id = $1 AND key = $2 AND state = 'live' AND sequence <= $3 ORDER BY sequence DESC LIMIT 1
                """, .int(bucketID), .bytes(key.bytes), .int(middle)
            ) { row in (sequence: row.int(0), time: row.time(1)) }
            if let found, found.time >= time { notOlder = found.sequence } else { older = middle }
        }
        return notOlder
    }

    private func addKeys(_ query: ListingQuery, to page: inout VersionListingPage) throws(S3Error) {
        let statement = try statement(
            """
            SELECT key, sequence, id, is_null, is_delete_marker, size_bytes, etag, last_modified, storage_class,
                checksum_algorithm, checksum FROM versions
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
        var checksum: ObjectChecksum?
        if !row.isNull(9) { checksum = ObjectChecksum(algorithm: try row.word(9), stored: row.bytes(10)) }
        return ListedVersion(
            key: ObjectKey(stored: row.bytes(0)), id: try row.versionID(2), isNull: row.flag(3),
            isDeleteMarker: row.flag(4), isLatest: isLatest, sizeBytes: row.int(5), eTag: row.text(6),
            lastModified: row.time(7), storageClass: row.text(8),
            checksum: checksum)
    }
}
