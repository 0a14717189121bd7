import Core
import Foundation

/// A fresh database in a directory of its own, with one tenant, two backends and one bucket; gone when it ends.
final class MetadataScenario: Sendable {
    let directory: URL
    let database: Database
    let tenant: Tenant
    let backends: [BackendRecord]
    let bucket: Bucket

    static let start = Timestamp(milliseconds: 1_800_000_000_000)

    init(backends count: Int = 2) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("s3gw-metadata-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        database = try Database.create(path: directory.appendingPathComponent("gateway.db").path)
        (tenant, backends, bucket) = try database.write { (db) throws(S3Error) in
            let tenant = try db.insertTenant(
                name: "acme", canonicalID: String(repeating: "a", count: 64), displayName: "Acme", email: nil,
                createdAt: Self.start)
            var backends: [BackendRecord] = []
            for number in 0..<count { backends.append(try db.insertBackend(Self.backend("b\(number)"))) }
            let name = try BucketName(validating: Array("photos".utf8))
            let bucket = try db.insertBucket(
                tenantID: tenant.id, name: name, region: "eu", locations: ["fi-hel-1", "de-fra-1"],
                createdAt: Self.start)
            return (tenant, backends, bucket)
        }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    var path: String { database.path }

    static func backend(_ name: String) -> BackendRecord {
        BackendRecord(
            id: 0, name: name, kind: .file,
            location: Location(region: "fi-hel-1", country: "FI", jurisdictions: ["EU", "EEA"], provider: "own"),
            state: .active, endpoint: "/srv/\(name)", signingRegion: "fi", addressing: .path, caFile: nil,
            accessKeyID: "AK", sealedSecret: [1, 2, 0, 255], abilities: "{}", createdAt: start)
    }

    static func key(_ text: String) -> ObjectKey { ObjectKey(stored: Array(text.utf8)) }

    /// As `Database.read`, for bodies with `#expect` inside, which throw anything.
    func read<T>(_ body: (any SQLConnection) throws -> T) throws -> T {
        try database.read { (db) throws(S3Error) in try Self.carry(body, db) }.get()
    }

    /// As `Database.write`, for bodies with `#expect` inside, which throw anything.
    @discardableResult
    func write<T>(_ body: (any SQLConnection) throws -> T) throws -> T {
        try database.write { (db) throws(S3Error) in try Self.carry(body, db) }.get()
    }

    private static func carry<T>(
        _ body: (any SQLConnection) throws -> T, _ db: any SQLConnection
    ) throws(S3Error) -> Result<T, any Error> {
        do {
            return .success(try body(db))
        } catch let error as S3Error {
            throw error
        } catch {
            return .failure(error)
        }
    }

    /// A version of `key` that is present on the first `present` backends and pending on the next `pending`.
    func newVersion(
        _ key: ObjectKey, at time: Timestamp = start, size: Int64 = 5, present: Int = 1, pending: Int = 0,
        in bucket: Bucket? = nil
    ) -> NewVersion {
        let id = VersionID(at: time)
        let replicas = backends.prefix(present + pending).map { backend in
            Replica(
                versionID: id, backendID: backend.id, physicalBucket: "s3gw-x-\(backend.name)",
                physicalKey: key.bytes + Array("/".utf8) + id.text, state: .present)
        }
        let version = ObjectVersion(
            id: id, sequence: 0, bucketID: (bucket ?? self.bucket).id, key: key, isDeleteMarker: false,
            sizeBytes: size, eTag: "5d41402abc4b2a76b9719d911017c592", lastModified: time, storageClass: "STANDARD",
            checksum: ObjectChecksum(algorithm: .crc32, value: [1, 2, 3, 0]),
            headers: [
                HeaderField(name: "content-type", value: Array("text/plain".utf8)),
                HeaderField(name: "x-amz-meta-note", value: [0xC3, 0xA9, 0x00, 0xFF]),
            ])
        return NewVersion(
            version: version, present: Array(replicas.prefix(present)), pending: Array(replicas.dropFirst(present)))
    }

    @discardableResult
    func put(
        _ key: String, at time: Timestamp = start, size: Int64 = 5, present: Int = 1, pending: Int = 0
    ) throws -> ObjectVersion {
        let new = newVersion(Self.key(key), at: time, size: size, present: present, pending: pending)
        return try write { try $0.commitPut(new, unless: { _ in }) }
    }

    @discardableResult
    func delete(_ key: String) throws -> ObjectVersion? {
        try write { try $0.commitDelete(bucketID: bucket.id, key: Self.key(key), at: Self.start, unless: { _ in }) }
            .removed
    }
}
