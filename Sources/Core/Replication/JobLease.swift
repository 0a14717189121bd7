import Logging
import Synchronization

/// The claim of this process on one job, as far as it knows.
package final class JobLease: Sendable {
    package let job: Job
    private let lost = Atomic<Bool>(false)

    package init(_ job: Job) { self.job = job }

    /// True once another worker may have the job: nothing may be committed for it any more.
    package var isLost: Bool { lost.load(ordering: .acquiring) }

    func markLost() {
        #if S3GW_PLANTED_BUGS
            if PlantedBug.noFencing.isOn { return }
        #endif
        lost.store(true, ordering: .releasing)
    }
}

/// Renews the leases of the jobs in hand while their threads copy.
package final class LeaseKeeper: Sendable {
    private let database: Database
    private let leaseSeconds: Int
    private let held = Mutex<[Int64: JobLease]>([:])
    private let log = Logger(label: "s3gw.worker")

    /// A lease is renewed this many times before it would end.
    private static let renewalsPerLease = 3

    package init(database: Database, leaseSeconds: Int) {
        self.database = database
        self.leaseSeconds = leaseSeconds
    }

    package func hold(_ lease: JobLease) { held.withLock { $0[lease.job.id] = lease } }

    package func release(_ lease: JobLease) { held.withLock { _ = $0.removeValue(forKey: lease.job.id) } }

    /// How long to wait between two calls of `renew`.
    package var intervalMilliseconds: Int { leaseSeconds * 1000 / Self.renewalsPerLease }

    /// How far the clocks of workers may differ before the leases of one look impossible to another.
    private static let clockDifferenceSeconds: Int64 = 60

    /// Frees the jobs whose worker claimed them while its clock was ahead: it may be gone, and their leases would run until
    /// that time comes.
    package func endImpossibleLeases(at now: Timestamp) throws(S3Error) {
        let longest = now.adding(seconds: 2 * Int64(leaseSeconds) + Self.clockDifferenceSeconds)
        let count = try database.write { sql throws(S3Error) in try sql.endLeases(beyond: longest, at: now) }
        if count > 0 { log.warning("leases from the future ended", metadata: ["jobs": "\(count)"]) }
    }

    /// Renews every lease once; one that belongs to another worker by now is marked as lost.
    package func renew(at now: Timestamp) {
        let leases = held.withLock { Array($0.values) }
        guard !leases.isEmpty else { return }
        let until = now.adding(seconds: Int64(leaseSeconds))
        do throws(S3Error) {
            let gone = try database.write { sql throws(S3Error) in
                var gone: [Int64] = []
                for lease in leases where try !sql.extendLease(id: lease.job.id, fence: lease.job.fence, until: until) {
                    gone.append(lease.job.id)
                }
                return gone
            }
            for lease in leases where gone.contains(lease.job.id) { lease.markLost() }
        } catch {
            // The leases still run; if the database stays away they end, and the fence keeps old claims out.
            log.warning("leases not renewed", metadata: ["cause": "\(error.cause ?? error.message)"])
        }
    }
}
