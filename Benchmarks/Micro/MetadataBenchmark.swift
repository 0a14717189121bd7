import Core
import Glibc
import Synchronization

/// What the database does for a request.
struct MetadataBenchmark {
    let data: BenchmarkDatabase

    private static let pageLimit = 1000
    private static let threadCount = 16
    private static let putsPerThread = 100
    private static let commitRounds = 5

    func run() throws -> [Measurement] {
        var measurements = try listings()
        measurements.append(try read())
        measurements.append(try commits(threads: 1))
        measurements.append(try commits(threads: Self.threadCount))
        return measurements
    }

    private func listings() throws -> [Measurement] {
        let prefixCount = data.keyCount / BenchmarkDatabase.keysBelowPrefix
        return [
            try list(
                "a page of 1,000, in the middle", after: data.key(data.keyCount / 2).bytes, entries: Self.pageLimit),
            try list("a prefix with 1,000 keys", prefix: "read/0042/", delimiter: "/", entries: Self.pageLimit),
            try list("delimiter over all keys, 1 prefix", delimiter: "/", entries: 1),
            try list(
                "delimiter over all keys, \(prefixCount) prefixes", prefix: "read/", delimiter: "/",
                entries: min(Self.pageLimit, prefixCount)),
        ]
    }

    private func list(
        _ name: String, prefix: String = "", delimiter: String = "", after: [UInt8] = [], entries: Int
    ) throws -> Measurement {
        let query = ListingQuery(
            bucketID: data.bucket.id, prefix: Array(prefix.utf8), delimiter: Array(delimiter.utf8), after: after,
            limit: Self.pageLimit)
        return try Measurement("list, \(name)") {
            let page = try data.database.read { sql throws(S3Error) in try sql.list(query) }
            require(page.entries.count == entries, "\(page.entries.count) entries, not \(entries)")
        }
    }

    private func read() throws -> Measurement {
        let step = 7919
        var number = 0
        return try Measurement("currentVersionWithReplicas, \(data.keyCount) keys") {
            number = (number + step) % data.keyCount
            let wanted = data.key(number)
            let found = try data.database.read { sql throws(S3Error) in
                try sql.currentVersionWithReplicas(bucketID: data.bucket.id, key: wanted)
            }
            require(found?.replicas.count == 1, "the key has one replica")
        }
    }

    /// PUTs of new keys, each durable before the next of its thread; the time is one PUT's share of the whole.
    private func commits(threads count: Int) throws -> Measurement {
        let failure = Mutex<S3Error?>(nil)
        var samples: [Double] = []
        for round in 0..<Self.commitRounds {
            let start = Measurement.microseconds(CLOCK_MONOTONIC)
            Threads.run(count) { thread in
                do throws(S3Error) {
                    for number in 0..<Self.putsPerThread { try put("write/\(count)/\(round)/\(thread)/\(number)") }
                } catch {
                    failure.withLock { $0 = error }
                }
            }
            let used = Measurement.microseconds(CLOCK_MONOTONIC) - start
            samples.append(used / Double(count * Self.putsPerThread))
        }
        if let error = failure.withLock({ $0 }) { throw error }
        return Measurement("commitPut, \(count) thread\(count == 1 ? "" : "s"), each durable", microseconds: samples)
    }

    private func put(_ key: String) throws(S3Error) {
        let now = Timestamp.now()
        let version = ObjectVersion(
            id: VersionID(at: now), sequence: 0, bucketID: data.bucket.id, key: ObjectKey(stored: Array(key.utf8)),
            isDeleteMarker: false, sizeBytes: 4096, eTag: String(repeating: "e", count: 32), lastModified: now,
            storageClass: "STANDARD",
            headers: [HeaderField(name: "content-type", value: Array("application/octet-stream".utf8))])
        let replica = Replica(
            versionID: version.id, backendID: data.backend.id, physicalBucket: "s3gw-bench",
            physicalKey: PhysicalKey.make(version.key, version.id), state: .present)
        _ = try data.database.write { sql throws(S3Error) in
            try sql.commitPut(NewVersion(version: version, present: [replica], pending: [])) { _ in }
        }
    }
}
