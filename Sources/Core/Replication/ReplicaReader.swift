/// Reads one replica, or one part of it, and compares what comes with what the database says, in bounded memory.
struct ReplicaReader {
    let context: JobContext
    let version: ObjectVersion
    /// The one part that is wanted; nil for the whole content.
    var part: VersionPart?
    /// Whether only the size of that part is known: the whole has to be checked by the caller.
    var isRange = false
    /// Whether the MD5 is needed even where there is a checksum to compare.
    var needsMD5 = true

    private var wantedBytes: Int64 { part?.sizeBytes ?? version.sizeBytes }

    /// Hands the bytes to `sink` as they come and returns what they were compared with, which knows their MD5.
    ///
    /// Throws `.damaged` for wrong bytes, `.missing` when there are none, `.stopped` when `sink` failed or the job is not
    /// to go on.
    func read(
        _ replica: Replica, on live: LiveBackend, into sink: (UnsafeRawBufferPointer) throws(S3Error) -> Void
    ) throws(BackendError) -> ContentCheck {
        var check =
            isRange ? ContentCheck(sizeBytes: wantedBytes) : ContentCheck(version, needsMD5: needsMD5)
        if let part, !isRange { check = ContentCheck(part, of: version, needsMD5: needsMD5) }
        // No range can ask for nothing.
        guard wantedBytes > 0 || part == nil else { return check }
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
                        if let problem = replica.replacement(of: version, found) {
                            throw BackendError(.damaged, backend: live.name, problem)
                        }
                    },
                    piece: { piece throws(WireClosed) in
                        do throws(JobFailure) { try context.checkGoingOn() } catch { throw WireClosed() }
                        context.paced(Int64(piece.count), live)
                        do throws(S3Error) { try unsafe sink(piece) } catch {
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
        return check
    }
}
