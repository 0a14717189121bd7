/// Listing in byte order of the keys.
///
/// A walk that keeps, for each directory on the way, the next few names only: memory follows `limit` and the depth, not
/// the number of objects. Reading a directory costs time for all its names, once a page.
extension FileBackend {
    package func list(_ bucket: String, after: [UInt8]?, limit: Int) throws(BackendError) -> [BackendListEntry] {
        let name = try bucketName(bucket)
        return try translating { () throws(FileError) in
            var walk = FileWalk(
                bucket: try openRoot().directory(name), after: after, batch: min(max(limit, 1), Self.maximumBatch))
            var entries: [BackendListEntry] = []
            while entries.count < limit, let entry = try walk.next() { entries.append(entry) }
            return entries
        }
    }

    /// Most names of one directory kept at a time.
    private static let maximumBatch = 50_000
}

/// Yields the objects of a bucket in byte order of their keys, beginning after a given one.
///
/// Byte order works name by name because of how `FileKeyPath` cuts: sorted by the bytes they add to a key, a directory
/// with its slash, no two names of one directory interleave below.
struct FileWalk: ~Copyable {
    private let bucket: FileDescriptor
    private let after: [UInt8]?
    private let batch: Int
    private var levels: [Level]

    private struct Level {
        /// The key bytes that stand for this directory.
        let prefix: [UInt8]
        let path: [FileName]
        /// The next names, the last one first.
        var waiting: [Child] = []
        /// All names up to this one were taken.
        var marker: [UInt8]?
        var isRead = false
    }

    private struct Child {
        /// The bytes of the whole key, or of its beginning.
        let key: [UInt8]
        let name: FileName
        let isObject: Bool
    }

    init(bucket: consuming FileDescriptor, after: [UInt8]?, batch: Int) {
        self.bucket = bucket
        self.after = after
        self.batch = batch
        levels = [Level(prefix: [], path: [])]
    }

    /// Returns the next object, nil at the end.
    ///
    /// What a concurrent delete takes away is passed over.
    mutating func next() throws(FileError) -> BackendListEntry? {
        while var level = levels.popLast() {
            guard let child = level.waiting.popLast() else {
                if !level.isRead, try fill(&level) { levels.append(level) }
                continue
            }
            level.marker = child.key
            levels.append(level)
            guard child.isObject else {
                levels.append(Level(prefix: child.key, path: level.path + [child.name]))
                continue
            }
            do throws(FileError) {
                let status = try open(level.path).status(of: child.name)
                if status.isRegular { return BackendListEntry(key: child.key, sizeBytes: status.sizeBytes) }
            } catch {
                guard error.code == FileError.notFound else { throw error }
            }
        }
        return nil
    }

    /// Reads the next names of a directory; false when it is gone.
    private func fill(_ level: inout Level) throws(FileError) -> Bool {
        let prefix = level.prefix
        let marker = level.marker
        let after = after
        var best = SmallestChildren(limit: batch)
        do throws(FileError) {
            try open(level.path).forEachName { name, isDirectory in
                // Half of all names, and the others take a while to read.
                if FileEntry.isMeta(name.bytes) { return true }
                let child: Child
                switch FileEntry(reading: name.bytes) {
                case .data(let part): child = Child(key: prefix + part, name: name, isObject: true)
                case .directory(let part), .more(let part):
                    if isDirectory == false { return true }
                    child = Child(key: prefix + part, name: name, isObject: false)
                case .meta, nil: return true
                }
                if let marker, !marker.lexicographicallyPrecedes(child.key) { return true }
                if let after, !Self.mayHoldKeys(child, after: after) { return true }
                best.offer(child)
                return true
            }
        } catch {
            guard error.code == FileError.notFound || error.isWrongKind, !level.path.isEmpty else { throw error }
            return false
        }
        level.isRead = !best.isCut
        level.waiting = best.descending()
        return true
    }

    private static func mayHoldKeys(_ child: Child, after: [UInt8]) -> Bool {
        if after.lexicographicallyPrecedes(child.key) { return true }
        return !child.isObject && after.starts(with: child.key)
    }

    private func open(_ path: [FileName]) throws(FileError) -> FileDescriptor {
        var directory = try bucket.reopened()
        for name in path { directory = try directory.directory(name) }
        return directory
    }

    /// Keeps the smallest `limit` of what it is offered.
    private struct SmallestChildren {
        let limit: Int
        private(set) var isCut = false
        private var children: [Child] = []

        init(limit: Int) { self.limit = limit }

        mutating func offer(_ child: Child) {
            children.append(child)
            // Sorting when twice as many came costs the same as a heap and reads better.
            if children.count >= 2 * limit { cut() }
        }

        mutating func descending() -> [Child] {
            cut()
            return children.reversed()
        }

        private mutating func cut() {
            children.sort { $0.key.lexicographicallyPrecedes($1.key) }
            guard children.count > limit else { return }
            children.removeLast(children.count - limit)
            isCut = true
        }
    }
}
