import Synchronization

/// What a worker has done since it began.
package final class WorkerCounts: Sendable {
    package struct Values: Sendable, Equatable {
        package var copied = 0
        package var copiedBytes: Int64 = 0
        package var removed = 0
        package var bucketsRemoved = 0
        /// Places of multipart uploads that were cleared.
        package var uploadsEnded = 0
        /// Versions and uploads that lifecycle rules ended.
        package var expired = 0
        /// Of those copied: replicas that took the place of others.
        package var moved = 0
        /// Copies that have to go elsewhere.
        package var redirected = 0
        /// Replicas that were read in full and are right.
        package var verified = 0
        /// Replicas that were read in full and are missing or wrong.
        package var damaged = 0
        /// Damaged replicas in whose place a good copy stands now.
        package var repaired = 0
        /// Versions that were looked at because policy or backends changed.
        package var replanned = 0
        package var obsolete = 0
        package var retried = 0
        package var buried = 0
        package var abandoned = 0
        /// Replicas that were asked for their bytes and did not give the right ones.
        package var badSources = 0

        package init() {}

        package var isEmpty: Bool { self == Values() }

        func since(_ earlier: Values) -> Values {
            var news = self
            news.copied -= earlier.copied
            news.copiedBytes -= earlier.copiedBytes
            news.removed -= earlier.removed
            news.bucketsRemoved -= earlier.bucketsRemoved
            news.uploadsEnded -= earlier.uploadsEnded
            news.expired -= earlier.expired
            news.moved -= earlier.moved
            news.redirected -= earlier.redirected
            news.verified -= earlier.verified
            news.damaged -= earlier.damaged
            news.repaired -= earlier.repaired
            news.replanned -= earlier.replanned
            news.obsolete -= earlier.obsolete
            news.retried -= earlier.retried
            news.buried -= earlier.buried
            news.abandoned -= earlier.abandoned
            news.badSources -= earlier.badSources
            return news
        }

        /// `copied 3 (12 bytes), removed 1`, only what is not 0.
        package var text: String {
            let parts = [
                (copied, "copied \(copied) (\(copiedBytes) bytes)"), (moved, "moved \(moved) of them"),
                (removed, "removed \(removed)"),
                (bucketsRemoved, "removed \(bucketsRemoved) buckets"),
                (uploadsEnded, "ended \(uploadsEnded) uploads"), (expired, "expired \(expired)"),
                (redirected, "redirected \(redirected)"),
                (verified, "verified \(verified)"), (damaged, "damaged \(damaged)"), (repaired, "repaired \(repaired)"),
                (replanned, "replanned \(replanned)"),
                (obsolete, "obsolete \(obsolete)"), (retried, "to be retried \(retried)"),
                (buried, "given up \(buried)"),
                (abandoned, "abandoned \(abandoned)"), (badSources, "bad sources \(badSources)"),
            ].filter { $0.0 > 0 }.map(\.1)
            return parts.isEmpty ? "nothing to do" : parts.joined(separator: ", ")
        }
    }

    private let values = Mutex(Values())

    package init() {}

    func add(_ change: (inout Values) -> Void) { values.withLock { change(&$0) } }

    package var current: Values { values.withLock { $0 } }

    func count(_ done: JobOutcome.Done) {
        add { values in
            switch done {
            case .copied: values.copied += 1
            case .removed: values.removed += 1
            case .bucketRemoved: values.bucketsRemoved += 1
            case .uploadEnded: values.uploadsEnded += 1
            case .expired: values.expired += 1
            case .moved:
                values.copied += 1
                values.moved += 1
            case .redirected: values.redirected += 1
            case .verified: values.verified += 1
            case .condemned: break
            case .obsolete: values.obsolete += 1
            }
        }
    }
}
