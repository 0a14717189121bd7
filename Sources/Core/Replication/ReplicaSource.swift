import Logging

/// Fetches the bytes of a version from one of its replicas and proves that they are right, before any other store sees
/// one of them.
struct ReplicaSource {
    let context: JobContext
    let version: ObjectVersion
    /// The one part that is wanted; nil for the whole content.
    var part: VersionPart?

    private var wantedBytes: Int64 { part?.sizeBytes ?? version.sizeBytes }

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
                    versionID: version.id, backendID: replica.backendID, state: .pending)
                guard isTaken else { continue }
                try sql.insertJob(
                    kind: .replicate, bucketID: version.bucketID, versionID: version.id, backendID: replica.backendID,
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
        var check = part.map { ContentCheck($0, of: version) } ?? ContentCheck(version)
        // No range can ask for nothing.
        guard wantedBytes > 0 || part == nil else { return check.md5 }
        var ownFailure: String?
        do throws(BackendError) {
            try live.observe { backend throws(BackendError) in
                try unsafe backend.get(
                    PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey), range: part?.range,
                    head: { found throws(BackendError) in
                        guard found.sizeBytes == wantedBytes else {
                            throw BackendError(
                                .damaged, backend: live.name,
                                "\(found.sizeBytes) bytes where \(wantedBytes) belong")
                        }
                    },
                    piece: { piece throws(WireClosed) in
                        do throws(JobFailure) { try context.checkGoingOn() } catch { throw WireClosed() }
                        do throws(S3Error) { try unsafe spool.append(piece) } catch {
                            ownFailure = error.cause ?? error.message
                            throw WireClosed()
                        }
                        unsafe check.update(piece)
                    })
            }
        } catch {
            if let ownFailure { throw BackendError(.stopped, backend: live.name, ownFailure) }
            throw error
        }
        if let problem = check.problem { throw BackendError(.damaged, backend: live.name, problem) }
        return check.md5
    }
}
