import Logging

/// Reads one replica in full and compares it with what the database says of its version.
///
/// A bad one is read twice, and then never by clients again: a job brings a good copy in its place. When no good one is
/// left, nothing is removed, and the job is a dead letter at once; tried again by a person, it finds out whether the
/// store has the right bytes again.
struct VerifyJob {
    let context: JobContext
    let versionID: VersionID

    private var place: Int64 { context.job.backendID }

    private static let readings = 2

    func run() throws(JobFailure) -> JobOutcome {
        let found = try context.read { sql throws(S3Error) in
            let state = try sql.replicationState(of: versionID)
            return (
                state: state,
                parts: try state.map { state throws(S3Error) in try sql.versionParts(sequence: state.version.sequence) }
            )
        }
        guard let state = found.state, state.isLive, let replica = state.replica(on: place), replica.isReadable else {
            return try context.finish { _ in .obsolete }
        }
        let live = try context.reachableBackend(place, in: try context.snapshot())
        var problem = try problem(of: replica, state.version, found.parts ?? [], live)
        for _ in 1..<Self.readings where problem != nil {
            problem = try self.problem(of: replica, state.version, found.parts ?? [], live)
        }
        guard let problem else { return try absolve(state.version) }
        if replica.state == .present { context.counts.add { $0.damaged += 1 } }
        return try condemn(state.version, live, problem)
    }

    /// Returns what is wrong with the replica; throws when that cannot be found out now.
    private func problem(
        of replica: Replica, _ version: ObjectVersion, _ parts: [VersionPart], _ live: LiveBackend
    ) throws(JobFailure) -> String? {
        let wanted = parts.isEmpty ? [nil] : parts.map(Optional.some)
        for part in wanted {
            try context.checkGoingOn()
            let reader = ReplicaReader(context: context, version: version, part: part, needsMD5: false)
            do throws(BackendError) { _ = try unsafe reader.read(replica, on: live) { _ in } } catch {
                try context.checkGoingOn()
                guard error.kind == .missing || error.kind == .damaged else { throw JobFailure(error) }
                return error.cause
            }
        }
        return nil
    }

    /// The replica is right; one that was thought to be damaged serves again, and copies that lacked a source go on.
    private func absolve(_ version: ObjectVersion) throws(JobFailure) -> JobOutcome {
        try context.finish { sql throws(S3Error) in
            let state = try sql.replicationState(of: versionID)
            guard let state, state.isLive, state.replica(on: place)?.state == .damaged else { return .verified }
            // What was to replace it goes.
            try sql.giveUpReplacement(versionID: versionID, backendID: place)
            try sql.setReplica(versionID: versionID, backendID: place, state: .present)
            try context.planning.change(of: versionID, sql)?.apply(sql, at: .now(), renews: true)
            return .verified
        }
    }

    private func condemn(
        _ version: ObjectVersion, _ live: LiveBackend, _ problem: String
    ) throws(JobFailure) -> JobOutcome {
        context.log.error(
            "a replica is damaged",
            metadata: ["version": "\(versionID)", "backend": "\(live.name)", "cause": "\(problem)"])
        let others = try context.read { sql throws(S3Error) in
            try sql.replicas(of: versionID).filter { $0.state == .present && $0.backendID != place }
        }
        if others.isEmpty {
            return try context.bury("\(live.name): \(problem); no good replica of the version is left") {
                sql throws(S3Error) in
                try sql.setReplica(versionID: versionID, backendID: place, state: .damaged)
            }
        }
        return try context.finish { sql throws(S3Error) in
            guard try sql.setReplica(versionID: versionID, backendID: place, state: .damaged) else { return .obsolete }
            try sql.insertJob(
                kind: .replicate, bucketID: version.bucketID, versionID: versionID, backendID: place,
                notBefore: .now())
            return .condemned
        }
    }
}

extension Replica {
    /// Whether its bytes are, or were, there.
    fileprivate var isReadable: Bool { state == .present || state == .damaged }
}
