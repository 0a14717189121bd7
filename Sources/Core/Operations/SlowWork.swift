private import CLinux
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

    init(_ operation: @escaping @Sendable () throws(S3Error) -> Answer) {
        let slot = OutputSlot<Result<Answer, S3Error>>()
        self.slot = slot
        body = {
            let result: Result<Answer, S3Error>
            do throws(S3Error) { result = .success(try operation()) } catch { result = .failure(error) }
            slot.value.withLock { $0 = result }
        }
    }

    /// Runs the operation and returns when it is over, whatever comes of the client.
    ///
    /// `isSilent` is called each time another `silenceMilliseconds` have passed. Without a thread the operation runs here,
    /// in silence.
    func run(silenceMilliseconds: Int64, isSilent: () -> Void) throws(S3Error) -> Answer {
        if let thread = start() {
            var deadline = MonotonicClock.milliseconds() + silenceMilliseconds
            while !Self.join(thread, until: deadline) {
                isSilent()
                deadline = MonotonicClock.milliseconds() + silenceMilliseconds
            }
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

    /// Waits for the end of the thread; false when `deadline`, in milliseconds of the monotonic clock, comes first.
    private static func join(_ thread: pthread_t, until deadline: Int64) -> Bool {
        var time = timespec(tv_sec: Int(deadline / 1000), tv_nsec: Int(deadline % 1000) * 1_000_000)
        return unsafe pthread_clockjoin_np(thread, nil, CLOCK_MONOTONIC, &time) != ETIMEDOUT
    }
}
