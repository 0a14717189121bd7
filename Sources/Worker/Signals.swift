private import Glibc

/// The signals of this process: blocked in every thread, and waited for in one.
enum Signals {
    enum Kind { case stop, reload, reopenLog }

    private static let known: [(number: Int32, kind: Kind)] = [
        (SIGTERM, .stop), (SIGINT, .stop), (SIGHUP, .reload), (SIGUSR1, .reopenLog),
    ]

    private static var set: sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in known { unsafe sigaddset(&set, signal.number) }
        return set
    }

    /// Has to be called before the first thread is made, which inherits it.
    static func block() {
        var set = set
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Returns the next signal, nil when none came in that time.
    static func wait(milliseconds: Int) -> Kind? {
        var set = set
        var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        let number = unsafe sigtimedwait(&set, nil, &time)
        return known.first { $0.number == number }?.kind
    }

    /// Ends the process without waiting for its threads.
    static func exitNow(_ code: Int32) -> Never { _exit(code) }

    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
