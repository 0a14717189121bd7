private import Glibc

/// Files that are not whole yet, in the directory for uploads.
///
/// Each is locked by its writer from the moment it exists, so that one without a lock is provably left over.
enum TemporaryFile {
    private static let prefix = Array("put-".utf8)
    private static let randomBytes = 16
    /// A writer locks its file at once; an hour is beyond every delay between the two calls.
    static let leftoverAgeSeconds: Int64 = 3600

    static func freshName() -> FileName { FileName(prefix + Hex.encode(Crypto.randomBytes(randomBytes))) }

    static func create(_ name: FileName, in directory: borrowing FileDescriptor) throws(FileError) -> FileDescriptor {
        let file = try directory.createFile(name)
        try file.lock(exclusively: true)
        return file
    }

    /// Removes the file if it is there; a failure leaves it to `removeLeftovers`.
    static func discard(_ name: FileName, in directory: borrowing FileDescriptor) {
        do throws(FileError) { try directory.removeFile(name) } catch { return }
    }

    /// Removes what crashed writers left: our names only, old, and locked by nobody.
    ///
    /// Returns how many.
    static func removeLeftovers(in directory: borrowing FileDescriptor, now: Timestamp) throws(FileError) -> Int {
        var candidates: [FileName] = []
        try directory.forEachName { name, _ in
            if isOurs(name.bytes) { candidates.append(name) }
            return true
        }
        var removed = 0
        for name in candidates {
            do throws(FileError) {
                let file = try directory.file(name)
                let status = try file.status()
                guard status.isRegular, now.seconds - status.modifiedSeconds >= leftoverAgeSeconds else { continue }
                try file.lock(exclusively: true)
                try directory.removeFile(name)
                removed += 1
            } catch {
                // Gone meanwhile, or in use.
                guard error.code == FileError.notFound || error.code == FileError.wouldBlock else { throw error }
            }
        }
        return removed
    }

    private static func isOurs(_ name: [UInt8]) -> Bool {
        guard name.starts(with: prefix) else { return false }
        return Hex.decode(name.dropFirst(prefix.count))?.count == randomBytes
    }
}

/// Waiting for something that tells nobody when it is ready.
enum Pause {
    static func milliseconds(_ count: UInt32) { usleep(count * 1000) }
}
