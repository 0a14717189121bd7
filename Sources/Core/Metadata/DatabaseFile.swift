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
        let directory = directory(of: old)
        let handle = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard handle >= 0 else { throw failure("cannot open \(directory): \(SystemError.text(errno))") }
        defer { close(handle) }
        guard fsync(handle) == 0 else { throw failure("cannot sync \(directory): \(SystemError.text(errno))") }
    }

    /// Says why this process cannot use the database at `path`, and what to do about it; nil when its file is well.
    static func problem(_ path: String) -> String? {
        if let problem = directoryProblem(path) { return problem }
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            return errno == ENOENT ? "it is not there; s3gw init makes a new one" : "\(SystemError.text(errno))"
        }
        guard unsafe faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 else {
            return "user id \(geteuid()) cannot read and write it (\(SystemError.text(errno))); it belongs to user id "
                + "\(status.st_uid): run this as that user, or change its owner"
        }
        return nil
    }

    /// The same of the directory alone, which has to be there before a database can be made.
    static func directoryProblem(_ path: String) -> String? {
        let directory = directory(of: path)
        guard unsafe faccessat(AT_FDCWD, directory, F_OK, AT_EACCESS) == 0 else {
            return errno == ENOENT
                ? "the directory \(directory) is missing: make it, then s3gw init"
                : "\(directory): \(SystemError.text(errno))"
        }
        guard unsafe faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0 else {
            return "user id \(geteuid()) cannot write in \(directory), where the database's log lies, too "
                + "(\(SystemError.text(errno)))"
        }
        return nil
    }

    private static func directory(of path: String) -> String {
        let parent = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? "."
        return parent.isEmpty ? "/" : parent
    }

    private static func failure(_ cause: String) -> S3Error { S3Error(.internalError, cause: cause) }
}
