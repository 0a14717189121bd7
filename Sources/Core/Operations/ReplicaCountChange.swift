/// What new tags of a stored version mean for its replicas, decided before the transaction that writes the tags.
///
/// Only which replicas are wanted is said here; the worker decides again, by the policy of its moment, before it copies
/// or removes one.
struct ReplicaCountChange {
    private var added: [Replica] = []
    private var surplus: [Replica] = []
    private let bucketID: Int64

    /// `replicas` are all of the version's.
    ///
    /// Throws the placement's refusal when the policy with the new tags leaves too few backends.
    init(
        _ version: ObjectVersion, replicas: [Replica], in bucket: Bucket, tags: [Tag], _ call: Call
    ) throws(S3Error) {
        bucketID = bucket.id
        guard try tags.replicaCount() != version.tags.replicaCount() else { return }
        let policy = try call.snapshot.policy(for: bucket, tags: tags)
        let decision = Placement.decide(
            policy, candidates: call.snapshot.candidates(), sizeBytes: version.sizeBytes)
        switch decision {
        case .refuse(let refusal): throw refusal.s3Error
        case .place(let plan): compare(replicas, with: plan, version)
        }
    }

    private mutating func compare(_ replicas: [Replica], with plan: Plan, _ version: ObjectVersion) {
        let wanted = (plan.grants + plan.pendingUnhealthy).map(\.backendID)
        let kept = replicas.filter { $0.state != .removing }
        let missing = plan.replicaCount - kept.count
        if missing > 0 {
            let held = Set(replicas.map(\.backendID))
            added = wanted.filter { !held.contains($0) }.prefix(missing).map { backendID in
                Replica(
                    versionID: version.id, backendID: backendID, physicalBucket: "",
                    physicalKey: PhysicalKey.make(version.key, version.id), state: .pending)
            }
        } else if missing < 0 {
            // Those that policy would choose today stay longest, and bytes that are there before those that are not.
            let order = kept.sorted { rank($0, wanted) < rank($1, wanted) }
            surplus = Array(order.suffix(-missing))
        }
    }

    private func rank(_ replica: Replica, _ wanted: [Int64]) -> Int {
        let place = wanted.firstIndex(of: replica.backendID) ?? wanted.count
        return replica.state == .present ? place : place + wanted.count + 1
    }

    /// Writes down the replicas and the jobs for them.
    func apply(_ sql: any SQLConnection) throws(S3Error) {
        for replica in added where try sql.insertReplica(replica) {
            try sql.insertJob(
                kind: .replicate, bucketID: bucketID, versionID: replica.versionID, backendID: replica.backendID,
                notBefore: .now())
        }
        for replica in surplus {
            guard try sql.setReplica(versionID: replica.versionID, backendID: replica.backendID, state: .removing)
            else { continue }
            try sql.insertJob(
                kind: .removeReplica, bucketID: bucketID, versionID: replica.versionID, backendID: replica.backendID,
                notBefore: .now())
        }
    }
}
