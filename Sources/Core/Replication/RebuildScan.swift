import Logging

/// Reads what the backends say of versions: the description beside each object, and the records.
final class RebuildScan {
    private let rebuild: Rebuild
    private let database: Database
    private let stores: [Int64: any Backend]
    private let proof: DescriptionProof
    private var tenants: [Int64: Tenant] = [:]
    private var buckets: [Int64: Bucket] = [:]

    private static let pageSize = 1000
    /// Objects asked for their description at once, on one backend.
    private static let concurrency = 8

    init(_ rebuild: Rebuild, _ database: Database, _ stores: [Int64: any Backend], namespaceKey key: [UInt8]) {
        self.rebuild = rebuild
        self.database = database
        self.stores = stores
        proof = DescriptionProof { Crypto.hmacSHA256(key: key, message: $0) }
    }

    func run() throws(S3Error) {
        let mappings = try database.read { sql throws(S3Error) in
            for tenant in try sql.tenants() { self.tenants[tenant.id] = tenant }
            for bucket in try sql.allBuckets() { self.buckets[bucket.id] = bucket }
            return try sql.mappingsInUse()
        }
        for (id, store) in stores.sorted(by: { $0.key < $1.key }) {
            for mapping in mappings where mapping.backendID == id && mapping.state != .removing {
                try scan(mapping, store)
            }
            for name in RecoveryBucket.names(rebuild.masterKeys, backend: store.record.name) {
                try pages(of: name, store) { page throws(S3Error) in try self.readRecords(page, in: name, store) }
            }
            rebuild.log.info(
                "a backend was read",
                metadata: ["backend": "\(store.record.name)", "foreign": "\(rebuild.report.foreign)"])
        }
    }

    private func pages(
        of bucket: String, _ store: any Backend, _ body: ([BackendListEntry]) throws(S3Error) -> Void
    ) throws(S3Error) {
        var after: [UInt8]?
        while true {
            try rebuild.checkGoingOn()
            let page: [BackendListEntry]
            do throws(BackendError) { page = try store.list(bucket, after: after, limit: Self.pageSize) } catch {
                if error.kind == .missing { return }
                throw Rebuild.failure(error)
            }
            try body(page)
            guard page.count == Self.pageSize, let last = page.last else { return }
            after = last.key
        }
    }

    // MARK: Objects

    private enum Seen: Sendable {
        case version(FoundVersion, FoundObject)
        case foreign
        /// In an adopted bucket: it may be the original of a version.
        case stranger(FoundStranger)
        case damaged(String)
        case failed(BackendError)
        case gone
    }

    private func scan(_ mapping: BucketMapping, _ store: any Backend) throws(S3Error) {
        guard let bucket = buckets[mapping.bucketID], let tenant = tenants[bucket.tenantID] else { return }
        let reader = ObjectReader(store: store, mapping: mapping, bucket: bucket, tenant: tenant, proof: proof)
        try pages(of: mapping.physicalName, store) { page throws(S3Error) in
            var rest = page[...]
            var seen: [(BackendListEntry, Seen)] = []
            while !rest.isEmpty {
                let some = Array(rest.prefix(Self.concurrency))
                seen += zip(some, FanOut.map(some) { reader.look($0) })
                rest = rest.dropFirst(Self.concurrency)
            }
            try self.note(seen, mapping, store)
        }
    }

    private func note(
        _ seen: [(BackendListEntry, Seen)], _ mapping: BucketMapping, _ store: any Backend
    ) throws(S3Error) {
        try database.write { sql throws(S3Error) in
            for (entry, what) in seen {
                switch what {
                case .version(let version, let object):
                    try sql.noteVersion(version)
                    try sql.noteObject(object)
                case .foreign: self.rebuild.report.foreign += 1
                case .stranger(let found): try sql.noteStranger(found)
                case .damaged(let cause):
                    self.rebuild.report.damaged += 1
                    self.rebuild.log.warning(
                        "an object is damaged",
                        metadata: [
                            "backend": "\(store.record.name)", "bucket": "\(mapping.physicalName)",
                            "key": "\(String(decoding: entry.key, as: UTF8.self))", "cause": "\(cause)",
                        ])
                case .gone: break
                case .failed(let error): throw Rebuild.failure(error)
                }
            }
        }
    }

    /// Looks at one object of one physical bucket.
    private struct ObjectReader: Sendable {
        let store: any Backend
        let mapping: BucketMapping
        let bucket: Bucket
        let tenant: Tenant
        let proof: DescriptionProof

        func look(_ entry: BackendListEntry) -> Seen {
            do throws(BackendError) {
                let object = PhysicalObject(bucket: mapping.physicalName, key: entry.key)
                let head: BackendObjectHead?
                do throws(BackendError) { head = try store.head(object) } catch {
                    guard error.kind == .damaged else { throw error }
                    return .damaged(error.cause)
                }
                guard let head else { return .gone }
                let metadata = head.metadata
                guard proof.holds(for: metadata), let description = VersionDescription(metadata),
                    description.tenant == tenant.canonicalID, description.bucket == bucket.name.bytes,
                    PhysicalKey.isKey(entry.key, of: description.version.key, description.version.id)
                else { return mapping.isAdopted ? try stranger(object) : .foreign }
                return try look(object, head, description, isWhole: ObjectDescription.isWhole(metadata))
            } catch {
                return .failed(error)
            }
        }

        private func stranger(_ object: PhysicalObject) throws(BackendError) -> Seen {
            guard let found = try store.describe(object) else { return .gone }
            return .stranger(
                FoundStranger(
                    backendID: mapping.backendID, physicalBucket: object.bucket, physicalKey: object.key,
                    key: VersionDescription.key(in: found.description) ?? object.key, sizeBytes: found.sizeBytes,
                    lastModified: found.lastModified))
        }

        private func look(
            _ object: PhysicalObject, _ head: BackendObjectHead, _ found: VersionDescription, isWhole: Bool
        ) throws(BackendError) -> Seen {
            var description = found
            if ObjectDescription.isDraft(head.metadata) {
                description.version.sizeBytes = head.sizeBytes
            } else if head.sizeBytes != description.version.sizeBytes {
                return .damaged("\(head.sizeBytes) bytes where \(description.version.sizeBytes) belong")
            }
            if description.version.eTag.isEmpty { description.version.eTag = try eTag(object, head) }
            let version = FoundVersion(
                id: description.version.id, bucketID: bucket.id, key: description.version.key,
                lastModified: description.version.lastModified, isNull: description.version.isNull, isLive: true,
                revision: 0, isWhole: isWhole, fields: description.fields())
            let place = FoundObject(
                versionID: version.id, backendID: mapping.backendID, physicalBucket: object.bucket,
                physicalKey: object.key, sizeBytes: head.sizeBytes)
            return .version(version, place)
        }

        /// A store's ETag of parts is the client's; another one may be no MD5, and so the content says it.
        private func eTag(_ object: PhysicalObject, _ head: BackendObjectHead) throws(BackendError) -> String {
            if let eTag = head.eTag, MultipartETag.split(eTag) != nil { return eTag }
            var digest = MD5Stream()
            try unsafe store.get(object, range: nil, head: { _ in }, piece: { unsafe digest.update($0) })
            return Hex.text(digest.finish())
        }
    }

    // MARK: Records

    private func readRecords(
        _ page: [BackendListEntry], in bucket: String, _ store: any Backend
    ) throws(S3Error) {
        let names = page.filter { RecoveryKey.record(reading: $0.key) != nil }
        var rest = names[...]
        var records: [VersionRecord] = []
        while !rest.isEmpty {
            let read = FanOut.map(Array(rest.prefix(Self.concurrency))) { entry -> Result<[UInt8], S3Error> in
                let object = PhysicalObject(bucket: bucket, key: entry.key)
                do throws(S3Error) {
                    return .success(try Rebuild.read(object, from: store, atMost: VersionRecord.maximumBytes))
                } catch {
                    return .failure(error)
                }
            }
            rest = rest.dropFirst(Self.concurrency)
            for result in read {
                guard let record = VersionRecord(reading: try result.get(), proof: proof) else {
                    rebuild.report.foreign += 1
                    continue
                }
                records.append(record)
            }
        }
        try database.write { sql throws(S3Error) in
            for record in records { try self.note(record, in: bucket, store, sql) }
        }
    }

    private func note(
        _ record: VersionRecord, in physicalBucket: String, _ store: any Backend, _ sql: any SQLConnection
    ) throws(S3Error) {
        let tenant = tenants.values.first { $0.canonicalID == record.tenant }
        let owner = tenant.flatMap { tenant in
            buckets.values.first { $0.tenantID == tenant.id && $0.name.bytes == record.bucket }
        }
        guard let owner else { return }
        let place = RecordPlace(
            versionID: record.versionID, revision: record.revision, backendID: store.record.id,
            physicalBucket: physicalBucket, isWritten: true)
        try sql.restoreRecord(place, bucketID: owner.id)
        for original in record.places {
            let id = stores.first { $0.value.record.name == original.backend }?.key
            // One that is not read, or not known any more.
            guard let id else { continue }
            try sql.notePlace(
                of: record.versionID, revision: record.revision, backendID: id, physicalBucket: original.bucket,
                physicalKey: original.key)
        }
        switch record.content {
        case .dead:
            try sql.noteVersion(
                FoundVersion(
                    id: record.versionID, bucketID: owner.id, key: ObjectKey(stored: []),
                    lastModified: Timestamp(milliseconds: 0), isNull: false, isLive: false, revision: record.revision,
                    isWhole: true, fields: []))
        case .live(let description):
            let version = description.version
            try sql.noteVersion(
                FoundVersion(
                    id: version.id, bucketID: owner.id, key: version.key, lastModified: version.lastModified,
                    isNull: version.isNull, isLive: true, revision: record.revision, isWhole: true,
                    fields: description.fields()))
        }
    }
}
