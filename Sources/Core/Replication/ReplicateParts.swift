/// The copy of a version that was made of parts: part by part, each proven right before the target sees it.
///
/// The spool holds one part at a time. The copy has the same parts, so that the target's own ETag is the version's.
struct ReplicateParts {
    let context: JobContext
    let version: ObjectVersion
    let parts: [VersionPart]
    let sources: [Replica]
    let snapshot: WorldSnapshot
    /// Whether an object is there that is not as it should be.
    let replacesDamaged: Bool

    /// Makes the whole copy at `place`; an earlier attempt's upload is ended first.
    func send(
        to place: PhysicalObject, on live: LiveBackend, _ description: ObjectDescription, _ grant: PlacementGrant
    ) throws(JobFailure) {
        try context.ask(live) { backend throws(BackendError) in try backend.abortUploads(place, uploadID: nil) }
        let begin = { (backend: any Backend) throws(BackendError) in
            try backend.createUpload(place, description: description, grant: grant)
        }
        let uploadID: String
        do throws(BackendError) { uploadID = try live.observe(begin) } catch {
            guard error.kind == .missing else { throw JobFailure(error) }
            try context.remakeBucket(place.bucket, on: live)
            uploadID = try context.ask(live, begin)
        }
        do throws(JobFailure) {
            var made: [NativePart] = []
            for part in parts { made.append(try copy(part, to: place, uploadID, on: live, grant)) }
            let whole = NativeObject(parts: made, eTag: version.eTag, description: description)
            // A store may take the damaged object for what it is asked to make; all of the new one is there by now.
            if replacesDamaged {
                try context.ask(live) { backend throws(BackendError) in try backend.delete(place) }
            }
            try context.ask(live) { backend throws(BackendError) in
                try backend.completeUpload(place, uploadID: uploadID, as: whole)
            }
        } catch {
            // What cannot be ended now is ended by the next attempt, or with the replica.
            do throws(BackendError) { try live.backend.abortUploads(place, uploadID: uploadID) } catch let second {
                context.log.warning(
                    "an upload stays for now", metadata: ["backend": "\(live.name)", "cause": "\(second.cause)"])
            }
            throw error
        }
    }

    private func copy(
        _ part: VersionPart, to place: PhysicalObject, _ uploadID: String, on live: LiveBackend,
        _ grant: PlacementGrant
    ) throws(JobFailure) -> NativePart {
        let source = ReplicaSource(context: context, version: version, part: part)
        let (spool, md5) = try source.fetch(sources, snapshot)
        try context.checkGoingOn()
        let reader: PayloadReader
        do throws(S3Error) { reader = try spool.makeReader() } catch { throw JobFailure(error) }
        let receipt = try context.ask(live) { backend throws(BackendError) in
            try backend.uploadPart(
                place, uploadID: uploadID, number: part.number, from: reader, sizeBytes: part.sizeBytes, md5: md5,
                grant: grant)
        }
        guard receipt.md5 == part.md5 else {
            throw JobFailure(.refused, "\(live.name) was sent other bytes than those that were verified")
        }
        return NativePart(number: part.number, token: receipt.token, sizeBytes: part.sizeBytes)
    }
}
