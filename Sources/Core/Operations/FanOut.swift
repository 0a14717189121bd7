private import Glibc

/// Does one blocking thing for several inputs at once, on threads that live only as long as the work.
///
/// The calls must bound themselves: every backend call has its deadline, and the wait here ends with the last of them.
enum FanOut {
    private final class Work {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// The results' own slots: each is written by one thread and read after all were joined.
    private final class Slots<Output: Sendable>: Sendable {
        private let outputs: [OutputSlot<Output>]

        init(count: Int) { outputs = (0..<count).map { _ in OutputSlot() } }

        func fill(_ index: Int, _ output: Output) { outputs[index].value.withLock { $0 = output } }

        var filled: [Output] { outputs.compactMap { $0.value.withLock { $0 } } }
    }

    /// Returns the outputs in the order of the inputs.
    ///
    /// The first input is worked on by the calling thread.
    static func map<Input: Sendable, Output: Sendable>(
        _ inputs: [Input], _ body: @escaping @Sendable (Input) -> Output
    ) -> [Output] {
        guard let first = inputs.first else { return [] }
        guard inputs.count > 1 else { return [body(first)] }
        let slots = Slots<Output>(count: inputs.count)
        var threads: [pthread_t] = []
        for (index, input) in inputs.enumerated().dropFirst() {
            let work = Work { slots.fill(index, body(input)) }
            // Without a thread the work is done here, later instead of at once.
            if let thread = start(work) { threads.append(thread) } else { work.run() }
        }
        slots.fill(0, body(first))
        for thread in threads { pthread_join(thread, nil) }
        return slots.filled
    }

    private static func start(_ work: Work) -> pthread_t? {
        var thread = pthread_t()
        let retained = unsafe Unmanaged.passRetained(work)
        let status = unsafe pthread_create(&thread, nil, { unsafe FanOut.entry($0) }, retained.toOpaque())
        guard status == 0 else {
            unsafe retained.release()
            return nil
        }
        return thread
    }

    private static func entry(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        if let pointer = unsafe pointer { unsafe Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().run() }
        return nil
    }
}
