/// Compares what two places hold, key by key, and changes nothing: two physical buckets, or a physical and a logical one.
package struct PlaceComparison {
    /// One difference.
    package struct Difference: Sendable, Hashable {
        package enum Kind: String, Sendable, CaseIterable {
            /// The second place does not have it.
            case missing
            /// Only the second place has it.
            case extra
            case size
            /// The sizes are equal, the MD5s are not.
            case content
        }

        package let kind: Kind
        package let key: [UInt8]
        package let words: String
    }

    package struct Result: Sendable, Equatable {
        package var compared: Int64 = 0
        /// Pairs of equal sizes whose hashes could not be compared, such as those of objects made of parts.
        package var unhashed: Int64 = 0
        package var differences: Int64 = 0
    }

    /// One side of the comparison, in the order of keys.
    package enum Place: Sendable {
        case physical(LiveBackend, bucket: String)
        /// The current versions of a bucket.
        case logical(Database, Bucket)
    }

    private static let pageSize = 1000

    private let first: Place
    private let second: Place

    package init(_ first: Place, _ second: Place) {
        self.first = first
        self.second = second
    }

    /// Tells `difference` of each; hashes are compared where both sides know an MD5 of the whole.
    package func run(difference: (Difference) -> Void) throws(S3Error) -> Result {
        var result = Result()
        var left = Cursor(first, hidingKnownOf: second)
        var right = Cursor(second, hidingKnownOf: first)
        var one = try left.next()
        var other = try right.next()
        func tell(_ kind: Difference.Kind, _ key: [UInt8], _ words: String) {
            result.differences += 1
            difference(Difference(kind: kind, key: key, words: words))
        }
        while one != nil || other != nil {
            if let entry = one, other.map({ entry.key.lexicographicallyPrecedes($0.key) }) ?? true {
                tell(.missing, entry.key, "\(entry.sizeBytes) bytes")
                one = try left.next()
            } else if let entry = other, one.map({ entry.key.lexicographicallyPrecedes($0.key) }) ?? true {
                tell(.extra, entry.key, "\(entry.sizeBytes) bytes")
                other = try right.next()
            } else if let entry = one, let match = other {
                result.compared += 1
                if entry.sizeBytes != match.sizeBytes {
                    tell(.size, entry.key, "\(entry.sizeBytes) bytes and \(match.sizeBytes)")
                } else if let hash = try left.hash(of: entry), let matching = try right.hash(of: match) {
                    if hash != matching { tell(.content, entry.key, "MD5 \(hash) and \(matching)") }
                } else {
                    result.unhashed += 1
                }
                one = try left.next()
                other = try right.next()
            }
        }
        return result
    }

    private struct Entry {
        let key: [UInt8]
        let sizeBytes: Int64
        /// Known from the listing; else nil.
        let eTag: String?
    }

    /// Goes through one place.
    private struct Cursor {
        private let place: Place
        /// The database in which places of versions are looked up: what the gateway has written into an adopted bucket is
        /// compared under its logical key, not under its physical one.
        private let known: Database?
        private var page: ArraySlice<Entry> = []
        private var last: [UInt8]?
        private var isAtEnd = false

        init(_ place: Place, hidingKnownOf other: Place) {
            self.place = place
            if case .logical(let database, _) = other { known = database } else { known = nil }
        }

        mutating func next() throws(S3Error) -> Entry? {
            while page.isEmpty && !isAtEnd {
                let fresh = try load()
                for entry in fresh {
                    if let last, !last.lexicographicallyPrecedes(entry.key) {
                        throw S3Error(.invalidRequest, "A place does not list in the order of keys.")
                    }
                    last = entry.key
                }
                isAtEnd = fresh.count < PlaceComparison.pageSize
                page = try visible(fresh)[...]
            }
            return page.popFirst()
        }

        private func load() throws(S3Error) -> [Entry] {
            switch place {
            case .physical(let live, let bucket):
                do throws(BackendError) {
                    let after = last
                    return try live.observe { backend throws(BackendError) in
                        try backend.list(bucket, after: after, limit: PlaceComparison.pageSize)
                    }.map { Entry(key: $0.key, sizeBytes: $0.sizeBytes, eTag: nil) }
                } catch { throw S3Error(.serviceUnavailable, cause: "\(error.backend): \(error.cause)") }
            case .logical(let database, let bucket):
                let query = ListingQuery(bucketID: bucket.id, after: last ?? [], limit: PlaceComparison.pageSize)
                return try database.read { sql throws(S3Error) in try sql.list(query) }.entries.compactMap { entry in
                    guard case .object(let object) = entry else { return nil }
                    return Entry(key: object.key.bytes, sizeBytes: object.sizeBytes, eTag: object.eTag)
                }
            }
        }

        /// Leaves out what the gateway wrote under physical keys of its own.
        private func visible(_ entries: [Entry]) throws(S3Error) -> [Entry] {
            guard let known, case .physical(let live, let bucket) = place else { return entries }
            let backendID = live.backend.record.id
            return try known.read { sql throws(S3Error) in
                var visible: [Entry] = []
                for entry in entries {
                    let owner = try sql.keyOfPlace(backendID: backendID, bucket, entry.key)
                    if owner == nil || owner == entry.key { visible.append(entry) }
                }
                return visible
            }
        }

        /// The MD5 of the whole content in hex, nil when nobody knows it.
        func hash(of entry: Entry) throws(S3Error) -> String? {
            var eTag = entry.eTag
            if case .physical(let live, let bucket) = place {
                do throws(BackendError) {
                    let found = try live.observe { backend throws(BackendError) in
                        try backend.describe(PhysicalObject(bucket: bucket, key: entry.key))
                    }
                    eTag = found.flatMap { $0.isMD5 ? $0.eTag : nil }
                } catch { throw S3Error(.serviceUnavailable, cause: "\(error.backend): \(error.cause)") }
            }
            return eTag.flatMap { $0.utf8.count == 32 ? $0.lowercased() : nil }
        }
    }
}
