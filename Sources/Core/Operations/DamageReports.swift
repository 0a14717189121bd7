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
        /// Which of them gave bytes to a client that had to be cut off.
        var spoilers: Set<Place> = []
    }

    private let memory = Mutex(Memory())
    /// Whether there have ever been spoilers, which is seldom.
    private let hasSpoilers = Atomic<Bool>(false)
    private static let log = Logger(label: "s3gw.get")

    /// Tells whether this report is due, and counts it as made.
    func isDue(_ versionID: VersionID, backendID: Int64, at now: Timestamp = MonotonicClock.now()) -> Bool {
        memory.withLock { memory in
            if memory.reported.isEmpty || now.milliseconds - memory.since.milliseconds >= Self.pauseSeconds * 1000 {
                memory.since = now
                memory.reported.removeAll(keepingCapacity: true)
                memory.spoilers.removeAll(keepingCapacity: true)
            }
            guard memory.reported.count < Self.reportsPerPause else { return false }
            return memory.reported.insert(Place(versionID: versionID, backendID: backendID)).inserted
        }
    }

    /// Remembers that wrong bytes of `replicas` went to a client.
    func note(spoilers replicas: [Replica], of versionID: VersionID) {
        let places = replicas.map { Place(versionID: versionID, backendID: $0.backendID) }
        // One that is not remembered as reported would stay for ever.
        memory.withLock { memory in memory.spoilers.formUnion(memory.reported.intersection(places)) }
        hasSpoilers.store(true, ordering: .relaxed)
    }

    /// Returns `readable` with those last that have spoiled a read lately: the client that was cut off asks again, and the
    /// worker may not have come to verify them yet.
    func spoilersLast(
        _ readable: [(Replica, LiveBackend)], of versionID: VersionID, at now: Timestamp = MonotonicClock.now()
    ) -> [(Replica, LiveBackend)] {
        guard hasSpoilers.load(ordering: .relaxed), readable.count > 1 else { return readable }
        let spoilers = memory.withLock { memory in
            now.milliseconds - memory.since.milliseconds < Self.pauseSeconds * 1000 ? memory.spoilers : []
        }
        let isSpoiler = { (replica: Replica) in
            spoilers.contains(Place(versionID: versionID, backendID: replica.backendID))
        }
        return readable.filter { !isSpoiler($0.0) } + readable.filter { isSpoiler($0.0) }
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
