import Core
import Foundation
import Testing

private let benchmarkKeys = ProcessInfo.processInfo.environment["S3GW_BENCH_KEYS"].flatMap { Int($0) }

/// Figures of the database alone.
///
/// Run in release with
/// `S3GW_BENCH_KEYS=1000000 swift test -c release --filter MetadataBenchmark`.
@Suite(.enabled(if: benchmarkKeys != nil, "set S3GW_BENCH_KEYS to run it"), .serialized)
struct MetadataBenchmark {
    static let keysPerDirectory = 10_000
    static let writesPerTransaction = 5_000

    static func key(_ number: Int) -> String {
        "logs/\(100 + number / keysPerDirectory)/part-\(1_000_000 + number).json"
    }

    /// CPU time of this thread, in microseconds: other processes on the machine do not show in it.
    static func cpuMicroseconds() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }

    /// Median of 21 runs, in microseconds of CPU and of the clock, and what the last one returned.
    static func time<T>(_ body: () throws -> T) throws -> (cpu: Double, wall: Double, value: T) {
        let clock = ContinuousClock()
        var value = try body()
        let times = try (0..<21).map { _ in
            let (start, cpu) = (clock.now, cpuMicroseconds())
            value = try body()
            return (cpu: cpuMicroseconds() - cpu, wall: (clock.now - start) / .microseconds(1))
        }
        return (times.map(\.cpu).sorted()[10], times.map(\.wall).sorted()[10], value)
    }

    @Test func `reads of a large bucket`() throws {
        let count = try #require(benchmarkKeys)
        let world = try MetadataScenario()
        for start in stride(from: 0, to: count, by: Self.writesPerTransaction) {
            try world.write { db in
                for number in start..<min(count, start + Self.writesPerTransaction) {
                    let new = world.newVersion(MetadataScenario.key(Self.key(number)), present: 2)
                    _ = try db.commitPut(new, unless: { _ in })
                }
            }
        }
        let size = try FileManager.default.attributesOfItem(atPath: world.path)[.size] as? Int ?? 0
        print("bench: \(count) keys, 2 replicas each, \(size >> 20) MiB, \(size / count) bytes a key")

        let middle = Array(Self.key(count / 2).utf8)
        let page = try Self.time {
            try world.read { try $0.list(ListingQuery(bucketID: world.bucket.id, after: middle, limit: 1_000)) }
        }
        print("bench: list 1000 of \(count): \(page.cpu) us of CPU, \(page.wall) us")
        #expect(page.value.entries.count == 1_000 && page.wall < 10_000)
        let slash = [UInt8(ascii: "/")]
        let top = try Self.time {
            try world.read { try $0.list(ListingQuery(bucketID: world.bucket.id, delimiter: slash, limit: 1_000)) }
        }
        print("bench: list \(count) keys below one common prefix: \(top.cpu) us of CPU, \(top.wall) us")
        #expect(top.value.entries == [.commonPrefix(Array("logs/".utf8))] && top.wall < 50_000)
        let directories = try Self.time {
            try world.read {
                try $0.list(
                    ListingQuery(
                        bucketID: world.bucket.id, prefix: Array("logs/".utf8), delimiter: slash, limit: 1_000))
            }
        }
        let seen = directories.value.entries.count
        print("bench: list \(seen) common prefixes: \(directories.cpu) us of CPU, \(directories.wall) us")
        #expect(seen == (count + Self.keysPerDirectory - 1) / Self.keysPerDirectory && directories.wall < 50_000)

        var random = SeededNumbers(seed: 1)
        let lookups = 20_000
        let keys = (0..<lookups).map { _ in
            MetadataScenario.key(Self.key(Int.random(in: 0..<count, using: &random)))
        }
        for (name, chosen) in [("random keys", keys), ("one key", keys.map { _ in keys[0] })] {
            let get = try Self.time {
                var found = 0
                for key in chosen {
                    let result = try world.database.read { (db) throws(S3Error) in
                        try db.currentVersionWithReplicas(bucketID: world.bucket.id, key: key)
                    }
                    found += result?.replicas.count ?? 0
                }
                return found
            }
            let (cpu, wall) = (get.cpu / Double(lookups), get.wall / Double(lookups))
            print("bench: currentVersionWithReplicas, \(name): \(cpu) us of CPU, \(wall) us")
            #expect(get.value == 2 * lookups && cpu < 50)
        }
    }

    @Test(arguments: [1, 4, 16])
    func `writes per second`(threads: Int) throws {
        let world = try MetadataScenario()
        let clock = ContinuousClock()
        let each = 3_200 / threads
        let start = clock.now
        let failures = Threads.run(threads) { thread in
            for number in 0..<each { try world.put("key-\(thread)-\(number)", present: 1, pending: 1) }
        }
        let seconds = (clock.now - start) / .seconds(1)
        print("bench: commitPut by \(threads) threads: \(Int(Double(each * threads) / seconds)) a second")
        #expect(failures.isEmpty)
        #expect(try world.read { try $0.objectCounts(bucketID: world.bucket.id) }.objects == Int64(each * threads))
    }
}
