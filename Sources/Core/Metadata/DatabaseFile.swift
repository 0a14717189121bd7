private import Glibc

/// Puts a finished database in the place of an empty one.
package enum DatabaseFile {
    private static let companions = ["-wal", "-shm", "-journal"]

    /// Removes what an earlier attempt left.
    package static func remove(_ path: String) {
        for suffix in [""] + companions { unsafe unlink(path + suffix) }
    }

    /// Tells whether another process has the database open: SQLite's last connection takes the log away when it closes.
    package static func isInUse(_ path: String) -> Bool { unsafe access(path + "-wal", F_OK) == 0 }

    /// Replaces `old` by `new` in one step that survives a crash; both are closed.
    package static func replace(_ old: String, by new: String) throws(S3Error) {
        guard !isInUse(new) else { throw failure("the rebuilt database \(new) is still open") }
        guard !isInUse(old) else {
            throw failure("\(old) is open in another process: stop the pool and all workers first")
        }
        guard unsafe rename(new, old) == 0 else {
            throw failure("cannot rename \(new): \(SystemError.text(errno))")
        }
        let directory = old.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(old[..<$0]) } ?? "."
        let handle = unsafe open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard handle >= 0 else { throw failure("cannot open \(directory): \(SystemError.text(errno))") }
        defer { close(handle) }
        guard fsync(handle) == 0 else { throw failure("cannot sync \(directory): \(SystemError.text(errno))") }
    }

    private static func failure(_ cause: String) -> S3Error { S3Error(.internalError, cause: cause) }
}
