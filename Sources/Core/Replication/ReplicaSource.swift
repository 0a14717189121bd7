import Logging

/// Fetches the bytes of a version from one of its replicas and proves that they are right, before any other store sees
/// one of them.
struct ReplicaSource {
    let context: JobContext
    let version: ObjectVersion

    /// Returns the whole content in a spool file, and its MD5.
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
        var check = ContentCheck(version)
        var ownFailure: String?
        do throws(BackendError) {
            try live.observe { backend throws(BackendError) in
                try unsafe backend.get(
                    PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey), range: nil,
                    head: { found throws(BackendError) in
                        guard found.sizeBytes == version.sizeBytes else {
                            throw BackendError(
                                .damaged, backend: live.name,
                                "\(found.sizeBytes) bytes where \(version.sizeBytes) belong")
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

/// Compares bytes that go by with what the database says of a version.
struct ContentCheck {
    private let version: ObjectVersion
    private var sizeBytes: Int64 = 0
    private var md5Stream = MD5Stream()
    private var checksum: ChecksumStream?

    init(_ version: ObjectVersion) {
        self.version = version
        checksum = version.checksum.map { ChecksumStream($0.algorithm) }
    }

    mutating func update(_ piece: UnsafeRawBufferPointer) {
        sizeBytes += Int64(piece.count)
        unsafe md5Stream.update(piece)
        unsafe checksum?.update(piece)
    }

    var md5: [UInt8] { md5Stream.finish() }

    /// What does not agree, nil when everything does.
    var problem: String? {
        guard sizeBytes == version.sizeBytes else { return "\(sizeBytes) bytes came where \(version.sizeBytes) belong" }
        // The ETag of an object written in one piece is its MD5; others hold a `-` and say nothing of the whole.
        if version.eTag.utf8.count == 32, version.eTag != Hex.text(md5) { return "the MD5 is not the ETag" }
        guard let stored = version.checksum, let checksum else { return nil }
        return checksum.finish() == stored ? nil : "the \(stored.algorithm.rawValue) is wrong"
    }
}
