import Glibc

/// Runs one body on several threads at once and waits for all of them.
enum Threads {
    private final class Work: Sendable {
        let number: Int
        let body: @Sendable (Int) -> Void

        init(_ number: Int, _ body: @escaping @Sendable (Int) -> Void) {
            self.number = number
            self.body = body
        }
    }

    static func run(_ count: Int, _ body: @escaping @Sendable (_ thread: Int) -> Void) {
        let threads = (0..<count).map { number in
            var thread = pthread_t()
            let work = unsafe Unmanaged.passRetained(Work(number, body)).toOpaque()
            let code = unsafe pthread_create(
                &thread, nil,
                { work in
                    guard let work = unsafe work else { return nil }
                    let own = unsafe Unmanaged<Work>.fromOpaque(work).takeRetainedValue()
                    own.body(own.number)
                    return nil
                }, work)
            require(code == 0, "a thread could be started")
            return thread
        }
        for thread in threads { pthread_join(thread, nil) }
    }
}
