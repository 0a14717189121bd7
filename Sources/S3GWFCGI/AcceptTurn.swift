import Glibc
import Synchronization

/// Whose turn it is, among the request threads of a process, to wait in `accept`.
///
/// One at a time, and it keeps the turn from one short request to the next: its stack, its memory and its statements are
/// warm, and nobody has to be woken. Before a request that may take long the turn goes on to the thread that had it last.
/// A thread that did not say so in time loses it (`passOnIfStuck`).
final class AcceptTurn: Sendable {
    /// How long the holder may be away from `accept` before the turn goes on without it.
    static let patienceMilliseconds = 100

    private struct State {
        /// Which turn this is; nil while nobody has it.
        var current: Int?
        var last = 0
        /// When the holder came back from `accept`, in milliseconds of `Clock`; nil while it waits there.
        var busySince: Int?
        /// Those without a turn; the last one is the next.
        var waiting: [Seat] = []

        mutating func pass(to seat: Seat?) {
            busySince = nil
            guard let seat else { return current = nil }
            last += 1
            current = last
            seat.turn = last
        }
    }

    private let state = Mutex(State())

    /// Waits for a turn before `accept`; false when `seat` was woken without one, because the process drains.
    func take(_ seat: Seat) -> Bool {
        let hasTurn = state.withLock { state in
            if state.current == seat.turn, seat.turn != nil {
                state.busySince = nil
                return true
            }
            seat.turn = nil
            if state.current == nil { state.pass(to: seat) } else { state.waiting.append(seat) }
            return seat.turn != nil
        }
        if hasTurn { return true }
        seat.wait()
        return state.withLock { state in
            state.waiting.removeAll { $0 === seat }
            return seat.turn != nil
        }
    }

    /// A connection was accepted: from now on the turn may be lost.
    func accepted(at milliseconds: Int) { state.withLock { $0.busySince = milliseconds } }

    /// Gives the turn on, if `seat` still has it.
    func release(_ seat: Seat) {
        let next = state.withLock { state -> Seat? in
            guard let turn = seat.turn else { return nil }
            seat.turn = nil
            guard state.current == turn else { return nil }
            let next = state.waiting.popLast()
            state.pass(to: next)
            return next
        }
        next?.wake()
    }

    /// Gives the turn on when its holder has been busy for longer than it should; called now and then.
    func passOnIfStuck(at milliseconds: Int) {
        let next = state.withLock { state -> Seat? in
            guard let since = state.busySince, milliseconds - since > Self.patienceMilliseconds else { return nil }
            let next = state.waiting.popLast()
            state.pass(to: next)
            return next
        }
        next?.wake()
    }

    /// Wakes all who wait, so that they see that the process drains.
    func wakeAll() { state.withLock { state in for seat in state.waiting { seat.wake() } } }
}

extension AcceptTurn {
    /// A thread's place in the line.
    @safe final class Seat: @unchecked Sendable {
        /// Read and written under the lock of the line only.
        fileprivate var turn: Int?
        private let semaphore: UnsafeMutablePointer<sem_t>

        init() {
            unsafe semaphore = .allocate(capacity: 1)
            unsafe sem_init(semaphore, 0, 0)
        }

        deinit {
            unsafe sem_destroy(semaphore)
            unsafe semaphore.deallocate()
        }

        fileprivate func wake() { unsafe sem_post(semaphore) }

        fileprivate func wait() { while unsafe sem_wait(semaphore) != 0, errno == EINTR {} }
    }
}
