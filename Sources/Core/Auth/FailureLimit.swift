private import Glibc
private import Synchronization

/// Counts failed authentications by client address and by access key id, so that guessing and its noise stay cheap
/// (SECURITY.md 16).
///
/// Only failures come here: a request that is signed rightly always passes, from any address and with any key, so nobody
/// can lock a tenant out. The counters are a table of fixed size under a hash that no client knows: made-up key ids and
/// addresses can neither grow nor empty it. At worst, two that fail share a counter.
package final class FailureLimit: Sendable {
    package enum Verdict: Equatable {
        case within
        /// Too many from the same address or with the same key; they are forgotten in so many seconds, 1...60.
        case above(retryAfterSeconds: Int)
    }

    /// What was not logged one by one in a window that is over.
    package struct Summary: Equatable, Sendable {
        package var count = 0
        /// Of the first of them.
        package var address = ""
        /// As the client gave it; empty when it gave none.
        package var accessKeyID = ""
    }

    package static let windowMilliseconds: Int64 = 60_000
    package static let defaultMaximum = 1000
    /// Counters each for addresses and for keys: 64 KiB together.
    static let counterCount = 8192

    private struct State {
        var windowStart: Int64?
        var byAddress = [UInt32](repeating: 0, count: counterCount)
        var byKey = [UInt32](repeating: 0, count: counterCount)
        var suppressed = Summary()
    }

    /// In one window, for one address and for one key; 0 is no limit.
    private let maximum: Int
    private let state = Mutex(State())

    package init(maximum: Int) { self.maximum = maximum }

    /// Counts one failure at `now`, in milliseconds of a clock that never goes back; an empty `accessKeyID` counts for the
    /// address only.
    package func count(address: String, accessKeyID: String, now: Int64) -> Verdict {
        guard maximum > 0 else { return .within }
        let place = Self.place(of: Self.network(address))
        let keyPlace = accessKeyID.isEmpty ? nil : Self.place(of: Array(accessKeyID.utf8))
        return state.withLock { state in
            let start = Self.open(&state, now)
            // What is above the limit for its address does not count for the key that it names.
            guard state.byAddress[place] < maximum, keyPlace.map({ state.byKey[$0] < maximum }) != false else {
                if state.suppressed.count == 0 {
                    (state.suppressed.address, state.suppressed.accessKeyID) = (address, accessKeyID)
                }
                state.suppressed.count += 1
                let left = start + Self.windowMilliseconds - now
                return .above(retryAfterSeconds: Int((left + 999) / 1000))
            }
            state.byAddress[place] += 1
            if let keyPlace { state.byKey[keyPlace] += 1 }
            return .within
        }
    }

    /// Returns, once for each window that is over at `now`, what was suppressed in it; nil when nothing was.
    package func summary(now: Int64) -> Summary? {
        state.withLock { state in
            guard let start = state.windowStart, now >= start + Self.windowMilliseconds, state.suppressed.count > 0
            else { return nil }
            defer { state.suppressed = Summary() }
            return state.suppressed
        }
    }

    /// Begins a new window when the last one is over; what was suppressed stays until it is told.
    private static func open(_ state: inout State, _ now: Int64) -> Int64 {
        if let start = state.windowStart, now < start + windowMilliseconds { return start }
        for index in 0..<counterCount { (state.byAddress[index], state.byKey[index]) = (0, 0) }
        state.windowStart = now
        return now
    }

    /// Swift seeds its hashes anew in each process.
    private static func place(of bytes: [UInt8]) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes)
        return Int(UInt(bitPattern: hasher.finalize()) % UInt(counterCount))
    }

    /// What one client has at its disposal: an IPv4 address, also one in IPv6's clothes, or the /64 of an IPv6 address
    /// (RFC 6177); what is no address stands for itself.
    static func network(_ address: String) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard unsafe inet_pton(AF_INET6, address, &bytes) == 1 else { return Array(address.utf8) }
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        guard bytes.starts(with: mapped) else { return Array(bytes.prefix(8)) }
        return Array(bytes[12...].map { String($0) }.joined(separator: ".").utf8)
    }
}
