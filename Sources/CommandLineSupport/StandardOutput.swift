import Core
private import Glibc
private import Synchronization

/// What a program says on its standard output, whatever that is: a terminal, a pipe that ends, a disk that is full.
package enum StandardOutput {
    private static let hasBegun = Atomic<Bool>(false)
    private static let failedCode: Int32 = 3

    /// Whether anything was said yet.
    package static var isUsed: Bool { hasBegun.load(ordering: .relaxed) }

    /// Writes all of `bytes`, or ends the process with 3: an answer that is cut must not look like a whole one.
    ///
    /// A reader that has left (`| head`) is told nothing more; any other reason goes to standard error.
    package static func write(_ bytes: [UInt8]) {
        hasBegun.store(true, ordering: .relaxed)
        let failure = writeAll(bytes, to: STDOUT_FILENO)
        guard failure != 0 else { return }
        if failure != EPIPE {
            CommandLineProgram.complain("standard output cannot be written: \(SystemError.text(failure))")
        }
        exit(failedCode)
    }

    /// Returns 0, or why not all of it was written.
    static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Whoever shares the terminal or pipe has made it one that does not wait.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&ready, 1, -1)
            default: return errno
            }
        }
        return 0
    }
}
