import Core
import Glibc
import Logging
import Synchronization

/// A thread of the system that runs one closure.
enum Thread {
    /// Deep enough for the gateway's deepest parse and SQLite; the system gives memory only to what is touched.
    private static let stackBytes = 1 << 20

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts the thread, which inherits the blocked signals; nil and `errno` when there can be none.
    static func start(_ run: @escaping @Sendable () -> Void) -> pthread_t? {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setstacksize(&attributes, stackBytes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        let body = unsafe Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, &attributes,
            { raw in
                if let raw = unsafe raw { unsafe Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        guard code == 0 else {
            unsafe body.release()
            errno = code
            return nil
        }
        return thread
    }
}

/// The request threads of a process, and the one way to stop them.
final class RequestThreads {
    /// What the threads and their owner share.
    final class Shared: Sendable {
        /// Set once; a thread that sees it accepts nothing more.
        let isDraining = Atomic<Bool>(false)
        let running = Atomic<Int>(0)
        let turn = AcceptTurn()
    }

    /// How often threads in `accept` are woken until all have ended; a wake can fall just before the call it is for.
    private static let wakeIntervalMilliseconds = 2

    private let shared = Shared()
    private var threads: [pthread_t] = []

    func start(gateway: Gateway, sites: SiteParameters.Defaults, spool: String) -> Bool {
        let shared = shared
        shared.running.add(1, ordering: .relaxed)
        let thread = Thread.start {
            RequestThread.run(shared: shared, gateway: gateway, sites: sites, spool: spool)
            shared.running.subtract(1, ordering: .releasing)
        }
        guard let thread else {
            shared.running.subtract(1, ordering: .relaxed)
            return false
        }
        threads.append(thread)
        return true
    }

    /// Called every `AcceptTurn.patienceMilliseconds` or so.
    func tick() { shared.turn.passOnIfStuck(at: Clock.milliseconds()) }

    /// Ends all threads after the requests they hold; returns how many were still at work when the time was over.
    func stop(timeoutMilliseconds: Int) -> Int {
        shared.isDraining.store(true, ordering: .releasing)
        let deadline = Clock.milliseconds() + timeoutMilliseconds
        while shared.running.load(ordering: .acquiring) > 0, Clock.milliseconds() < deadline {
            // A thread that ended stays a valid target until it is joined.
            for thread in threads { pthread_kill(thread, Signals.wake) }
            shared.turn.wakeAll()
            usleep(UInt32(Self.wakeIntervalMilliseconds * 1000))
        }
        let left = shared.running.load(ordering: .acquiring)
        guard left == 0 else { return left }
        for thread in threads { pthread_join(thread, nil) }
        return 0
    }
}

/// One thread's life: accept, answer, finish, until the process drains.
enum RequestThread {
    /// A peer that sends nothing, or takes nothing, for this long is gone.
    ///
    /// nginx's own timeouts are shorter.
    private static let socketTimeoutSeconds = 120
    /// The pause when the process has no descriptor or memory left for a connection.
    private static let shortagePauseMicroseconds: UInt32 = 20_000

    static func run(
        shared: RequestThreads.Shared, gateway: Gateway, sites: SiteParameters.Defaults, spool: String
    ) {
        let log = Logger(label: "s3gw.requests")
        let seat = AcceptTurn.Seat()
        var slot = FastCGISlot { shared.turn.release(seat) }
        var reader = RequestReader(sites: SiteParameters(defaults: sites), spool: BodySpool(directory: spool))
        while shared.turn.take(seat), let connection = accept(shared, log) {
            shared.turn.accepted(at: Clock.milliseconds())
            guard slot.begin(connection) else { continue }
            switch reader.read(&slot) {
            case .request(let request): gateway.serve(request, on: &slot)
            case .refusal(let error, let rawPath, let id): gateway.refuse(error, rawPath: rawPath, id: id, on: &slot)
            }
            slot.finish()
            reader.finish()
        }
        // The others have to see that the process drains.
        shared.turn.release(seat)
    }

    /// Waits for a connection; nil when the process drains.
    ///
    /// One thread of each process waits in `accept` on the one socket: the kernel wakes one of them for each connection.
    /// Only here is the wake signal let through.
    private static func accept(_ shared: RequestThreads.Shared, _ log: Logger) -> Int32? {
        var wake = Signals.wakeSet()
        unsafe pthread_sigmask(SIG_UNBLOCK, &wake, nil)
        defer { unsafe pthread_sigmask(SIG_BLOCK, &wake, nil) }
        while !shared.isDraining.load(ordering: .acquiring) {
            let connection = Glibc.accept(ChildProcess.Descriptor.listen, nil, nil)
            guard connection < 0 else {
                setDeadlines(connection)
                return connection
            }
            switch errno {
            case EINTR, ECONNABORTED, EAGAIN: continue
            default:
                log.error("cannot accept a connection", metadata: ["error": "\(SystemError.text(errno))"])
                usleep(shortagePauseMicroseconds)
            }
        }
        return nil
    }

    private static func setDeadlines(_ connection: Int32) {
        var limit = timeval(tv_sec: socketTimeoutSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        unsafe setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }
}
