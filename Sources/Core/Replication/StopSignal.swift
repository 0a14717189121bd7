private import Glibc

/// Tells all threads of a worker to stop, and wakes those that wait.
///
/// A pipe whose one byte is never read: once it is there, every wait ends at once.
package final class StopSignal: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32

    package init() throws(S3Error) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else {
            throw S3Error(.internalError, cause: "cannot make a pipe: \(SystemError.text(errno))")
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// May be called again, and from any thread.
    package func stop() {
        let byte: [UInt8] = [1]
        // A full pipe is a pipe that says stop already.
        while unsafe write(writeEnd, byte, 1) < 0, errno == EINTR {}
    }

    package var isStopped: Bool { wait(milliseconds: 0) }

    /// Returns true as soon as the worker has to stop, false when the time is over.
    @discardableResult
    package func wait(milliseconds: Int) -> Bool {
        let deadline = Timestamp.monotonic().milliseconds + Int64(milliseconds)
        while true {
            let left = max(0, deadline - Timestamp.monotonic().milliseconds)
            var entry = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
            let count = unsafe poll(&entry, 1, Int32(min(left, Int64(Int32.max))))
            if count > 0 { return true }
            if count == 0 && left == 0 { return false }
            if count < 0 && errno != EINTR { return false }
        }
    }
}

extension Timestamp {
    /// Milliseconds on a clock that no one sets; comparable within this boot only.
    package static func monotonic() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
