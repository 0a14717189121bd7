/// Why a PUT goes where it goes: the placement function's own words.
package struct WriteExplanation: Sendable {
    package var policy: EffectivePolicy
    package var decision: PlacementDecision
    package var backends: [(candidate: PlacementCandidate, verdict: PlacementVerdict)]

    /// `health` is what all processes have written down; each process also goes by its own experience.
    package init(
        _ bucket: Bucket, tags: [Tag], sizeBytes: Int64, _ snapshot: WorldSnapshot, health: [BackendHealth]
    ) throws(S3Error) {
        let sick = Set(health.filter(\.keepsTrafficOff).map(\.backendID))
        policy = try snapshot.policy(for: bucket, tags: tags)
        let candidates = snapshot.candidates().map {
            sick.contains($0.backendID) ? $0.with(isHealthy: false) : $0
        }
        decision = Placement.decide(policy, candidates: candidates, sizeBytes: sizeBytes)
        backends = Placement.explain(policy, candidates: candidates, sizeBytes: sizeBytes)
    }
}

/// From where a GET is answered: the read order, and why the other replicas are not in it.
package struct ReadExplanation: Sendable {
    package struct Source: Sendable {
        package var replica: Replica
        package var backend: BackendRecord?
        /// 1 for the first that is asked; nil when it is not asked.
        package var rank: Int?
        package var reason: String
    }

    package var version: ObjectVersion
    package var sources: [Source]

    /// Nil when there is nothing to read: no such key, or a delete marker.
    ///
    /// `near` is what is near to the site that is asked.
    package init?(
        _ bucket: Bucket, _ key: ObjectKey, _ reference: VersionReference?, near: [LocationSelector], _ world: World,
        health: [BackendHealth]
    ) throws(S3Error) {
        let found = try world.database.read { sql throws(S3Error) -> (ObjectVersion, [Replica])? in
            let version: ObjectVersion?
            if let reference {
                version = try sql.version(bucketID: bucket.id, key: key, reference)
            } else {
                version = try sql.currentVersion(bucketID: bucket.id, key: key)
            }
            guard let version, !version.isDeleteMarker else { return nil }
            return (version, try sql.replicas(of: version.id))
        }
        guard let (version, replicas) = found else { return nil }
        let snapshot = try world.snapshot()
        let sick = Set(health.filter(\.keepsTrafficOff).map(\.backendID))
        let order = snapshot.readable(replicas.filter { $0.state == .present }, near: near).map(\.0.backendID)
        self.version = version
        sources = replicas.map { replica in
            let record = snapshot.backends[replica.backendID]?.backend.record
            let rank = order.firstIndex(of: replica.backendID).map { $0 + 1 }
            var reason = Self.reason(replica, record, rank)
            if rank != nil && sick.contains(replica.backendID) { reason += "; not well lately" }
            return Source(replica: replica, backend: record, rank: rank, reason: reason)
        }.sorted { ($0.rank ?? .max, $0.replica.backendID) < ($1.rank ?? .max, $1.replica.backendID) }
    }

    private static func reason(_ replica: Replica, _ record: BackendRecord?, _ rank: Int?) -> String {
        guard let record else { return "its backend is gone" }
        switch replica.state {
        case .pending: return "the worker has still to make it"
        case .removing: return "it is being removed"
        case .damaged: return "its bytes are missing or wrong, and are being replaced"
        case .present:
            if rank == 1 { return "asked first" }
            if rank != nil { return "asked when those before it fail" }
            return "its backend is \(record.state.rawValue)"
        }
    }
}

extension BackendHealth {
    /// Whether the processes that reported leave it alone, or the worker's checks fail.
    package var keepsTrafficOff: Bool { !isHealthy || (processes > 0 && openBreakers == processes) }
}
