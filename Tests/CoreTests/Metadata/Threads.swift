import Foundation
import Synchronization

/// Blocking threads for tests, as the pool's processes have them.
enum Threads {
    /// Runs `body` on `count` threads at once, waits for all, and returns what they threw.
    static func run(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) -> [String] {
        let box = FailureBox()
        let group = DispatchGroup()
        for number in 0..<count {
            group.enter()
            let thread = Thread {
                do { try body(number) } catch { box.add("\(error)") }
                group.leave()
            }
            thread.start()
        }
        group.wait()
        return box.all
    }

    private final class FailureBox: Sendable {
        private let failures = Mutex<[String]>([])
        func add(_ failure: String) { failures.withLock { $0.append(failure) } }
        var all: [String] { failures.withLock { $0 } }
    }
}
