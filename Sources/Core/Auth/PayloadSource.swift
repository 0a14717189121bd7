private import Glibc

/// The bytes of a request body by offset.
///
/// Belongs to one thread; many may read one file at once.
final class PayloadSource {
    private let body: RequestBody
    private let descriptor: Int32
    /// Where in the file the body begins.
    private let start: Int64

    /// Throws `IncompleteBody` when the spool file is not as long as it was said to be or is gone, `InternalError` when it
    /// cannot be opened.
    init(_ body: RequestBody) throws(S3Error) {
        self.body = body
        let path: String
        let end: Int64
        switch body {
        case .empty, .memory:
            descriptor = -1
            start = 0
            return
        case .file(let file, let sizeBytes):
            (path, start, end) = (file, 0, sizeBytes)
        case .filePart(let file, let offset, let sizeBytes):
            (path, start, end) = (file, offset, offset + sizeBytes)
        }
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            // It was there when the request came: nginx removes it when the client leaves.
            guard errno != ENOENT else { throw S3Error.clientLeft }
            throw S3Error(.internalError, cause: "cannot open the spool file: \(SystemError.text(errno))")
        }
        var status = stat()
        let answer = unsafe fstat(file, &status)
        let failure = errno
        // A part may end before its file does.
        let isLongEnough = start > 0 ? status.st_size >= end : status.st_size == end
        guard answer == 0, isLongEnough else {
            close(file)
            guard answer == 0 else {
                throw S3Error(.internalError, cause: "cannot examine the spool file: \(SystemError.text(failure))")
            }
            throw S3Error(.incompleteBody, cause: "the spool file has \(status.st_size) bytes, not \(end)")
        }
        descriptor = file
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Reads up to `buffer.count` bytes at `offset`; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(S3Error) -> Int {
        switch body {
        case .empty:
            return 0
        case .memory(let bytes):
            let count = min(buffer.count, bytes.count - Int(offset))
            guard count > 0 else { return 0 }
            unsafe bytes.withUnsafeBytes { all in
                unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: all[Int(offset)..<Int(offset) + count]))
            }
            return count
        case .file, .filePart:
            let wanted = Int(min(Int64(buffer.count), body.sizeBytes - offset))
            guard wanted > 0 else { return 0 }
            while true {
                let count = unsafe pread(descriptor, buffer.baseAddress, wanted, off_t(start + offset))
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else {
                    throw S3Error(.internalError, cause: "cannot read the spool file: \(SystemError.text(errno))")
                }
                return count
            }
        }
    }
}
