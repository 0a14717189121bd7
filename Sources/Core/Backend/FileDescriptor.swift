private import CLinux
private import Glibc

/// A call to the system that failed; `code` is its errno.
struct FileError: Error, Equatable {
    let call: String
    let code: Int32

    static let notFound: Int32 = ENOENT
    static let exists: Int32 = EEXIST
    static let notEmpty: Int32 = ENOTEMPTY
    static let wouldBlock: Int32 = EWOULDBLOCK
    static let isDirectory: Int32 = EISDIR
    static let invalid: Int32 = EINVAL

    /// The root directory is missing: its disk is not mounted, or nobody made it.
    static let noRoot = FileError(call: "the directory is not there: make it, or mount its disk", code: ENXIO)
    /// The root directory is empty: its disk is not mounted, or it was never probed.
    static let notSetUp = FileError(call: "the directory is empty: mount its disk, or probe the backend", code: ENXIO)

    /// Returns what `errno` says about `call`.
    static func current(_ call: String) -> FileError { FileError(call: call, code: errno) }

    /// No space, no quota, or a file that the system lets grow no further.
    var isFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }
    var isForbidden: Bool { code == EACCES || code == EPERM }
    /// A component is no directory, or is a symbolic link.
    var isWrongKind: Bool { code == ENOTDIR || code == ELOOP }

    var text: String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "\(call): errno \(code)" }
        let message = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return "\(call): \(String(decoding: message, as: UTF8.self))"
    }
}

/// One open file or directory, closed exactly once.
///
/// Nothing below it is ever reached through a symbolic link.
struct FileDescriptor: ~Copyable {
    private let number: Int32

    private init(number: Int32) { self.number = number }
    deinit { close(number) }

    /// What `fstat` says, as far as it matters here.
    struct Status {
        let sizeBytes: Int64
        let isRegular: Bool
        let isDirectory: Bool
        let modifiedSeconds: Int64
    }

    /// Opens an absolute directory; the operator's path to it may hold symbolic links.
    init(root path: String) throws(FileError) {
        number = try Self.retry("open") { unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    }

    func directory(_ name: FileName) throws(FileError) -> FileDescriptor {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        return FileDescriptor(
            number: try Self.retry("open") { unsafe openat(number, name.characters, flags) })
    }

    func file(_ name: FileName) throws(FileError) -> FileDescriptor {
        // O_NONBLOCK: a pipe that somebody put there must not hold the thread.
        let flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
        return FileDescriptor(
            number: try Self.retry("open") { unsafe openat(number, name.characters, flags) })
    }

    func createFile(_ name: FileName) throws(FileError) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        return FileDescriptor(
            number: try Self.retry("create") { unsafe openat(number, name.characters, flags, 0o640) })
    }

    func makeDirectory(_ name: FileName) throws(FileError) {
        _ = try Self.retry("mkdir") { unsafe mkdirat(number, name.characters, 0o750) }
    }

    func removeDirectory(_ name: FileName) throws(FileError) {
        _ = try Self.retry("rmdir") { unsafe unlinkat(number, name.characters, AT_REMOVEDIR) }
    }

    func removeFile(_ name: FileName) throws(FileError) {
        _ = try Self.retry("unlink") { unsafe unlinkat(number, name.characters, 0) }
    }

    /// Moves `name` from here to `target`, replacing what is there.
    func rename(_ name: FileName, to target: borrowing FileDescriptor, _ newName: FileName) throws(FileError) {
        let targetNumber = target.number
        _ = try Self.retry("rename") {
            unsafe renameat(number, name.characters, targetNumber, newName.characters)
        }
    }

    /// Returns when the content or the directory's entries are on the medium.
    ///
    /// A failure is final: the kernel may have dropped the pages, a second call would lie.
    func synchronize() throws(FileError) {
        #if S3GW_PLANTED_BUGS
            if PlantedBug.unsyncedDirectories.isOn, try status().isDirectory { return }
        #endif
        _ = try Self.retry("fsync") { fsync(number) }
    }

    func status() throws(FileError) -> Status {
        var status = stat()
        _ = try Self.retry("fstat") { unsafe fstat(number, &status) }
        return Status(
            sizeBytes: Int64(status.st_size), isRegular: status.st_mode & S_IFMT == S_IFREG,
            isDirectory: status.st_mode & S_IFMT == S_IFDIR, modifiedSeconds: Int64(status.st_mtim.tv_sec))
    }

    func hasEntry(_ name: FileName) throws(FileError) -> Bool {
        do throws(FileError) {
            _ = try status(of: name)
            return true
        } catch {
            guard error.code == FileError.notFound else { throw error }
            return false
        }
    }

    func status(of name: FileName) throws(FileError) -> Status {
        var status = stat()
        _ = try Self.retry("stat") { unsafe fstatat(number, name.characters, &status, AT_SYMLINK_NOFOLLOW) }
        return Status(
            sizeBytes: Int64(status.st_size), isRegular: status.st_mode & S_IFMT == S_IFREG,
            isDirectory: status.st_mode & S_IFMT == S_IFDIR, modifiedSeconds: Int64(status.st_mtim.tv_sec))
    }

    /// Takes the advisory lock of this open file, or throws `wouldBlock` at once.
    ///
    /// It ends with the descriptor.
    func lock(exclusively: Bool) throws(FileError) {
        let operation = (exclusively ? LOCK_EX : LOCK_SH) | LOCK_NB
        _ = try Self.retry("flock") { flock(number, operation) }
    }

    func unlock() throws(FileError) {
        _ = try Self.retry("flock") { flock(number, LOCK_UN) }
    }

    /// Opens the same directory once more.
    func reopened() throws(FileError) -> FileDescriptor { try directory(FileName(".")) }

    /// Reads at `offset`; fewer bytes than asked only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try Self.retryCount("read") {
                unsafe pread(number, rest.baseAddress, rest.count, off_t(offset + Int64(filled)))
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    func read(into bytes: inout [UInt8], at offset: Int64) throws(FileError) -> Int {
        var failure: FileError?
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(FileError) { return try unsafe read(into: buffer, at: offset) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return count
    }

    /// Writes all of `buffer` at the current position.
    func write(_ buffer: UnsafeRawBufferPointer) throws(FileError) {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
            done += try Self.retryCount("write") { unsafe Glibc.write(number, rest.baseAddress, rest.count) }
        }
    }

    /// Appends `sizeBytes` bytes of `source`, from its start, at the current position, inside of the kernel, which may
    /// share blocks instead of copying them.
    ///
    /// Returns the bytes that were there: fewer only when `source` is shorter.
    func append(_ source: borrowing FileDescriptor, sizeBytes: Int64) throws(FileError) -> Int64 {
        let sourceNumber = source.number
        var offset = off_t(0)
        var sharesBlocks = true
        while offset < sizeBytes {
            let wanted = min(Int(sizeBytes - Int64(offset)), Self.largestCopyBytes)
            do throws(FileError) {
                let count = try Self.retryCount(sharesBlocks ? "copy_file_range" : "sendfile") {
                    unsafe sharesBlocks
                        ? copy_file_range(sourceNumber, &offset, number, nil, wanted, 0)
                        : sendfile(number, sourceNumber, &offset, wanted)
                }
                if count == 0 { break }
            } catch {
                // A file system without it.
                guard sharesBlocks, [EXDEV, EINVAL, ENOSYS, EOPNOTSUPP].contains(error.code) else { throw error }
                sharesBlocks = false
            }
        }
        return Int64(offset)
    }

    /// One call: a signal or a slow disk is noticed between two.
    private static let largestCopyBytes = 64 << 20

    /// Calls `body` with each name but `.` and `..`, in no order, until it returns false.
    func forEachName(_ body: (FileName, _ isDirectory: Bool?) -> Bool) throws(FileError) {
        let own = try Self.retry("open") { unsafe openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard let stream = unsafe fdopendir(own) else {
            let error = FileError.current("opendir")
            close(own)
            throw error
        }
        defer { unsafe closedir(stream) }
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw FileError.current("readdir") }
                return
            }
            let bytes = unsafe withUnsafeBytes(of: entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
            if bytes == [0x2E] || bytes == [0x2E, 0x2E] { continue }
            let kind = unsafe Int(entry.pointee.d_type)
            guard body(FileName(bytes), kind == DT_UNKNOWN ? nil : kind == DT_DIR) else { return }
        }
    }

    private static func retry(_ call: String, _ body: () -> Int32) throws(FileError) -> Int32 {
        while true {
            let result = body()
            if result >= 0 { return result }
            if errno != EINTR { throw FileError.current(call) }
        }
    }

    private static func retryCount(_ call: String, _ body: () -> Int) throws(FileError) -> Int {
        while true {
            let result = body()
            if result >= 0 { return result }
            if errno != EINTR { throw FileError.current(call) }
        }
    }
}
