import Logging

/// Adopts a physical bucket that was there before the gateway: every object in it becomes a version of the logical
/// bucket, in place.
///
/// Works page by page. A page's versions and the position behind it are one transaction, so an import that is killed goes on
/// where it was, and clients may write meanwhile: whatever they wrote or deleted wins.
package final class BucketImport {
    package struct Source: Sendable {
        package var bucket: Bucket
        package var live: LiveBackend
        package var physicalBucket: String

        package init(bucket: Bucket, live: LiveBackend, physicalBucket: String) {
            self.bucket = bucket
            self.live = live
            self.physicalBucket = physicalBucket
        }
    }

    /// Of which objects the store is asked for the tags it keeps.
    package enum TagChoice: String, Sendable, CaseIterable {
        case none
        /// Those of which it says that they have some (`x-amz-tagging-count`).
        case counted
        case all
    }

    /// Objects of one page, and so of one transaction.
    package static let pageSize = 500
    /// Objects of a page that are looked at at the same time.
    package static let concurrency = 8

    private let world: World
    private let tenant: Tenant
    private let source: Source
    /// Whether every object is read in full: its MD5 and a checksum are computed.
    private let readsContent: Bool
    private let tags: TagChoice
    private let log = Logger(label: "s3gw.import")

    package init(world: World, tenant: Tenant, source: Source, readsContent: Bool, tags: TagChoice) {
        self.world = world
        self.tenant = tenant
        self.source = source
        self.readsContent = readsContent
        self.tags = tags
    }

    /// Returns the first residency rule that keeps objects away from a backend, nil when there is none.
    package static func violation(of policy: EffectivePolicy, on live: LiveBackend) -> String? {
        for rule in policy.rules {
            if let reason = rule.violation(by: live.backend.record.location) {
                return "\(rule.name): \(live.name) \(reason)"
            }
        }
        return nil
    }

    /// Throws `NoSuchBucket` when the backend does not have it, `ServiceUnavailable` when it does not answer.
    package static func check(_ physicalBucket: String, on live: LiveBackend) throws(S3Error) {
        let isThere: Bool
        do throws(BackendError) {
            isThere = try live.observe { backend throws(BackendError) in try backend.hasBucket(physicalBucket) }
        } catch {
            throw error.asImportError
        }
        guard isThere else {
            throw S3Error(.noSuchBucket, "The backend \(live.name) has no bucket \(physicalBucket).")
        }
    }

    /// Throws as `check` does, and `InvalidRequest` for a bucket in which the gateway keeps records of all tenants.
    package static func checkAdoptable(
        _ physicalBucket: String, on live: LiveBackend, _ world: World
    ) throws(S3Error) {
        try check(physicalBucket, on: live)
        guard try !world.isRecoveryBucket(physicalBucket) else {
            throw S3Error(.invalidRequest, "That physical bucket is the gateway's own: a rebuild needs what is in it.")
        }
    }

    /// Imports what is not imported yet; `progress` is told after every page.
    ///
    /// In the end the worker is asked to look at the whole bucket. Throws `InvalidRequest` when the place cannot be adopted
    /// or another process imports it, `ServiceUnavailable` when the backend does not answer: then a later call goes on.
    package func run(progress: (ImportRecord) -> Void) throws(S3Error) -> ImportRecord {
        try Self.checkAdoptable(source.physicalBucket, on: source.live, world)
        let backendID = source.live.backend.record.id
        var record = try world.database.write { sql throws(S3Error) in
            try sql.beginImport(
                bucketID: source.bucket.id, backendID: backendID, physicalBucket: source.physicalBucket, at: .now())
        }
        let upkeep = Upkeep(world: world, stop: try StopSignal(), pauseMilliseconds: 0)
        while true {
            let position = record.position
            let page = try ask { backend throws(BackendError) in
                try backend.list(source.physicalBucket, after: position, limit: Self.pageSize)
            }
            guard let last = page.last else { break }
            let found = try look(at: page)
            let before = record
            record = try world.database.write { sql throws(S3Error) in
                try commit(found, upTo: last.key, of: page.count, before, sql)
            }
            progress(record)
            writeDown(by: upkeep)
        }
        let finished = record
        try world.database.write { sql throws(S3Error) in
            try sql.finishImport(finished, at: .now())
            try sql.requestReplan(bucketID: source.bucket.id, at: .now())
        }
        writeDown(by: upkeep)
        let stored = try world.database.read { sql throws(S3Error) in
            try sql.importRecord(backendID: backendID, physicalBucket: source.physicalBucket)
        }
        record.state = .done
        record.isRecorded = stored?.isRecorded ?? false
        return record
    }

    /// Tells the recovery buckets what was adopted: until then a rebuild would not find it.
    ///
    /// What cannot be written now is the worker's to write.
    private func writeDown(by upkeep: Upkeep) {
        do throws(S3Error) { try upkeep.flush() } catch {
            log.warning("adopted objects not written down yet", metadata: ["cause": "\(error.cause ?? error.message)"])
        }
    }

    private func commit(
        _ found: [Candidate], upTo position: [UInt8], of count: Int, _ before: ImportRecord, _ sql: any SQLConnection
    ) throws(S3Error) -> ImportRecord {
        var record = before
        var bytes: Int64 = 0
        var adopted: Int64 = 0
        for candidate in found where try sql.adopt(candidate.version, at: candidate.replica) != nil {
            adopted += 1
            bytes += candidate.version.sizeBytes
        }
        let skipped = Int64(count) - adopted
        guard try sql.advanceImport(before, to: position, adopted: adopted, bytes: bytes, skipped: skipped) else {
            throw S3Error(.invalidRequest, "Another process imports that bucket.")
        }
        record.position = position
        record.adopted += adopted
        record.adoptedBytes += bytes
        record.skipped += skipped
        return record
    }

    // MARK: Looking

    private struct Candidate: Sendable {
        let version: ObjectVersion
        let replica: Replica
    }

    private enum Look: Sendable {
        case candidate(Candidate)
        /// Gone meanwhile, or written by the gateway for this very bucket.
        case nothing
        case failed(S3Error)
    }

    private func look(at page: [BackendListEntry]) throws(S3Error) -> [Candidate] {
        let eye = Eye(source: source, tenant: tenant, readsContent: readsContent, tags: tags)
        var found: [Candidate] = []
        var rest = page[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(Self.concurrency))
            rest = rest.dropFirst(batch.count)
            for look in FanOut.map(batch, { eye.look(at: $0) }) {
                switch look {
                case .candidate(let candidate): found.append(candidate)
                case .nothing: continue
                case .failed(let error): throw error
                }
            }
        }
        return found
    }

    private func ask<T>(_ call: (any Backend) throws(BackendError) -> T) throws(S3Error) -> T {
        do throws(BackendError) { return try source.live.observe(call) } catch { throw error.asImportError }
    }

    /// What looks at single objects, on several threads.
    private struct Eye: Sendable {
        let source: Source
        let tenant: Tenant
        let readsContent: Bool
        let tags: TagChoice

        func look(at entry: BackendListEntry) -> Look {
            do throws(BackendError) {
                let place = PhysicalObject(bucket: source.physicalBucket, key: entry.key)
                let found = try source.live.observe { backend throws(BackendError) in try backend.describe(place) }
                guard let found, !isOurs(found) else { return .nothing }
                return .candidate(try candidate(found, at: place))
            } catch {
                return error.kind == .missing ? .nothing : .failed(error.asImportError)
            }
        }

        /// Whether this gateway has written it for this bucket: it has, or is about to have, a row already.
        private func isOurs(_ found: AdoptableObject) -> Bool {
            found.described("s3gw-tenant") == Array(tenant.canonicalID.utf8)
                && found.described("s3gw-bucket") == source.bucket.name.bytes
        }

        private func candidate(
            _ found: AdoptableObject, at place: PhysicalObject
        ) throws(BackendError) -> Candidate {
            let key = VersionDescription.key(in: found.description) ?? place.key
            let objectKey: ObjectKey
            do throws(S3Error) { objectKey = try ObjectKey(validating: key) } catch {
                throw BackendError(
                    .refused, backend: source.live.name, "a key that S3 does not allow: \(Hex.text(key))")
            }
            let described = found.described("s3gw-etag").map { String(decoding: $0, as: UTF8.self) }
            var eTag = described ?? found.eTag ?? ""
            var checksum: ObjectChecksum?
            // What looks like an MD5 is taken for one ever after, so it has to be one.
            let isKept = described != nil || found.isMD5 || MultipartETag.split(eTag) != nil
            if readsContent || !isKept {
                let content = try read(place, sizeBytes: found.sizeBytes)
                guard !found.isMD5 || found.eTag == content.md5 else {
                    throw BackendError(.damaged, backend: source.live.name, "the MD5 of an object is not its ETag")
                }
                if !isKept { eTag = content.md5 }
                checksum = content.checksum
            }
            // The bytes name their version: readers take no other's.
            let named = found.described(ObjectDescription.versionField).flatMap(VersionID.init(text:))
            let version = ObjectVersion(
                id: named ?? VersionID(at: .now()), sequence: 0, bucketID: source.bucket.id, key: objectKey,
                isDeleteMarker: false, sizeBytes: found.sizeBytes, eTag: eTag,
                lastModified: found.described("s3gw-modified").flatMap(Timestamp.init(iso8601:)) ?? found.lastModified
                    ?? .now(), storageClass: "STANDARD", checksum: checksum,
                headers: found.describedHeaders.isEmpty ? found.headers : found.describedHeaders,
                tags: try tags(of: found, at: place))
            return Candidate(
                version: version,
                replica: Replica(
                    versionID: version.id, backendID: source.live.backend.record.id, physicalBucket: place.bucket,
                    physicalKey: place.key, state: .present))
        }

        private func tags(of found: AdoptableObject, at place: PhysicalObject) throws(BackendError) -> [Tag] {
            // A gateway tells them in its description: the store has none of them.
            if let described = VersionDescription(found.description) { return described.version.tags }
            guard tags == .all || (tags == .counted && found.hasTags) else { return [] }
            do throws(BackendError) {
                return try source.live.observe { backend throws(BackendError) in try backend.tags(of: place) }
            } catch {
                guard error.kind == .refused else { throw error }
                let key = String(decoding: place.key, as: UTF8.self).debugDescription
                throw BackendError(
                    .refused, backend: error.backend, "tags of \(key), which --tags none leaves out: \(error.cause)")
            }
        }

        /// Reads an object in full; the checksum is the one AWS computes for objects that come without (CRC64NVME).
        private func read(
            _ place: PhysicalObject, sizeBytes: Int64
        ) throws(BackendError) -> (md5: String, checksum: ObjectChecksum) {
            var md5 = MD5Stream()
            var checksum = ChecksumStream(.crc64nvme)
            guard sizeBytes > 0 else { return (Hex.text(md5.finish()), checksum.finish()) }
            try source.live.observe { backend throws(BackendError) in
                try unsafe backend.get(
                    place, range: nil,
                    head: { head throws(BackendError) in
                        guard head.sizeBytes == sizeBytes else {
                            throw BackendError(
                                .damaged, backend: source.live.name, "an object changed while it was read")
                        }
                    },
                    piece: { piece throws(WireClosed) in
                        unsafe md5.update(piece)
                        unsafe checksum.update(piece)
                    })
            }
            return (Hex.text(md5.finish()), checksum.finish())
        }
    }
}

extension BackendError {
    fileprivate var asImportError: S3Error {
        let words = "\(backend): \(cause)"
        return kind == .unavailable || kind == .short || kind == .full
            ? S3Error(.serviceUnavailable, cause: words) : S3Error(.invalidRequest, "The import cannot go on: \(words)")
    }
}
