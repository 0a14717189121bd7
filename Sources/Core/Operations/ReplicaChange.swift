/// Makes the rows of a version's replicas agree with what policy and placement say of it today.
///
/// Only rows and jobs are written; whoever does a job decides again, by the policy of its moment, before bytes move.
package struct ReplicaChange: Sendable {
    let version: ObjectVersion
    let plan: ReplicaPlan
    private let replicas: [Replica]

    /// `replicas` are all of the version's.
    package init(
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

    /// Where the version is owed: members without good bytes.
    private var owed: [Int64] {
        plan.members.filter { id in
            let replica = replicas.first { $0.backendID == id }
            return replica == nil || replica?.isOwed == true
        }
    }

    /// The moves, from where the version does not belong any more to where it does, by target.
    ///
    /// None where more copies are owed than are to leave: then the version lacks copies, and each is made for itself.
    package var moves: [Int64: Int64] {
        let owed = owed
        guard owed.count <= plan.leaving.count else { return [:] }
        return Dictionary(zip(owed, plan.leaving)) { first, _ in first }
    }

    /// Writes down new replicas, those to be removed, and a job for each.
    ///
    /// `renews` makes the jobs of copies that are owed already due at once, also those that were given up; without it
    /// only a copy that nobody is to make gets a job. The replicas must be those of this transaction.
    package func apply(_ sql: any SQLConnection, at now: Timestamp, renews: Bool) throws(S3Error) {
        let moves = moves
        for backendID in plan.added {
            let replica = Replica(
                versionID: version.id, backendID: backendID, physicalBucket: "",
                physicalKey: PhysicalKey.makeCopy(version.key, version.id, at: now), state: .pending)
            if try sql.insertReplica(replica) { try insertCopy(backendID, from: moves[backendID], sql, now) }
        }
        for replica in replicas where plan.members.contains(replica.backendID) && replica.isOwed {
            let source = replica.state == .pending ? moves[replica.backendID] : nil
            var known: JobKind?
            for kind in JobKind.copies
            where try sql.hasJob(kind: kind, versionID: version.id, backendID: replica.backendID) { known = kind }
            // One job for one copy: of which kind was decided when it was asked for.
            if let known, renews {
                try insertJob(known, replica.backendID, from: known == .move ? source : nil, sql, now)
            } else if known == nil {
                try insertCopy(replica.backendID, from: source, sql, now)
            }
        }
        for backendID in plan.surplus {
            guard try sql.setReplica(versionID: version.id, backendID: backendID, state: .removing) else { continue }
            try insertJob(.removeReplica, backendID, sql, now)
        }
    }

    private func insertCopy(
        _ backendID: Int64, from source: Int64?, _ sql: any SQLConnection, _ now: Timestamp
    ) throws(S3Error) {
        try insertJob(source == nil ? .replicate : .move, backendID, from: source, sql, now)
    }

    private func insertJob(
        _ kind: JobKind, _ backendID: Int64, from source: Int64? = nil, _ sql: any SQLConnection, _ now: Timestamp
    ) throws(S3Error) {
        try sql.insertJob(
            kind: kind, bucketID: version.bucketID, versionID: version.id, backendID: backendID, from: source,
            notBefore: now)
    }
}

extension Replica {
    /// Whether a copy has to be brought there.
    package var isOwed: Bool { state == .pending || state == .damaged }
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
