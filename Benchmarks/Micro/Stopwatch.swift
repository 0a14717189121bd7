import Glibc

/// CPU time of the calling thread.
enum Stopwatch {
    static let rounds = 5

    /// Returns the microseconds of one call of `body`: the median of five rounds of `count` calls.
    static func microseconds(count: Int, _ body: () -> Void) -> Double {
        var results: [Double] = []
        for _ in 0..<rounds {
            let start = now()
            for _ in 0..<count { body() }
            results.append((now() - start) / Double(count))
        }
        return results.sorted()[rounds / 2]
    }

    static func line(_ name: String, _ value: Double, _ unit: String) -> String {
        let rounded = (value * 100).rounded() / 100
        return "\(name): \(rounded) \(unit)"
    }

    private static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }
}
