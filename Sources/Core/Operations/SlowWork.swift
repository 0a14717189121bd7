private import Glibc
import Synchronization

/// The head of an answer that may begin before its operation is done.
///
/// An operation allows it once everything that can be refused at once was refused, before the slow part: from then on the
/// client may be told 200, and a failure comes as an error document in the body, as on AWS.
package final class EarlyHead: Sendable {
    private let head = Mutex<ResponseHead?>(nil)

    func allow(_ head: ResponseHead) { self.head.withLock { $0 = head } }

    package var allowed: ResponseHead? { head.withLock { $0 } }
}

/// One operation on a thread of its own, so that the request's thread can speak to the client meanwhile.
final class SlowWork: Sendable {
    private let body: @Sendable () -> Void
    private let slot: OutputSlot<Result<Answer, S3Error>>
    private let end: Bell

    init(_ operation: @escaping @Sendable () throws(S3Error) -> Answer) {
        let slot = OutputSlot<Result<Answer, S3Error>>()
        let end = Bell()
        self.slot = slot
        self.end = end
        body = {
            let result: Result<Answer, S3Error>
            do throws(S3Error) { result = .success(try operation()) } catch { result = .failure(error) }
            slot.value.withLock { $0 = result }
            end.ring()
        }
    }

    /// Runs the operation and returns when it is over, whatever comes of the client.
    ///
    /// `isSilent` is called each time another `silenceMilliseconds` have passed. Without a thread the operation runs here,
    /// in silence.
    func run(silenceMilliseconds: Int64, isSilent: () -> Void) throws(S3Error) -> Answer {
        if let thread = start() {
            while !end.hasRung(within: silenceMilliseconds) { isSilent() }
            pthread_join(thread, nil)
        } else {
            body()
        }
        guard let result = slot.value.withLock({ $0 }) else {
            throw S3Error(.internalError, cause: "an operation ended without an answer")
        }
        return try result.get()
    }

    private func start() -> pthread_t? {
        var thread = pthread_t()
        let retained = unsafe Unmanaged.passRetained(self)
        let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
            if let pointer = unsafe pointer {
                unsafe Unmanaged<SlowWork>.fromOpaque(pointer).takeRetainedValue().body()
            }
            return nil
        }
        guard unsafe pthread_create(&thread, nil, entry, retained.toOpaque()) == 0 else {
            unsafe retained.release()
            return nil
        }
        return thread
    }
}

/// What one thread rings once and another waits for.
///
/// POSIX semaphores may be used by any threads at once (sem_overview(7)).
@safe private final class Bell: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe sem_init(semaphore, 0, 0)
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    func ring() { unsafe sem_post(semaphore) }

    /// Waits for the ring; false when the time is over first.
    ///
    /// The clock is the one that people set: a step of it makes one wait shorter or longer.
    func hasRung(within milliseconds: Int64) -> Bool {
        var deadline = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += Int(milliseconds / 1000)
        deadline.tv_nsec += Int(milliseconds % 1000) * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        while unsafe sem_timedwait(semaphore, &deadline) != 0 { guard errno == EINTR else { return false } }
        return true
    }
}
