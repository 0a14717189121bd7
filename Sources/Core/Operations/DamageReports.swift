import Logging
private import Synchronization

/// Tells the worker of replicas that a reader found missing or damaged.
///
/// A replica is reported at most once in `pauseSeconds` by a process, and a process writes `reportsPerPause` reports in
/// that time at most, so that a store that lost everything does not drown the database in them.
final class DamageReports: Sendable {
    static let pauseSeconds: Int64 = 60
    static let reportsPerPause = 100

    private struct Place: Hashable {
        let versionID: VersionID
        let backendID: Int64
    }

    private struct Memory {
        var since = Timestamp(milliseconds: 0)
        var reported: Set<Place> = []
    }

    private let memory = Mutex(Memory())
    private static let log = Logger(label: "s3gw.get")

    /// Tells whether this report is due, and counts it as made.
    func isDue(_ versionID: VersionID, backendID: Int64, at now: Timestamp = MonotonicClock.now()) -> Bool {
        memory.withLock { memory in
            if memory.reported.isEmpty || now.milliseconds - memory.since.milliseconds >= Self.pauseSeconds * 1000 {
                memory.since = now
                memory.reported.removeAll(keepingCapacity: true)
            }
            guard memory.reported.count < Self.reportsPerPause else { return false }
            return memory.reported.insert(Place(versionID: versionID, backendID: backendID)).inserted
        }
    }

    /// Asks for a job that verifies and repairs each of `replicas`, unless the version died meanwhile: then their bytes
    /// are gone for a reason.
    func report(_ replicas: [Replica], of version: ObjectVersion, _ call: Call) {
        let due = replicas.filter { isDue(version.id, backendID: $0.backendID) }
        guard !due.isEmpty else { return }
        do throws(S3Error) {
            let reported = try call.database.write { sql throws(S3Error) in
                guard try sql.isLive(version.id) else { return [Int64]() }
                let present = Set(try sql.replicas(of: version.id).filter { $0.state == .present }.map(\.backendID))
                let suspects = due.map(\.backendID).filter { present.contains($0) }
                for backendID in suspects {
                    try sql.insertJob(
                        kind: .verify, bucketID: version.bucketID, versionID: version.id, backendID: backendID,
                        notBefore: .now())
                }
                return suspects
            }
            for backendID in reported {
                let name = call.snapshot.backends[backendID]?.name ?? "\(backendID)"
                var metadata = call.logMetadata
                metadata["backend"] = "\(name)"
                metadata["version"] = "\(version.id)"
                Self.log.error("a replica is suspect", metadata: metadata)
            }
        } catch {
            Self.log.warning(
                "a suspect replica was not reported", metadata: call.logMetadata(cause: error.cause ?? error.message))
        }
    }
}
