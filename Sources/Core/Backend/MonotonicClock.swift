private import Glibc

/// A clock that never steps; comparable within this boot only.
package enum MonotonicClock {
    package static func milliseconds() -> Int64 { microseconds() / 1000 }

    package static func microseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    package static func now() -> Timestamp { Timestamp(milliseconds: milliseconds()) }
}
