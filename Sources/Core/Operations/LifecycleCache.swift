import Synchronization

/// The rules of buckets, read from their documents once for each revision.
package final class LifecycleCache: Sendable {
    private struct Entry {
        let revision: Int64
        let lifecycle: Lifecycle
    }

    /// A full cache starts over; the rules of one bucket are a document of a few MiB at most, and usually of some lines.
    private static let capacity = 256
    private let entries = Mutex<[Int64: Entry]>([:])

    /// Returns the bucket's rules; nil when it has none, or has them no more.
    ///
    /// What a transaction that writes sees may never be committed, and its revision be given to other rules: then nothing is
    /// kept.
    package func rules(
        of bucket: Bucket, _ sql: any SQLConnection, isWriting: Bool = false
    ) throws(S3Error) -> Lifecycle? {
        guard let revision = bucket.lifecycleRevision else { return nil }
        if let known = known(bucket) { return known }
        guard let stored = try sql.lifecycle(bucketID: bucket.id) else { return nil }
        let lifecycle: Lifecycle
        do throws(S3Error) { lifecycle = try Lifecycle(parsing: stored.document) } catch {
            throw S3Error(.internalError, cause: "a stored lifecycle configuration does not read: \(error.message)")
        }
        if isWriting { return lifecycle }
        entries.withLock { entries in
            if entries.count >= Self.capacity { entries.removeAll(keepingCapacity: true) }
            entries[bucket.id] = Entry(revision: revision, lifecycle: lifecycle)
        }
        return lifecycle
    }

    /// As `rules(of:_:)`, without a look at the database; nil also when it is not known yet.
    func known(_ bucket: Bucket) -> Lifecycle? {
        guard let revision = bucket.lifecycleRevision else { return nil }
        return entries.withLock { entries in
            entries[bucket.id].flatMap { $0.revision == revision ? $0.lifecycle : nil }
        }
    }
}
