import Logging

/// Fetches the bytes of a version from one of its replicas and proves that they are right, before any other store sees
/// one of them.
struct ReplicaSource {
    let context: JobContext
    let version: ObjectVersion
    /// The one part that is wanted; nil for the whole content.
    var part: VersionPart?
    /// As `ReplicaReader.isRange`.
    var isRange = false

    /// Returns the wanted content in a spool file, and its MD5.
    ///
    /// Replicas on healthy backends are asked first. One with missing or wrong bytes is logged and the next is asked,
    /// and once a good one was found the bad ones are copied anew; throws when none is good.
    func fetch(_ replicas: [Replica], _ snapshot: WorldSnapshot) throws(JobFailure) -> (SpoolFile, md5: [UInt8]) {
        var failures: [String] = []
        var bad: [Replica] = []
        var isOnlyUnavailable = true
        for (replica, live) in ordered(replicas, snapshot) {
            let spool: SpoolFile
            do throws(S3Error) { spool = try SpoolFile(in: context.spoolDirectory) } catch { throw JobFailure(error) }
            let md5: [UInt8]
            do throws(BackendError) { md5 = try fill(spool, from: replica, on: live) } catch {
                try context.checkGoingOn()
                if error.kind == .stopped { throw JobFailure(.unavailable, error.cause) }
                failures.append("\(error.backend): \(error.cause)")
                isOnlyUnavailable = isOnlyUnavailable && (error.kind == .unavailable || error.kind == .short)
                if error.kind == .missing || error.kind == .damaged {
                    bad.append(replica)
                    note(error)
                }
                continue
            }
            if !bad.isEmpty { try repair(bad) }
            return (spool, md5)
        }
        guard !failures.isEmpty else { throw JobFailure(.unavailable, "no replica stands on a readable backend") }
        try suspect(bad)
        throw JobFailure(
            isOnlyUnavailable ? .unavailable : .refused, "no good replica: \(failures.joined(separator: "; "))")
    }

    private func ordered(_ replicas: [Replica], _ snapshot: WorldSnapshot) -> [(Replica, LiveBackend)] {
        let readable = replicas.compactMap { replica in
            snapshot.backends[replica.backendID].flatMap { $0.isReadable ? (replica, $0) : nil }
        }
        return readable.filter { $0.1.breaker.isClosed } + readable.filter { !$0.1.breaker.isClosed }
    }

    /// Takes bad replicas out of use and asks for new copies of them, now that there are good bytes to copy.
    private func repair(_ bad: [Replica]) throws(JobFailure) {
        try context.write { sql throws(S3Error) in
            for replica in bad {
                let isTaken = try sql.setReplica(
                    versionID: version.id, backendID: replica.backendID, state: .damaged)
                guard isTaken else { continue }
                try sql.insertJob(
                    kind: .replicate, bucketID: version.bucketID, versionID: version.id, backendID: replica.backendID,
                    notBefore: .now())
            }
        }
    }

    /// Without good bytes nothing is taken out of use on one bad answer: each is read again by a job of its own.
    private func suspect(_ bad: [Replica]) throws(JobFailure) {
        guard !bad.isEmpty else { return }
        try context.write { sql throws(S3Error) in
            for replica in bad {
                try sql.insertJob(
                    kind: .verify, bucketID: version.bucketID, versionID: version.id, backendID: replica.backendID,
                    notBefore: .now())
            }
        }
    }

    private func note(_ error: BackendError) {
        context.counts.add { $0.badSources += 1 }
        context.log.error(
            "a replica is damaged",
            metadata: ["version": "\(version.id)", "backend": "\(error.backend)", "cause": "\(error.cause)"])
    }

    private func fill(_ spool: SpoolFile, from replica: Replica, on live: LiveBackend) throws(BackendError) -> [UInt8] {
        let reader = ReplicaReader(context: context, version: version, part: part, isRange: isRange)
        return try unsafe reader.read(replica, on: live) { piece throws(S3Error) in try unsafe spool.append(piece) }.md5
    }
}
