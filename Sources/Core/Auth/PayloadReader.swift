private import Glibc

/// Reads a request body from its start to its end, once or, after `rewind()`, again.
///
/// Belongs to one thread; many readers of one file may run at once on different threads, because each keeps its own
/// offset.
package final class PayloadReader {
    private let body: RequestBody
    private var descriptor: Int32 = -1
    private var offset: Int64 = 0

    /// Throws `InternalError` when the spool file cannot be opened.
    package init(plain body: RequestBody) throws(S3Error) {
        self.body = body
        guard case .file(let path, _) = body else { return }
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw S3Error(.internalError, cause: "cannot open the spool file: errno \(errno)")
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    package func rewind() { offset = 0 }

    /// Fills `buffer` from the current position; returns the number of bytes, 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(S3Error) -> Int {
        switch body {
        case .empty: return 0
        case .memory(let bytes):
            let count = min(buffer.count, bytes.count - Int(offset))
            guard count > 0 else { return 0 }
            unsafe buffer.copyBytes(from: bytes[Int(offset)..<Int(offset) + count])
            offset += Int64(count)
            return count
        case .file:
            while true {
                let count = unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else {
                    throw S3Error(.internalError, cause: "cannot read the spool file: errno \(errno)")
                }
                offset += Int64(count)
                return count
            }
        }
    }
}
