import Core
import Foundation
import Synchronization
import Testing

/// A database, three file backends (`fi`, `de`, `fr`), a tenant with a policy and a bucket, all real and in a directory
/// of their own that goes with this object.
final class ReplicationScenario: Sendable {
    let directory: URL
    let database: Database
    let world: World
    let tenant: Tenant
    let bucket: Bucket
    let stop: StopSignal
    private let records: [String: BackendRecord]
    private let masterKeys: MasterKeys

    static let start = Timestamp(milliseconds: Timestamp.now().milliseconds - 60_000)
    static let countries = ["fi": "FI", "de": "DE", "fr": "FR"]
    static let twoCopies = #"{"replicas":{"count":2,"acknowledge":1}}"#

    /// `policy` is the tenant's.
    init(policy: String = twoCopies) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "s3gw-replication-\(UUID().uuidString)")
        self.directory = directory
        try FileManager.default.createDirectory(
            at: directory.appending(path: "spool"), withIntermediateDirectories: true)
        database = try Database.create(path: directory.appending(path: "gateway.db").path)
        let keys = try MasterKeys(parsing: Array("test:\(String(repeating: "ab", count: 32))".utf8), origin: "test")
        var made: [String: BackendRecord] = [:]
        let sealed = keys.seal(Array("namespace".utf8), table: World.installationTable, row: World.namespaceKeyName)
        try database.write { sql throws(S3Error) in try sql.setInstallationValue(World.namespaceKeyName, sealed) }
        for (name, country) in Self.countries.sorted(by: { $0.key < $1.key }) {
            let root = directory.appending(path: name)
            try FileManager.default.createDirectory(at: root, withIntermediateDirectories: false)
            let record = BackendRecord(
                id: 0, name: name, kind: .file, location: Location(region: "\(name)-1", country: country),
                state: .active, endpoint: root.path, signingRegion: "", addressing: .path, caFile: nil,
                accessKeyID: nil, sealedSecret: nil, abilities: "{}", createdAt: Self.start)
            // As `s3gw backend add` does: the first probe marks the directory as ours.
            _ = try FileBackend(record).probe()
            made[name] = try database.write { sql throws(S3Error) in try sql.insertBackend(record) }
        }
        records = made
        (tenant, bucket) = try database.write { sql throws(S3Error) in
            let tenant = try sql.insertTenant(
                name: "acme", canonicalID: String(repeating: "a", count: 64), displayName: "Acme", email: nil,
                createdAt: Self.start)
            _ = try sql.setPolicy(tenantID: tenant.id, json: Array(policy.utf8), at: Self.start)
            let name = try BucketName(validating: Array("photos".utf8))
            return (
                tenant,
                try sql.insertBucket(
                    tenantID: tenant.id, name: name, region: "eu", locations: [], createdAt: Self.start)
            )
        }
        masterKeys = keys
        world = try World(
            database: database, masterKeys: keys, spoolDirectory: directory.appending(path: "spool").path)
        stop = try StopSignal()
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func id(_ backend: String) throws -> Int64 { try #require(records[backend]).id }

    private func name(_ id: Int64) -> String { records.first { $0.value.id == id }?.key ?? "?" }

    private func live(_ backend: String) throws -> LiveBackend {
        try #require(try world.snapshot().backends[id(backend)])
    }

    /// The same as another process sees it: it has its own breakers.
    func reopened() throws -> World {
        try World(
            database: database, masterKeys: masterKeys, spoolDirectory: world.spoolDirectory)
    }

    /// The same with connections of its own, as another process has them.
    func otherProcess() throws -> World {
        try World(
            database: try Database.open(path: database.path), masterKeys: masterKeys,
            spoolDirectory: world.spoolDirectory)
    }

    // MARK: What the front door does

    /// Stores an object: its bytes on the backends of `present`, and jobs for those of `pending`; on those of `doubtful`
    /// bytes may be, as nobody answered.
    @discardableResult
    func put(
        _ key: String, _ content: String, present: [String], pending: [String] = [], doubtful: [String] = [],
        checksum: ChecksumAlgorithm? = .crc32
    ) throws -> ObjectVersion {
        let bytes = Array(content.utf8)
        let now = Timestamp.now()
        var sum = checksum.map { ChecksumStream($0) }
        unsafe bytes.withUnsafeBytes { unsafe sum?.update($0) }
        let version = ObjectVersion(
            id: VersionID(at: now), sequence: 0, bucketID: bucket.id, key: ObjectKey(stored: Array(key.utf8)),
            isDeleteMarker: false, sizeBytes: Int64(bytes.count), eTag: Hex.text(Crypto.md5(bytes)), lastModified: now,
            storageClass: "STANDARD", checksum: sum?.finish(),
            headers: [HeaderField(name: "content-type", value: Array("text/plain".utf8))])
        let physicalKey = PhysicalKey.make(version.key, version.id)
        let there = try present.map { backend in
            let place = PhysicalObject(bucket: try physicalBucket(backend), key: physicalKey)
            let description = ObjectDescription(sizeBytes: version.sizeBytes, md5: nil, sha256: nil, metadata: [])
            _ = try live(backend).backend.put(
                place, from: PayloadReader(plain: .memory(bytes)), description: description, grant: grant(for: backend))
            return Replica(
                versionID: version.id, backendID: try id(backend), physicalBucket: place.bucket, physicalKey: place.key,
                state: .present)
        }
        let missing = try pending.map { backend in
            Replica(
                versionID: version.id, backendID: try id(backend), physicalBucket: "",
                physicalKey: PhysicalKey.makeCopy(version.key, version.id), state: .pending)
        }
        let unclear = try doubtful.map { backend in
            Replica(
                versionID: version.id, backendID: try id(backend), physicalBucket: try physicalBucket(backend),
                physicalKey: physicalKey, state: .removing)
        }
        return try database.write { sql throws(S3Error) in
            try sql.commitPut(
                NewVersion(version: version, present: there, pending: missing, removing: unclear), unless: { _ in })
        }
    }

    func physicalBucket(_ backend: String) throws -> String {
        try world.provisioner.ensure(bucket, of: tenant, on: live(backend))
    }

    /// Placement's leave to write to that backend, for an object without any policy.
    private func grant(for backend: String) throws -> PlacementGrant {
        let free = try EffectivePolicy(tenant: nil, bucket: nil, locations: [], replicaCountTag: nil)
        let candidates = try world.snapshot().candidates().filter { $0.name == backend }
        guard case .place(let plan) = Placement.decide(free, candidates: candidates, sizeBytes: 0) else {
            throw S3Error(.internalError, cause: "no grant for \(backend)")
        }
        return try #require(plan.grants.first)
    }

    func delete(_ key: String) throws {
        _ = try database.write { sql throws(S3Error) in
            try sql.commitDelete(bucketID: bucket.id, key: ObjectKey(stored: Array(key.utf8)), unless: { _ in })
        }
    }

    func deleteBucket() throws { try database.write { sql throws(S3Error) in try sql.deleteBucket(id: bucket.id) } }

    func setPolicy(_ json: String) throws {
        _ = try database.write { sql throws(S3Error) in
            try sql.setPolicy(tenantID: tenant.id, json: Array(json.utf8), at: .now())
        }
    }

    func set(_ backend: String, _ state: BackendState) throws {
        let id = try id(backend)
        try database.write { sql throws(S3Error) in try sql.setBackend(id: id, state: state) }
    }

    // MARK: What the worker does

    func settings(owner: String = "worker", leaseSeconds: Int = 60, concurrency: Int = 2) -> Worker.Settings {
        Worker.Settings(
            concurrency: concurrency, pollIntervalMilliseconds: 20, leaseSeconds: leaseSeconds,
            spoolDirectory: directory.appending(path: "spool").path, owner: owner)
    }

    /// Does all that is due; returns what was done.
    @discardableResult
    func drain() throws -> WorkerCounts.Values {
        let worker = Worker(world: world, settings: settings(), stop: stop)
        try worker.drain()
        return worker.counts.current
    }

    func claim(owner: String = "worker", at now: Timestamp = .now(), for seconds: Int64 = 60) throws -> [Job] {
        try database.write { sql throws(S3Error) in
            try sql.claimJobs(owner: owner, limit: 100, now: now, leaseUntil: now.adding(seconds: seconds))
        }
    }

    // MARK: What is there

    /// The state of each replica, by backend; empty when the version has none or no row.
    func replicas(_ version: ObjectVersion) throws -> [String: ReplicaState] {
        let replicas = try database.read { sql throws(S3Error) in try sql.replicas(of: version.id) }
        return Dictionary(uniqueKeysWithValues: replicas.map { (name($0.backendID), $0.state) })
    }

    func hasRow(_ version: ObjectVersion) throws -> Bool {
        try database.read { sql throws(S3Error) in try sql.version(id: version.id) } != nil
    }

    /// Every object on that backend, by physical key, read through the backend.
    func contents(_ backend: String) throws -> [String: String] {
        let mappings = try database.read { sql throws(S3Error) in try sql.mappings(bucketID: bucket.id) }
        var contents: [String: String] = [:]
        for mapping in mappings where mapping.backendID == (try id(backend)) {
            let store = try live(backend).backend
            guard try store.hasBucket(mapping.physicalName) else { continue }
            for entry in try store.list(mapping.physicalName, after: nil, limit: 1000) {
                let object = PhysicalObject(bucket: mapping.physicalName, key: entry.key)
                contents[String(decoding: entry.key, as: UTF8.self)] = try read(object, from: store)
            }
        }
        return contents
    }

    private func read(_ object: PhysicalObject, from store: any Backend) throws -> String {
        var bytes: [UInt8] = []
        try unsafe store.get(object, range: nil, head: { _ in }, piece: { unsafe bytes.append(contentsOf: $0) })
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Where the bytes of a replica lie on this disk.
    func file(_ version: ObjectVersion, on backend: String) throws -> URL {
        let replicas = try database.read { sql throws(S3Error) in try sql.replicas(of: version.id) }
        let wanted = try id(backend)
        let replica = try #require(replicas.first { $0.backendID == wanted })
        let store = try #require(try live(backend).backend as? FileBackend)
        let path = store.dataPath(of: PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey))
        return URL(filePath: String(decoding: path, as: UTF8.self))
    }

    /// Changes the bytes of a replica behind the gateway's back.
    func corrupt(_ version: ObjectVersion, on backend: String, to content: String) throws {
        let handle = try FileHandle(forWritingTo: file(version, on: backend))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data(content.utf8))
        try handle.close()
    }

    /// How many objects of a version lie at places that no replica names.
    func strays(_ version: ObjectVersion) throws -> Int {
        var count = 0
        for record in records.values {
            count +=
                try database.read { sql throws(S3Error) in
                    try sql.strays(of: version.id, backendID: record.id)
                }.count
        }
        return count
    }

    func jobs(_ state: JobState? = nil) throws -> [Job] {
        try database.read { sql throws(S3Error) in try sql.jobs(state: state, limit: 1000) }
    }

    /// Makes every waiting job due at once, as time would.
    func passTime() throws {
        for job in try jobs(.ready) {
            try database.write { sql throws(S3Error) in
                try sql.insertJob(
                    kind: job.kind, bucketID: job.bucketID, versionID: job.versionID, backendID: job.backendID,
                    notBefore: Self.start)
            }
        }
    }

    var spooledFiles: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: directory.appending(path: "spool").path) }
    }
}
