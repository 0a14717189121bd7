/// How far replication is behind, per backend: from what is not settled, never from all that is.
package struct ReplicationStatus: Sendable {
    /// One backend's part.
    package struct BackendPart: Sendable {
        package var record: BackendRecord
        /// Replicas that are still to be made there.
        package var behind: ReplicaSum
        /// Replicas that are still to be removed there.
        package var removing: ReplicaSum
        /// Since when the oldest copy waits; nil when none does.
        package var oldest: Timestamp?
        /// Copies on their way there that take the place of replicas elsewhere.
        package var moving: Int64
        /// What became present there in the last `rateMinutes`.
        package var lately: ReplicaSum
        package var deadJobs: Int64
        package var health: BackendHealth?

        /// Seconds until nothing is behind at the pace of the last minutes; nil when nothing is behind or moved, or what is
        /// behind waits for a person.
        package var secondsLeft: Int64? { oldest == nil ? nil : ReplicationStatus.secondsLeft(behind, lately) }
    }

    package static let rateMinutes: Int64 = 10

    package var backends: [BackendPart]
    /// Versions that lack a replica.
    package var versionsBehind: Int64
    package var deadJobs: Int64
    /// Buckets whose versions are being looked at again, with how many were looked at.
    package var replans: [ReplanProgress]

    package var behind: ReplicaSum { backends.reduce(ReplicaSum()) { $0 + $1.behind } }
    package var oldest: Timestamp? { backends.compactMap(\.oldest).min() }
    package var secondsLeft: Int64? {
        guard oldest != nil else { return nil }
        return Self.secondsLeft(behind, backends.reduce(ReplicaSum()) { $0 + $1.lately })
    }

    package init(_ sql: any SQLConnection, at now: Timestamp = .now()) throws(S3Error) {
        let health = Dictionary(try sql.backendHealth(at: now).map { ($0.backendID, $0) }) { first, _ in first }
        backends = []
        for record in try sql.backends() {
            let lately = try sql.progress(backendID: record.id, minutes: Self.rateMinutes, at: now)
            backends.append(
                BackendPart(
                    record: record, behind: try sql.pendingReplicas(backendID: record.id),
                    removing: try sql.removingReplicas(backendID: record.id),
                    oldest: try sql.oldestCopy(backendID: record.id), moving: try sql.openMoves(backendID: record.id),
                    lately: ReplicaSum(replicas: lately.replicas, bytes: lately.bytes),
                    deadJobs: try sql.deadJobs(backendID: record.id), health: health[record.id]))
        }
        versionsBehind = try sql.versionsBehind()
        deadJobs = backends.reduce(0) { $0 + $1.deadJobs }
        replans = try sql.replanProgress().filter { !$0.isDone }
    }

    /// The slower of the two: many small objects, or few large ones.
    static func secondsLeft(_ left: ReplicaSum, _ lately: ReplicaSum) -> Int64? {
        guard left.replicas > 0, lately.replicas > 0 else { return nil }
        let seconds = Double(rateMinutes * 60)
        let byCount = Double(left.replicas) / (Double(lately.replicas) / seconds)
        let byBytes = lately.bytes > 0 ? Double(left.bytes) / (Double(lately.bytes) / seconds) : 0
        return Int64(max(byCount, byBytes).rounded(.up))
    }
}
