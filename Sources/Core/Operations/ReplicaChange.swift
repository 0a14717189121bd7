/// Makes the rows of a version's replicas agree with what policy and placement say of it today.
///
/// Only rows and jobs are written; whoever does a job decides again, by the policy of its moment, before bytes move.
package struct ReplicaChange: Sendable {
    let version: ObjectVersion
    let plan: ReplicaPlan
    private let replicas: [Replica]

    /// `replicas` are all of the version's.
    init(
        _ version: ObjectVersion, _ replicas: [Replica], _ policy: EffectivePolicy, _ candidates: [PlacementCandidate],
        away: Set<Int64> = []
    ) {
        self.version = version
        self.replicas = replicas
        let holdings = replicas.map { ($0.backendID, ReplicaPlan.Holding($0.state)) }
        plan = ReplicaPlan.decide(
            policy, candidates: candidates, sizeBytes: version.sizeBytes,
            holdings: Dictionary(holdings) { first, _ in first }, away: away)
    }

    /// Whether the version is present anywhere.
    var hasPresent: Bool { replicas.contains { $0.state == .present } }

    /// Writes down new replicas, those to be removed, and a job for each.
    ///
    /// `renews` makes the jobs of copies that are owed already due at once, also those that were given up; without it
    /// only a copy that nobody is to make gets a job. The replicas must be those of this transaction.
    package func apply(_ sql: any SQLConnection, at now: Timestamp, renews: Bool) throws(S3Error) {
        for backendID in plan.added {
            let replica = Replica(
                versionID: version.id, backendID: backendID, physicalBucket: "",
                physicalKey: PhysicalKey.makeCopy(version.key, version.id, at: now), state: .pending)
            if try sql.insertReplica(replica) { try insertJob(.replicate, backendID, sql, now) }
        }
        for replica in replicas where plan.members.contains(replica.backendID) {
            guard replica.state == .pending || replica.state == .damaged else { continue }
            let hasJob = try sql.hasJob(kind: .replicate, versionID: version.id, backendID: replica.backendID)
            if renews || !hasJob { try insertJob(.replicate, replica.backendID, sql, now) }
        }
        for backendID in plan.surplus {
            guard try sql.setReplica(versionID: version.id, backendID: backendID, state: .removing) else { continue }
            try insertJob(.removeReplica, backendID, sql, now)
        }
    }

    private func insertJob(
        _ kind: JobKind, _ backendID: Int64, _ sql: any SQLConnection, _ now: Timestamp
    ) throws(S3Error) {
        try sql.insertJob(
            kind: kind, bucketID: version.bucketID, versionID: version.id, backendID: backendID, notBefore: now)
    }
}

extension ReplicaPlan.Holding {
    init(_ state: ReplicaState) {
        self =
            switch state {
            case .pending: .pending
            case .present: .present
            case .removing: .removing
            case .damaged: .damaged
            }
    }
}
