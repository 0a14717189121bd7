import Core
import Glibc
import Synchronization

/// The thread of a request process that keeps its view of the backends' health.
final class HealthThread {
    private static let napMilliseconds = 50
    private static let stopMilliseconds = 500

    private final class Shared: Sendable {
        let isStopping = Atomic<Bool>(false)
        let hasEnded = Atomic<Bool>(false)
    }

    private let shared = Shared()
    private let world: World
    private var thread: pthread_t?

    init(world: World) { self.world = world }

    /// False and `errno` when there can be no thread.
    func start() -> Bool {
        let shared = shared
        let world = world
        thread = Thread.start {
            var keeper = HealthKeeper(world: world, reporter: Self.name)
            var due = MonotonicClock.milliseconds() + Int64(HealthKeeper.tickMilliseconds)
            while !shared.isStopping.load(ordering: .acquiring) {
                usleep(UInt32(Self.napMilliseconds * 1000))
                guard MonotonicClock.milliseconds() >= due else { continue }
                keeper.tick()
                due = MonotonicClock.milliseconds() + Int64(HealthKeeper.tickMilliseconds)
            }
            shared.hasEnded.store(true, ordering: .releasing)
        }
        return thread != nil
    }

    /// Ends the thread; false when it is busy with a backend that does not answer.
    func stop() -> Bool {
        shared.isStopping.store(true, ordering: .releasing)
        let deadline = MonotonicClock.milliseconds() + Int64(Self.stopMilliseconds)
        while !shared.hasEnded.load(ordering: .acquiring) {
            guard MonotonicClock.milliseconds() < deadline else { return false }
            usleep(UInt32(Self.napMilliseconds * 100))
        }
        if let thread { pthread_join(thread, nil) }
        return true
    }

    /// `host:pid`.
    private static var name: String {
        var buffer = [CChar](repeating: 0, count: 256)
        let isKnown = unsafe gethostname(&buffer, buffer.count - 1) == 0
        let host =
            isKnown ? String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : "host"
        return "\(host):\(getpid())"
    }
}
