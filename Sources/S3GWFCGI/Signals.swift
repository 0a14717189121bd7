import Glibc

/// Signals as values: all that matter are blocked, and one thread waits for them.
enum Signals {
    /// Wakes a request thread out of `accept`; it is blocked everywhere else, so it interrupts nothing but that.
    static let wake = SIGUSR2

    private static let managed = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD]

    /// Blocks the signals we wait for in this thread and all it starts, and ignores SIGPIPE.
    static func block() {
        var set = managedSet()
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Waits for the next signal; nil when `milliseconds` have passed without one.
    static func next(milliseconds: Int) -> Int32? {
        var set = managedSet()
        var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        let signal = unsafe sigtimedwait(&set, nil, &time)
        return signal > 0 ? signal : nil
    }

    /// Makes `wake` interrupt a blocking call instead of ending the process; there is no SA_RESTART.
    static func prepareWake() {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in }
        unsafe sigaction(wake, &action, nil)
    }

    /// The set that holds `wake` alone.
    static func wakeSet() -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, wake)
        return set
    }

    private static func managedSet() -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in managed { unsafe sigaddset(&set, signal) }
        return set
    }
}

/// Milliseconds of the clock that no one can set, for deadlines.
enum Clock {
    static func milliseconds() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
