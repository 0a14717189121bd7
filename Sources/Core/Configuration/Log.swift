package import Logging
private import Glibc
private import Synchronization

/// The log of a process: JSON lines through swift-log, to standard error or a file.
///
/// `start` is called once, before the first `Logger` is used; everything else uses `Logger(label:)`.
package enum Log {
    /// Sends every `Logger` of this process to `file`, or to standard error when it is nil.
    package static func start(level: String, file: String?) throws(ConfigurationError) {
        if let file { try output.open(file) }
        output.set(level: level)
        LoggingSystem.bootstrap { label in JSONLogHandler(label: label, output: output) }
    }

    package static func start(_ configuration: Configuration) throws(ConfigurationError) {
        try start(level: configuration.logLevel, file: configuration.logFile)
    }

    /// Changes the least level that is logged, for loggers that did not set their own.
    package static func set(level: String) { output.set(level: level) }

    /// Opens the log file again by name, after a rotation moved the old one away.
    package static func reopen() throws(ConfigurationError) { try output.reopen() }

    private static let output = LogOutput()
}

/// Where log lines go.
///
/// The descriptor's number never changes once a file is open, so writing needs no lock.
package final class LogOutput: Sendable {
    private let descriptor: Atomic<Int32>
    private let level = Atomic<Int>(LogOutput.rank(.info))
    private let file = Mutex<String?>(nil)

    package init(descriptor: Int32 = STDERR_FILENO) { self.descriptor = Atomic(descriptor) }

    package var minimumLevel: Logger.Level { Logger.Level.allCases[level.load(ordering: .relaxed)] }

    package func set(level text: String) {
        level.store(Self.rank(Logger.Level(rawValue: text) ?? .info), ordering: .relaxed)
    }

    private static func rank(_ level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }

    /// Opens `path` for appending, mode 0640.
    package func open(_ path: String) throws(ConfigurationError) {
        let opened = unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard opened >= 0 else {
            throw ConfigurationError([.init(at: path, "cannot be opened as the log: \(SystemError.text(errno))")])
        }
        let current = descriptor.load(ordering: .acquiring)
        if current == STDERR_FILENO {
            descriptor.store(opened, ordering: .releasing)
        } else {
            dup2(opened, current)
            _ = fcntl(current, F_SETFD, FD_CLOEXEC)
            close(opened)
        }
        file.withLock { $0 = path }
    }

    package func reopen() throws(ConfigurationError) {
        guard let path = file.withLock({ $0 }) else { return }
        try open(path)
    }

    /// Writes one line in one call; a log that cannot be written must not stop the requests it tells of.
    package func write(_ line: [UInt8]) {
        let target = descriptor.load(ordering: .acquiring)
        unsafe line.withUnsafeBytes { bytes in
            while unsafe Glibc.write(target, bytes.baseAddress, bytes.count) < 0, errno == EINTR {}
        }
    }
}
