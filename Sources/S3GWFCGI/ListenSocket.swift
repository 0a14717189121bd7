import Core
import Glibc

/// Why the pool has no socket to listen on, for the operator.
struct ListenSocketError: Error, CustomStringConvertible {
    let description: String
}

/// The socket nginx connects to, held by the master for as long as it lives.
///
/// It is descriptor 0 when that is a listening socket (systemd, spawn-fcgi). Else the master binds a unix path itself:
/// mode 0660, under a lock so that two masters never fight, and only over a socket that no one answers.
struct ListenSocket {
    /// Connections that wait while all threads are busy; a full backlog is an instant 502 in nginx.
    private static let backlog: Int32 = 4096
    /// The first descriptor for our own use; those below are given to children by number.
    static let firstOwnDescriptor: Int32 = 10

    let descriptor: Int32
    /// The path to remove at the end; nil for a socket that was given to us.
    let boundPath: String?
    /// Keeps the lock while it is open.
    private let lock: Int32?

    /// Takes descriptor 0, else binds `path`.
    static func open(path: String) throws(ListenSocketError) -> ListenSocket {
        guard !isListening(0) else {
            // A connection that another process took must not leave us with EAGAIN in a loop.
            _ = fcntl(0, F_SETFL, fcntl(0, F_GETFL) & ~O_NONBLOCK)
            return ListenSocket(descriptor: fcntl(0, F_DUPFD_CLOEXEC, firstOwnDescriptor), boundPath: nil, lock: nil)
        }
        let lock = try acquireLock(path + ".lock")
        do throws(ListenSocketError) {
            try requireFree(path)
            return ListenSocket(descriptor: try bindAndListen(path), boundPath: path, lock: lock)
        } catch {
            close(lock)
            throw error
        }
    }

    /// Removes the path, so that nginx fails at once instead of queueing for a pool that stops.
    func unlinkPath() {
        if let boundPath { unsafe unlink(boundPath) }
    }

    static func isListening(_ descriptor: Int32) -> Bool {
        var flag: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &flag, &length) == 0 && flag == 1
    }

    /// Throws when the directory of the socket is missing and no socket is given on descriptor 0.
    static func requireDirectory(of path: String) throws(S3Error) {
        guard !isListening(0) else { return }
        let directory = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? "."
        guard unsafe access(directory.isEmpty ? "/" : directory, F_OK) != 0 else { return }
        throw S3Error(.internalError, cause: "socket: the directory \(directory) is missing; make it")
    }

    private static func acquireLock(_ path: String) throws(ListenSocketError) -> Int32 {
        let opened = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else {
            throw failure("cannot open \(path): the socket's directory has to be there, and writable for this user")
        }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            close(opened)
            throw ListenSocketError(description: "another pool holds \(path); stop it, or set another socket")
        }
        return opened
    }

    private static func requireFree(_ path: String) throws(ListenSocketError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ListenSocketError(description: "\(path) exists and is no socket; remove it, or set another socket")
        }
        let probe = try newSocket()
        defer { close(probe) }
        guard unsafe withAddress(path, { unsafe connect(probe, $0, $1) }) != 0 else {
            throw ListenSocketError(description: "another process listens on \(path); stop it, or set another socket")
        }
        guard errno == ECONNREFUSED else { throw failure("cannot tell whether \(path) is in use") }
    }

    /// Binds and listens under another name, then renames: nginx never meets a socket that does not listen yet.
    private static func bindAndListen(_ path: String) throws(ListenSocketError) -> Int32 {
        let fresh = try newSocket()
        let temporary = path + "~"
        unsafe unlink(temporary)
        let mask = umask(0o117)
        let bound = unsafe withAddress(temporary, { unsafe bind(fresh, $0, $1) })
        let code = errno
        umask(mask)
        errno = code
        guard bound == 0 else { throw failure("cannot bind \(temporary)") }
        guard listen(fresh, backlog) == 0 else { throw failure("cannot listen on \(temporary)") }
        guard unsafe rename(temporary, path) == 0 else { throw failure("cannot rename \(temporary) to \(path)") }
        let moved = fcntl(fresh, F_DUPFD_CLOEXEC, firstOwnDescriptor)
        close(fresh)
        return moved
    }

    private static func newSocket() throws(ListenSocketError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let fresh = socket(AF_UNIX, type, 0)
        guard fresh >= 0 else { throw failure("cannot make a socket") }
        return fresh
    }

    /// Calls `body` with the address of `path`; a path that does not fit fails with ENAMETOOLONG.
    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8) + [0]
        let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            guard bytes.count <= field.count else { return false }
            unsafe field.copyBytes(from: bytes)
            return true
        }
        guard fits else {
            errno = ENAMETOOLONG
            return -1
        }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func failure(_ what: String) -> ListenSocketError {
        ListenSocketError(description: "\(what): \(SystemError.text(errno))")
    }
}
