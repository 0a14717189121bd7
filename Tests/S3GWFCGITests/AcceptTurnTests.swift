import Glibc
import Synchronization
import Testing

@testable import S3GWFCGI

/// One thread at a time waits in `accept`, and never none for long.
struct AcceptTurnTests {
    private final class Log: Sendable {
        private let names = Mutex<[String]>([])
        func add(_ name: String) { names.withLock { $0.append(name) } }
        var all: [String] { names.withLock { $0 } }
    }

    /// Runs `body` on a thread and returns a function that waits for its end.
    private func start(_ body: @escaping @Sendable () -> Void) throws -> () -> Void {
        let thread = try #require(Thread.start(body))
        return { pthread_join(thread, nil) }
    }

    private func waitUntil(_ condition: () -> Bool) {
        for _ in 0..<5_000 where !condition() { usleep(1_000) }
        #expect(condition())
    }

    @Test func `a turn is kept until it is given on, and goes to the one that waits`() throws {
        let turn = AcceptTurn()
        let log = Log()
        let first = AcceptTurn.Seat()
        #expect(turn.take(first))
        let join = try start {
            log.add("asks")
            #expect(turn.take(AcceptTurn.Seat()))
            log.add("has")
        }
        waitUntil { log.all == ["asks"] }
        turn.accepted(at: 0)
        #expect(turn.take(first))
        #expect(log.all == ["asks"])
        turn.accepted(at: 0)
        turn.release(first)
        join()
        #expect(log.all == ["asks", "has"])
    }

    @Test func `the one that waits for the shortest time is next`() throws {
        let turn = AcceptTurn()
        let log = Log()
        let holder = AcceptTurn.Seat()
        #expect(turn.take(holder))
        var joins: [() -> Void] = []
        for name in ["one", "two"] {
            joins.append(
                try start {
                    let seat = AcceptTurn.Seat()
                    log.add("\(name) asks")
                    #expect(turn.take(seat))
                    log.add("\(name) has")
                    turn.release(seat)
                })
            waitUntil { log.all.contains("\(name) asks") }
            usleep(50_000)
        }
        turn.release(holder)
        for join in joins { join() }
        #expect(log.all == ["one asks", "two asks", "two has", "one has"])
    }

    @Test func `who is away for too long loses the turn, and gets another one later`() throws {
        let turn = AcceptTurn()
        let holder = AcceptTurn.Seat()
        #expect(turn.take(holder))
        turn.passOnIfStuck(at: 1_000_000)
        let log = Log()
        let join = try start {
            let seat = AcceptTurn.Seat()
            #expect(turn.take(seat))
            log.add("has")
            turn.release(seat)
        }
        usleep(20_000)
        #expect(log.all.isEmpty, "nobody loses a turn while waiting in accept")
        turn.accepted(at: 1_000)
        turn.passOnIfStuck(at: 1_000 + AcceptTurn.patienceMilliseconds)
        usleep(20_000)
        #expect(log.all.isEmpty)
        turn.passOnIfStuck(at: 1_001 + AcceptTurn.patienceMilliseconds)
        join()
        #expect(log.all == ["has"])
        turn.release(holder)
        #expect(turn.take(holder))
    }

    @Test func `all who wait are woken when the process drains`() throws {
        let turn = AcceptTurn()
        #expect(turn.take(AcceptTurn.Seat()))
        let ended = Log()
        let joins = try (0..<3).map { number in
            try start {
                #expect(!turn.take(AcceptTurn.Seat()))
                ended.add("\(number)")
            }
        }
        waitUntil {
            turn.wakeAll()
            return ended.all.count == 3
        }
        for join in joins { join() }
    }
}
