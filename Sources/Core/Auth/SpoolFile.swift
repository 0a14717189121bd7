private import Glibc

/// A file without a name in the spool directory: it is gone when its owner is, however that ends.
///
/// One thread appends; after the last piece any number may read. That is why it may be `@unchecked Sendable`.
package final class SpoolFile: @unchecked Sendable {
    private let descriptor: Int32
    package private(set) var sizeBytes: Int64 = 0

    /// `O_TMPFILE`, which glibc's headers only tell to GNU programs (`<asm-generic/fcntl.h>`).
    private static let temporary: Int32 = 0o20_000_000 | O_DIRECTORY

    /// Throws `ServiceUnavailable` when the directory takes no file.
    package init(in directory: String) throws(S3Error) {
        var opened = unsafe open(directory, Self.temporary | O_RDWR | O_CLOEXEC, 0o600)
        if opened < 0 && (errno == EOPNOTSUPP || errno == EISDIR) { opened = Self.makeNamed(in: directory) }
        guard opened >= 0 else {
            throw S3Error(
                .serviceUnavailable, cause: "cannot make a file in \(directory): \(SystemError.text(errno))")
        }
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// For file systems without `O_TMPFILE`: a killed process leaves a file only between these two calls.
    private static func makeNamed(in directory: String) -> Int32 {
        var path = Array("\(directory)/s3gw-spool-XXXXXX".utf8CString)
        let opened = unsafe mkstemp(&path)
        guard opened >= 0 else { return opened }
        unsafe unlink(path)
        _ = fcntl(opened, F_SETFD, FD_CLOEXEC)
        return opened
    }

    /// Appends all of `piece`.
    ///
    /// Throws `ServiceUnavailable` when the disk is full.
    package func append(_ piece: UnsafeRawBufferPointer) throws(S3Error) {
        var offset = 0
        while offset < piece.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: piece[offset...])
            let count = unsafe write(descriptor, rest.baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw S3Error(.serviceUnavailable, cause: "cannot write the spool file: \(SystemError.text(errno))")
            }
            offset += count
        }
        sizeBytes += Int64(piece.count)
    }

    /// A reader with an offset of its own, which opens the file again: this object must outlive the call.
    package func makeReader() throws(S3Error) -> PayloadReader {
        try PayloadReader(plain: .file(path: "/proc/self/fd/\(descriptor)", sizeBytes: sizeBytes))
    }
}
