import Core
import Glibc

/// Where a request body goes that nginx sent over FastCGI instead of in a file of its own.
///
/// A short body stays in memory. A longer one goes to a file in the spool directory that has no name: it is found as
/// `/proc/self/fd/N` while the request lasts, and nothing is left behind however the process ends.
struct BodySpool {
    /// A body up to this size stays in memory.
    static let memoryBytes = 64 * 1024

    private let directory: String
    private var file: Int32 = -1
    private var buffer = [UInt8](repeating: 0, count: BodySpool.memoryBytes)

    init(directory: String) { self.directory = directory }

    /// Reads the body that `slot` carries; `expectedBytes` is the CONTENT_LENGTH, when there was one.
    ///
    /// Throws `IncompleteBody` when the connection broke or fewer bytes came, `EntityTooLarge` beyond
    /// `maximumBytes`, `ServiceUnavailable` when the spool directory is full, `InternalError` when it fails.
    mutating func read(
        _ slot: borrowing FastCGISlot, expectedBytes: Int64?, maximumBytes: Int64
    ) throws(S3Error) -> RequestBody {
        let first = try readPiece(slot)
        guard first == buffer.count else {
            try Self.require(Int64(first), expectedBytes)
            return first == 0 ? .empty : .memory(Array(buffer[..<first]))
        }
        try open()
        var total: Int64 = 0
        var count = first
        while count > 0 {
            total += Int64(count)
            guard total <= maximumBytes else { throw S3Error(.entityTooLarge) }
            try write(count)
            guard count == buffer.count else { break }
            count = try readPiece(slot)
        }
        try Self.require(total, expectedBytes)
        return .file(path: "/proc/self/fd/\(file)", sizeBytes: total)
    }

    /// Reads the end of the body of a request whose body is in nginx's file.
    ///
    /// Throws `InternalError` when there is a body nevertheless: `fastcgi_pass_request_body off` is missing.
    mutating func requireEmpty(_ slot: borrowing FastCGISlot) throws(S3Error) {
        guard try readPiece(slot) == 0 else {
            throw S3Error(.internalError, cause: "nginx sent the body twice; see docs/nginx.md")
        }
    }

    /// Lets go of the body; called when the request is finished.
    mutating func finish() {
        guard file >= 0 else { return }
        close(file)
        file = -1
    }

    private mutating func readPiece(_ slot: borrowing FastCGISlot) throws(S3Error) -> Int {
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe slot.readBody(into: $0) }
        guard let count else { throw S3Error(.incompleteBody, cause: "the connection broke inside the body") }
        return count
    }

    private static func require(_ count: Int64, _ expected: Int64?) throws(S3Error) {
        guard let expected, count != expected else { return }
        throw S3Error(.incompleteBody, cause: "\(count) bytes of the body came instead of \(expected)")
    }

    private mutating func open() throws(S3Error) {
        var template = Array((directory + "/s3gw-body-XXXXXX").utf8CString)
        file = unsafe mkstemp(&template)
        guard file >= 0 else { throw Self.failure(errno) }
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        unsafe unlink(&template)
    }

    private func write(_ count: Int) throws(S3Error) {
        var offset = 0
        while offset < count {
            let written = unsafe buffer.withUnsafeBytes { bytes in
                unsafe Glibc.write(file, bytes.baseAddress.map { unsafe $0 + offset }, count - offset)
            }
            guard written >= 0 else {
                if errno == EINTR { continue }
                throw Self.failure(errno)
            }
            offset += written
        }
    }

    private static func failure(_ code: Int32) -> S3Error {
        let isFull = code == ENOSPC || code == EDQUOT
        return S3Error(
            isFull ? .serviceUnavailable : .internalError, cause: "the spool directory: \(SystemError.text(code))")
    }
}
