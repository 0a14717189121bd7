/// One page of a bucket with lifecycle rules: which of its versions or uploads are due, and where the next page begins.
struct LifecyclePage {
    /// Versions or uploads that a rule ends now.
    var due: [VersionID] = []
    var looked = 0
    /// Nil at the end of the bucket.
    var next: LifecyclePosition?

    /// A bucket in which nothing is looked at.
    init() {}

    /// Reads the page that begins at `position`, which is in `bucket`.
    ///
    /// Only keys that begin with a prefix of a rule are read.
    init(
        at position: LifecyclePosition, of bucket: Bucket, _ rules: Lifecycle, _ now: Timestamp, limit: Int,
        _ sql: any SQLConnection
    ) throws(S3Error) {
        switch position.stage {
        case .versions:
            try addVersions(from: position, rules, now, limit, sql)
            guard next == nil else { return }
            next = LifecyclePosition(bucketID: bucket.id, stage: .uploads, from: [])
        case .uploads: try addUploads(from: position, rules, now, limit, sql)
        }
    }

    // MARK: Versions

    private mutating func addVersions(
        from position: LifecyclePosition, _ rules: Lifecycle, _ now: Timestamp, _ limit: Int,
        _ sql: any SQLConnection
    ) throws(S3Error) {
        let prefixes = rules.versionPrefixes
        var start = position.key
        if !position.isBeforeKey {
            let isFull = try addOlder(than: position, rules, now, limit, sql)
            if isFull { return }
            // The smallest key behind it.
            start.append(0)
        }
        guard let range = Self.range(from: start, prefixes) else { return }
        // One more, so that of the last it is known whether its key has an older one.
        let rows = try sql.lifecycleVersions(
            bucketID: position.bucketID, from: range.key, prefix: range.prefix, limit: limit + 1)
        var newest: LifecycleVersionRow?
        var above: (since: Timestamp, noncurrent: Int)?
        for (index, row) in rows.prefix(limit).enumerated() {
            let isNewest = row.key != newest?.key
            if isNewest {
                (newest, above) = (row, nil)
                let isOnly = index + 1 == rows.count || rows[index + 1].key != row.key
                add(row, .current(isOnly: isOnly), rules, now)
            } else if let known = above {
                add(row, .noncurrent(since: known.since, newer: known.noncurrent), rules, now)
            }
            above = (row.lastModified, above.map { $0.noncurrent + 1 } ?? 0)
        }
        if rows.count > limit {
            next = .after(rows[limit - 1], bucketID: position.bucketID)
        } else {
            next = Self.position(behind: range.prefix, position, prefixes)
        }
    }

    /// Adds the rest of the position's key; true when the page is full with it.
    private mutating func addOlder(
        than position: LifecyclePosition, _ rules: Lifecycle, _ now: Timestamp, _ limit: Int, _ sql: any SQLConnection
    ) throws(S3Error) -> Bool {
        let rows = try sql.lifecycleVersions(
            bucketID: position.bucketID, of: position.key, olderThan: position.sequence, limit: limit)
        guard let last = rows.last else { return false }
        // Those above may have gone since: then the version that is newest now waits for the next look.
        var above = try LifecycleSweeper.newer(
            thanBelow: position.sequence, key: position.key, bucketID: position.bucketID, sql)
        for row in rows {
            if let since = above.since {
                add(row, .noncurrent(since: since, newer: above.count - 1), rules, now)
            }
            above = NewerVersions(since: row.lastModified, count: above.count + 1)
        }
        guard rows.count == limit else { return false }
        next = .after(last, bucketID: position.bucketID)
        return true
    }

    private mutating func add(
        _ row: LifecycleVersionRow, _ standing: LifecycleStanding, _ rules: Lifecycle, _ now: Timestamp
    ) {
        looked += 1
        if let end = rules.due(LifecycleSubject(row), standing), end.at <= now { due.append(row.id) }
    }

    // MARK: Uploads

    private mutating func addUploads(
        from position: LifecyclePosition, _ rules: Lifecycle, _ now: Timestamp, _ limit: Int,
        _ sql: any SQLConnection
    ) throws(S3Error) {
        let prefixes = rules.uploadPrefixes
        guard let range = Self.range(from: position.key, prefixes) else { return }
        let rows = try sql.lifecycleUploads(
            bucketID: position.bucketID, after: range.key, range.key == position.key ? position.uploadID : [],
            prefix: range.prefix, limit: limit)
        for row in rows {
            looked += 1
            if let end = rules.due(uploadOf: row.key.bytes, initiatedAt: row.initiatedAt), end.at <= now {
                due.append(row.id)
            }
        }
        if rows.count == limit, let last = rows.last {
            next = .after(last, bucketID: position.bucketID)
        } else {
            next = Self.position(behind: range.prefix, position, prefixes)
        }
    }

    // MARK: Ranges

    /// The first key from `key` on that may begin with one of `prefixes`, and that prefix; nil behind the last.
    ///
    /// `prefixes` are sorted, and none begins with another.
    static func range(from key: [UInt8], _ prefixes: [[UInt8]]) -> (key: [UInt8], prefix: [UInt8])? {
        for prefix in prefixes {
            if key.starts(with: prefix) { return (key, prefix) }
            if key.lexicographicallyPrecedes(prefix) { return (prefix, prefix) }
        }
        return nil
    }

    private static func position(
        behind prefix: [UInt8], _ position: LifecyclePosition, _ prefixes: [[UInt8]]
    ) -> LifecyclePosition? {
        guard let following = prefixes.first(where: { prefix.lexicographicallyPrecedes($0) }) else { return nil }
        return LifecyclePosition(bucketID: position.bucketID, stage: position.stage, from: following)
    }
}
