private import Glibc

/// Threads that begin together and are joined together.
enum ThreadGroup {
    private final class Work {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs each of `bodies` on a thread of its own and returns when all have ended.
    ///
    /// When a thread cannot be made, `onFailure` is called, which has to make the others end, and then this throws
    /// `InternalError`.
    static func run(_ bodies: [@Sendable () -> Void], onFailure: () -> Void) throws(S3Error) {
        var threads: [pthread_t] = []
        var failure: S3Error?
        for body in bodies {
            var thread = pthread_t()
            let status = start(Work(body), as: &thread)
            guard status == 0 else {
                failure = S3Error(.internalError, cause: "cannot make a thread: \(SystemError.text(status))")
                onFailure()
                break
            }
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
        if let failure { throw failure }
    }

    /// Runs `body` on a thread of its own that nobody waits for; false when there can be none.
    static func detach(_ body: @escaping @Sendable () -> Void) -> Bool {
        var thread = pthread_t()
        guard start(Work(body), as: &thread) == 0 else { return false }
        pthread_detach(thread)
        return true
    }

    private static func start(_ work: Work, as thread: inout pthread_t) -> Int32 {
        let retained = unsafe Unmanaged.passRetained(work)
        let status = unsafe pthread_create(
            &thread, nil,
            { pointer in
                guard let pointer = unsafe pointer else { return nil }
                unsafe Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().run()
                return nil
            }, retained.toOpaque())
        if status != 0 { unsafe retained.release() }
        return status
    }
}
