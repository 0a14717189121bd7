import Core
import Foundation
import Synchronization
import Testing

@Suite struct DatabaseTests {
    let world: MetadataScenario

    init() throws { world = try MetadataScenario() }

    /// Keeps the first write in its body until `count` others have had time to queue behind it, runs these as
    /// `body(number)`, and returns which thread ran each body.
    func queueUp(
        _ count: Int, _ body: @escaping @Sendable (Int, any SQLConnection) throws(S3Error) -> Void
    ) -> (threads: [Int: Int], failures: [String]) {
        let arrived = Atomic<Int>(0)
        let runners = Mutex<[Int: Int]>([:])
        let database = world.database
        let failures = Threads.run(count + 1) { number in
            if number == 0 {
                try database.write { (db) throws(S3Error) in
                    while arrived.load(ordering: .relaxed) < count { usleep(1_000) }
                    usleep(200_000)
                }
                return
            }
            // The first one leads by now: it waits for all others to arrive.
            usleep(50_000)
            arrived.add(1, ordering: .relaxed)
            try database.write { (db) throws(S3Error) in
                runners.withLock { $0[number] = Int(bitPattern: ObjectIdentifier(Thread.current)) }
                try body(number, db)
            }
        }
        return (runners.withLock { $0 }, failures)
    }

    @Test func `writers that wait share one commit, and one that fails takes nobody along`() throws {
        let world = world
        let (threads, failures) = queueUp(8) { (number, db) throws(S3Error) in
            let key = MetadataScenario.key("key-\(number)")
            _ = try db.commitPut(world.newVersion(key), unless: { _ in })
            if number == 3 { throw S3Error(.preconditionFailed) }
        }
        #expect(threads.count == 8 && Set(threads.values).count == 1)
        #expect(failures.count == 1 && failures.allSatisfy { $0.contains("PreconditionFailed") })
        let page = try world.read { try $0.list(ListingQuery(bucketID: world.bucket.id, limit: 100)) }
        #expect(
            page.entries.map { String(decoding: $0.marker, as: UTF8.self) }
                == ["key-1", "key-2", "key-4", "key-5", "key-6", "key-7", "key-8"])
    }

    @Test func `a reader keeps its snapshot while others write`() throws {
        try world.put("a")
        try world.read { (db) throws in
            let before = try db.objectCounts(bucketID: world.bucket.id)
            try world.put("b")
            #expect(try db.objectCounts(bucketID: world.bucket.id) == before)
        }
        #expect(try world.read { try $0.objectCounts(bucketID: world.bucket.id) }.objects == 2)
    }

    @Test func `of writers that each want to be first exactly one is`() throws {
        let rounds = 20
        let wins = Mutex<[Int: Int]>([:])
        let world = world
        // Two databases on one file stand for two processes: SQLite's locks are per connection.
        let other = try Database.open(path: world.path)
        let failures = Threads.run(16) { number in
            let database = number % 2 == 0 ? world.database : other
            for round in 0..<rounds {
                let new = world.newVersion(MetadataScenario.key("round-\(round)"))
                do throws(S3Error) {
                    _ = try database.write { (db) throws(S3Error) in
                        try db.commitPut(new) { (current) throws(S3Error) in
                            if current != nil { throw S3Error(.preconditionFailed) }
                        }
                    }
                    wins.withLock { $0[round, default: 0] += 1 }
                } catch {
                    guard error.code == .preconditionFailed else { throw error }
                }
            }
        }
        #expect(failures.isEmpty)
        #expect(wins.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0..<rounds).map { ($0, 1) }))
    }

    @Test func `a lock that never ends is refused within the deadline, and work goes on after it`() throws {
        let holder = try SQLiteConnection(path: world.path)
        try holder.begin(writing: true)
        let clock = ContinuousClock()
        let start = clock.now
        let error = #expect(throws: S3Error.self) { try world.put("a") }
        let waited = clock.now - start
        #expect(error?.code == .serviceUnavailable && error?.cause?.contains("locked") == true)
        #expect(error?.headers.first?.name == "Retry-After")
        let limit = Duration.milliseconds(SQLiteConnection.busyTimeoutMilliseconds)
        #expect(waited >= limit && waited < limit * 4)
        #expect(try world.read { try $0.objectCounts(bucketID: world.bucket.id) }.objects == 0)
        holder.rollBack()
        try world.put("a")
    }

    @Test func `when the file may not grow the write fails, nothing of it stays, and others still work`() throws {
        let connection = try SQLiteConnection(path: world.path)
        try connection.script("PRAGMA max_page_count = 60")
        func put(_ number: Int) throws {
            let new = world.newVersion(MetadataScenario.key(String(repeating: "k", count: 900) + "\(number)"))
            try connection.begin(writing: true)
            defer { connection.rollBack() }
            _ = try connection.commitPut(new, unless: { _ in })
            try connection.commit()
        }
        var stored = 0
        let error = #expect(throws: S3Error.self) {
            for number in 0..<1_000 {
                try put(number)
                stored += 1
            }
        }
        #expect(error?.code == .serviceUnavailable && error?.cause?.contains("full") == true)
        #expect(connection.isBroken && !connection.isInTransaction)
        #expect(stored > 0)
        #expect(try world.read { try $0.objectCounts(bucketID: world.bucket.id) }.objects == Int64(stored))
        try world.put("after")
        #expect(try world.read { try $0.objectCounts(bucketID: world.bucket.id) }.objects == Int64(stored) + 1)
    }

    @Test(.enabled(if: getuid() == 0, "mounting a small file system needs root"))
    func `on a full disk nothing is acknowledged that is not there, and with space again work goes on`() throws {
        let world = world
        let mount = try SmallFileSystem(bytes: 4 << 20)
        let database = try Database.create(path: mount.path + "/gateway.db")
        let (tenant, bucket, backend) = try database.write { (db) throws(S3Error) in
            let tenant = try db.insertTenant(
                name: "t", canonicalID: "c", displayName: "T", email: nil, createdAt: MetadataScenario.start)
            let bucket = try db.insertBucket(
                tenantID: tenant.id, name: world.bucket.name, region: "eu", locations: [],
                createdAt: MetadataScenario.start)
            return (tenant, bucket, try db.insertBackend(MetadataScenario.backend("b0")))
        }
        #expect(tenant.id > 0 && backend.id == world.backends[0].id)
        let acknowledged = Mutex<Set<String>>([])
        let refused = Mutex<[S3Error]>([])
        let failures = Threads.run(4) { thread in
            for number in 0..<4_000 {
                let name = String(repeating: "k", count: 500) + "\(thread)-\(number)"
                let new = world.newVersion(MetadataScenario.key(name), in: bucket)
                do throws(S3Error) {
                    _ = try database.write { (db) throws(S3Error) in try db.commitPut(new, unless: { _ in }) }
                    acknowledged.withLock { _ = $0.insert(name) }
                } catch {
                    refused.withLock { $0.append(error) }
                    return
                }
            }
        }
        #expect(failures.isEmpty)
        let errors = refused.withLock { $0 }
        #expect(errors.count == 4)
        #expect(errors.allSatisfy { $0.code.status >= 500 && $0.cause?.contains("SQLite") == true })
        #expect(try Self.names(database, bucket) == acknowledged.withLock { $0 })
        try mount.grow(toBytes: 64 << 20)
        let new = world.newVersion(MetadataScenario.key("after"), in: bucket)
        _ = try database.write { (db) throws(S3Error) in try db.commitPut(new, unless: { _ in }) }
        #expect(try Self.names(database, bucket) == acknowledged.withLock { $0 }.union(["after"]))
    }

    static func names(_ database: Database, _ bucket: Bucket) throws -> Set<String> {
        let page = try database.read { (db) throws(S3Error) in
            try db.list(ListingQuery(bucketID: bucket.id, limit: 1_000_000))
        }
        return Set(page.entries.map { String(decoding: $0.marker, as: UTF8.self) })
    }
}

/// A tmpfs of a few megabytes, unmounted when it ends.
final class SmallFileSystem {
    struct Failure: Error { let command: String }
    let path: String

    init(bytes: Int) throws {
        path = FileManager.default.temporaryDirectory.path + "/s3gw-small-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Self.run(["mount", "-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", path])
    }

    func grow(toBytes bytes: Int) throws { try Self.run(["mount", "-o", "remount,size=\(bytes)", path]) }

    deinit {
        try? Self.run(["umount", "-l", path])
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func run(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(command: words.joined(separator: " ")) }
    }
}
