/// Asks, inside of a transaction, what today's policy and backends mean for a version's replicas.
struct Planning: Sendable {
    let world: World
    let graceMilliseconds: Int64

    /// Policies and backends at one moment.
    struct Scene {
        let snapshot: WorldSnapshot
        /// The backends, where the transaction sees others than `snapshot` does.
        let fresh: [BackendRecord]?
        let away: Set<Int64>
    }

    /// Returns what would change about the version; nil when it is dead.
    ///
    /// What the transaction has changed so far counts.
    func change(
        of id: VersionID, _ sql: any SQLConnection
    ) throws(S3Error) -> ReplicaChange? {
        guard let state = try sql.replicationState(of: id), state.isLive else { return nil }
        guard let bucket = try sql.bucket(id: state.version.bucketID) else {
            throw S3Error(.internalError, cause: "a live version without a bucket")
        }
        return try change(state.version, state.replicas, in: bucket, try scene(sql), sql)
    }

    func change(
        _ version: ObjectVersion, _ replicas: [Replica], in bucket: Bucket, _ scene: Scene, _ sql: any SQLConnection
    ) throws(S3Error) -> ReplicaChange {
        guard let fresh = scene.fresh else {
            return ReplicaChange(
                version, replicas, try scene.snapshot.policy(for: bucket, tags: version.tags),
                scene.snapshot.candidates(), away: scene.away)
        }
        return ReplicaChange(
            version, replicas, try WorldSnapshot.policy(for: bucket, tags: version.tags, sql),
            scene.snapshot.candidates(of: fresh), away: scene.away)
    }

    func scene(_ sql: any SQLConnection, at now: Timestamp = .now()) throws(S3Error) -> Scene {
        let snapshot = try world.snapshot()
        // Another write of the same group may have changed something, which nobody else can see yet.
        let isCurrent = try sql.configurationGeneration() == snapshot.generation
        return Scene(snapshot: snapshot, fresh: isCurrent ? nil : try sql.backends(), away: try away(sql, at: now))
    }

    /// The backends that have not answered for longer than the grace.
    func away(_ sql: any SQLConnection, at now: Timestamp = .now()) throws(S3Error) -> Set<Int64> {
        try sql.backendsPastGrace(at: now, graceMilliseconds: graceMilliseconds)
    }
}
