#if S3GW_PLANTED_BUGS
    private import Glibc

    /// Bugs on purpose: each must be caught by the fault suite (Tests/Faults), or that suite shows nothing.
    ///
    /// Only in a build with `-D S3GW_PLANTED_BUGS`, where the environment variable `PLANTED_BUG` turns one on; what is
    /// shipped does not contain them.
    package enum PlantedBug: String {
        case acknowledgeBeforeCommit = "acknowledge-before-commit"
        case skipLengthCheck = "skip-length-check"
        case synchronousNormal = "synchronous-normal"
        case noFencing = "no-fencing"
        case ignoreResidency = "ignore-residency"
        case skipBodyCheck = "skip-body-check"
        case copyAnyVersion = "copy-any-version"
        case partOffByOne = "part-off-by-one"
        case lostTags = "lost-tags"
        case unsyncedDirectories = "unsynced-directories"
        case skewedIsMissing = "skewed-is-missing"

        private static let chosen = unsafe getenv("PLANTED_BUG").map { unsafe String(cString: $0) }

        package var isOn: Bool { Self.chosen == rawValue }

        /// True on a thread that `later` began.
        package static var isLate: Bool { unsafe pthread_getspecific(lateKey) != nil }

        private static let lateKey: pthread_key_t = {
            var key = pthread_key_t()
            unsafe pthread_key_create(&key, nil)
            return key
        }()

        private static let delayMicroseconds: UInt32 = 50_000

        private final class Work {
            let body: @Sendable () -> Void

            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }

        /// Runs `body` on a thread of its own, a moment later.
        package static func later(_ body: @escaping @Sendable () -> Void) {
            var thread = pthread_t()
            let work = unsafe Unmanaged.passRetained(Work(body))
            unsafe pthread_create(&thread, nil, { unsafe PlantedBug.entry($0) }, work.toOpaque())
            pthread_detach(thread)
        }

        private static func entry(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
            usleep(delayMicroseconds)
            unsafe pthread_setspecific(lateKey, pointer)
            if let pointer = unsafe pointer { unsafe Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().body() }
            return nil
        }
    }
#endif
