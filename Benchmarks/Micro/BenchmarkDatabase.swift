import Core
import Foundation

/// A database with `keyCount` keys in one bucket, 1,000 below each prefix `read/NNNN/`.
struct BenchmarkDatabase {
    let keyCount: Int
    let database: Database
    let tenant: Tenant
    let bucket: Bucket
    let backend: BackendRecord

    static let keysBelowPrefix = 1000

    /// Makes the database in `directory`, and below it a store; the rows are those that PUTs would have made.
    init(directory: String, keyCount: Int) throws {
        let store = directory + "/store"
        try FileManager.default.createDirectory(atPath: store, withIntermediateDirectories: false)
        self.keyCount = keyCount
        database = try Database.create(path: directory + "/bench.db")
        (tenant, bucket, backend) = try database.write { sql throws(S3Error) in
            let tenant = try sql.insertTenant(
                name: "bench", canonicalID: String(repeating: "b", count: 64), displayName: "bench", email: nil,
                createdAt: .now())
            let backend = try sql.insertBackend(
                BackendRecord(
                    id: 0, name: "bench", kind: .file, location: Location(region: "fi-hel-1", country: "FI"),
                    state: .active, endpoint: store, signingRegion: "", addressing: .path, abilities: "{}",
                    createdAt: .now()))
            let name = try BucketName(validating: Array("bench".utf8))
            let bucket = try sql.insertBucket(
                tenantID: tenant.id, name: name, region: SigningClient.region, locations: [], createdAt: .now())
            return (tenant, bucket, backend)
        }
        _ = try BackendFactory.make(backend, secret: nil).probe()
        try fill()
        try fillVersions()
        try fillUploads()
    }

    /// Another bucket, `versions`, with `keyCount` versions, 1,000 of each key; the newest of a key has the highest number.
    private func fillVersions() throws {
        let rows = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < \(keyCount - 1))"
        let key = "CAST(printf('versions/key-%04d', i / \(Self.keysBelowPrefix)) AS BLOB)"
        try inBucket("versions") { sql, bucketID throws(S3Error) in
            try sql.script(
                """
                INSERT INTO versions (sequence, id, bucket_id, key, state, is_delete_marker, size_bytes, etag,
                    last_modified, storage_class, headers, is_null)
                \(rows) SELECT \(keyCount) + i + 1, CAST(printf('v%015d', i) AS BLOB), \(bucketID), \(key), 'live', 0, 4096,
                    printf('%032x', i), \(Timestamp.now().milliseconds) + i, 'STANDARD', x'', 0 FROM n;
                """)
        }
    }

    /// Another bucket, `uploads`, with `keyCount` uploads that run, 1,000 below each prefix.
    private func fillUploads() throws {
        let rows = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < \(keyCount - 1))"
        let key = "CAST(printf('uploads/%04d/key-%09d', i / \(Self.keysBelowPrefix), i) AS BLOB)"
        try inBucket("uploads") { sql, bucketID throws(S3Error) in
            try sql.script(
                """
                INSERT INTO uploads (id, bucket_id, key, state, storage_class, checksum_type, headers, initiated_at)
                \(rows) SELECT CAST(printf('u%015d', i) AS BLOB), \(bucketID), \(key), 'open', 'STANDARD', 'FULL_OBJECT',
                    x'', \(Timestamp.now().milliseconds) FROM n;
                """)
        }
    }

    private func inBucket(_ name: String, _ body: (any SQLConnection, Int64) throws(S3Error) -> Void) throws {
        try database.write { sql throws(S3Error) in
            let bucket = try sql.insertBucket(
                tenantID: tenant.id, name: try BucketName(validating: Array(name.utf8)), region: SigningClient.region,
                locations: [], createdAt: .now())
            try body(sql, bucket.id)
        }
    }

    /// The id of version `number` of the bucket `versions`.
    func versionID(_ number: Int) -> VersionID? { VersionID(stored: Array("v\(padded(number, 15))".utf8)) }

    private func fill() throws {
        let rows = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < \(keyCount - 1))"
        let key = "CAST(printf('read/%04d/key-%09d', i / \(Self.keysBelowPrefix), i) AS BLOB)"
        // A content type as a PUT stores it: length, name, length, value.
        let headers = Array("\u{0C}content-type\u{18}application/octet-stream".utf8)
        let headersText = String(decoding: Hex.encode(headers), as: UTF8.self)
        try database.write { sql throws(S3Error) in
            try sql.script(
                """
                INSERT INTO versions (sequence, id, bucket_id, key, state, is_delete_marker, size_bytes, etag,
                    last_modified, storage_class, headers)
                \(rows) SELECT i + 1, CAST(printf('%016d', i) AS BLOB), \(bucket.id), \(key), 'live', 0, 4096,
                    printf('%032x', i), \(Timestamp.now().milliseconds), 'STANDARD', x'\(headersText)' FROM n;
                INSERT INTO objects (bucket_id, key, sequence, size_bytes, etag, last_modified, storage_class)
                SELECT bucket_id, key, sequence, size_bytes, etag, last_modified, storage_class FROM versions;
                INSERT INTO replicas (version_sequence, backend_id, physical_bucket, physical_key, state)
                SELECT sequence, \(backend.id), 's3gw-bench', key, 'present' FROM versions;
                """)
        }
    }

    func key(_ number: Int) -> ObjectKey {
        let prefix = padded(number / Self.keysBelowPrefix, 4)
        return ObjectKey(stored: Array("read/\(prefix)/key-\(padded(number, 9))".utf8))
    }

    private func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: width - digits.count) + digits
    }
}
