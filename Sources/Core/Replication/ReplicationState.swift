/// One version with all its replicas, read in one transaction.
struct ReplicationState {
    let version: ObjectVersion
    let isLive: Bool
    let replicas: [Replica]

    func replica(on backendID: Int64) -> Replica? { replicas.first { $0.backendID == backendID } }

    func backends(_ state: ReplicaState) -> Set<Int64> { Set(replicas.filter { $0.state == state }.map(\.backendID)) }
}

extension SQLConnection {
    /// Returns nil when the version has no row any more: it is dead and nothing of it is left.
    func replicationState(of id: VersionID) throws(S3Error) -> ReplicationState? {
        guard let version = try version(id: id) else { return nil }
        return ReplicationState(version: version, isLive: try isLive(id), replicas: try replicas(of: id))
    }
}
