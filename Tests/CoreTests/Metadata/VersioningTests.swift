import Core
import Testing

@Suite struct VersioningTests {
    let world: MetadataScenario

    init() throws { world = try MetadataScenario() }

    private func set(_ versioning: BucketVersioning) throws {
        try world.write { try $0.setVersioning(bucketID: world.bucket.id, versioning) }
    }

    private func reference(_ name: String) throws -> VersionReference {
        try #require(VersionReference(text: Array(name.utf8)))
    }

    private func name(_ version: ObjectVersion?) -> String? {
        version.map { String(decoding: $0.clientID, as: UTF8.self) }
    }

    /// All versions as the database lists them, in pages of `page`.
    private func listing(page: Int = 3) throws -> [String] {
        var words: [String] = []
        var query = ListingQuery(bucketID: world.bucket.id, limit: page)
        var after: VersionMarker?
        while true {
            let found = try world.read { try $0.listVersions(query, after: after) }
            for case .version(let version) in found.entries {
                let name = String(decoding: version.clientID, as: UTF8.self)
                let kind = version.isDeleteMarker ? "marker" : "\(version.sizeBytes)"
                words.append("\(version.key.text) \(name) \(kind)\(version.isLatest ? " latest" : "")")
            }
            guard found.isTruncated, case .version(let last)? = found.entries.last else { return words }
            query.after = last.key.bytes
            after = VersionMarker(text: VersionMarker.text(last.clientID, last.lastModified))
        }
    }

    /// Does the same at random to the database and to the model, and compares all that clients can see.
    @Test(arguments: 1...12) func `the database does what the model of S3 does`(seed: UInt64) throws {
        var random = SeededNumbers(seed: seed)
        var model = VersioningModel()
        let keys = ["a", "a/b", "b", "\u{e4}"]
        for step in 1...150 {
            let key = try #require(keys.randomElement(using: &random))
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                try set(.enabled)
                model.state = .enabled
            case 1 where model.state != .unversioned:
                try set(.suspended)
                model.state = .suspended
            case 2...10:
                let stored = try world.put(key, size: Int64(step))
                model.put(key, size: Int64(step), name: try #require(name(stored)))
            case 11...14:
                let current = model.current(key)
                let deletion = try world.write {
                    try $0.commitDelete(bucketID: world.bucket.id, key: MetadataScenario.key(key)) { found in
                        #expect(found?.sizeBytes == current?.size)
                    }
                }
                #expect((deletion.marker == nil) == (model.state == .unversioned))
                model.delete(key, name: name(deletion.marker) ?? "")
            default:
                let wanted = model.keys[key]?.randomElement(using: &random)?.name ?? "null"
                let removed = try world.write {
                    try $0.commitDelete(
                        bucketID: world.bucket.id, key: MetadataScenario.key(key), version: reference(wanted),
                        unless: { _ in })
                }
                #expect(name(removed) == model.keys[key]?.first { $0.name == wanted }?.name)
                model.delete(key, version: wanted)
            }
            try compare(model, keys, step)
        }
        #expect(try listing(page: 1) == model.listing)
        #expect(try listing(page: 1000) == model.listing)
    }

    private func compare(_ model: VersioningModel, _ keys: [String], _ step: Int) throws {
        #expect(try listing() == model.listing, "step \(step)")
        let bucketID = world.bucket.id
        try world.read { db in
            for key in keys {
                let stored = MetadataScenario.key(key)
                let current = try db.currentVersionWithReplicas(bucketID: bucketID, key: stored)?.version
                #expect(name(current) == model.current(key)?.name)
                #expect(current?.sizeBytes == model.current(key)?.size)
                for version in model.keys[key] ?? [] {
                    let found = try db.versionWithReplicas(bucketID: bucketID, key: stored, reference(version.name))
                    #expect(
                        found?.version.sizeBytes == version.size && found?.version.isDeleteMarker == version.isMarker)
                    #expect(found?.replicas.count == (version.isMarker ? 0 : 1))
                }
            }
            let objects = try db.list(ListingQuery(bucketID: bucketID, limit: 10)).entries.map(\.marker)
            #expect(objects == keys.sorted().filter { model.current($0) != nil }.map { Array($0.utf8) })
        }
    }

    @Test func `what dies leaves a job for each replica and nothing else`() throws {
        try set(.enabled)
        let first = try world.put("a", present: 2)
        try world.put("a")
        try world.delete("a")
        #expect(try world.read { try $0.jobs(state: nil, limit: 10) }.isEmpty, "nothing has died yet")
        try world.write {
            _ = try $0.commitDelete(
                bucketID: world.bucket.id, key: MetadataScenario.key("a"), version: .id(first.id), unless: { _ in })
        }
        let jobs = try world.read { try $0.jobs(state: nil, limit: 10) }
        #expect(jobs.map(\.versionID) == [first.id, first.id] && jobs.allSatisfy { $0.kind == .removeReplica })
    }

    @Test func `a bucket is not empty while a version or a marker is in it`() throws {
        try set(.enabled)
        try world.delete("a")
        let error = #expect(throws: S3Error.self) { try world.write { try $0.deleteBucket(id: world.bucket.id) } }
        #expect(error?.code == .bucketNotEmpty)
        let marker = try #require(
            try world.read { try $0.latestVersion(bucketID: world.bucket.id, key: MetadataScenario.key("a")) })
        try world.write {
            _ = try $0.commitDelete(
                bucketID: world.bucket.id, key: marker.key, version: .id(marker.id), unless: { _ in })
            try $0.deleteBucket(id: world.bucket.id)
        }
    }

    @Test func `a version of another key or bucket is not found`() throws {
        try set(.enabled)
        let version = try world.put("a")
        let (a, b) = (version.key, MetadataScenario.key("b"))
        let places = [(world.bucket.id, b), (world.bucket.id + 1, a), (world.bucket.id, a)]
        let found = try world.read { db in
            try places.map { try db.version(bucketID: $0.0, key: $0.1, .id(version.id)) }
        }
        #expect(found == [nil, nil, version])
    }

    @Test func `a marker that is gone leaves no version out`() throws {
        try set(.enabled)
        let versions = try (1...5).map { try world.put("a", size: Int64($0)) }
        let page = try world.read { try $0.listVersions(ListingQuery(bucketID: world.bucket.id, limit: 2)) }
        #expect(page.isTruncated)
        try world.write { db in
            for version in versions.suffix(2) {
                _ = try db.commitDelete(
                    bucketID: world.bucket.id, key: version.key, version: .id(version.id), unless: { _ in })
            }
        }
        let rest = try world.read {
            try $0.listVersions(
                ListingQuery(bucketID: world.bucket.id, after: Array("a".utf8), limit: 9),
                after: VersionMarker(.id(versions[3].id)))
        }
        #expect(rest.entries.count == 3)
        guard case .version(let first)? = rest.entries.first else { return }
        #expect(first.isLatest && first.sizeBytes == 3)
    }

    /// The sizes on the page of key `a` that follows a marker.
    private func sizes(after marker: VersionMarker) throws -> [Int64] {
        let query = ListingQuery(bucketID: world.bucket.id, after: Array("a".utf8), limit: 99)
        return try world.read { try $0.listVersions(query, after: marker) }.entries.compactMap { entry in
            if case .version(let version) = entry, version.key.text == "a" { version.sizeBytes } else { nil }
        }
    }

    @Test(arguments: 1...8)
    func `the page after a version that is gone, row and all, repeats nothing and misses nothing`(
        seed: UInt64
    ) throws {
        var random = SeededNumbers(seed: seed)
        try set(.enabled)
        var versions: [ObjectVersion] = []
        for size in 1...20 {
            versions.append(try world.put("a", size: Int64(size)))
            // Others take sequences in between.
            for _ in 0..<Int.random(in: 0..<5, using: &random) { try world.put("b") }
        }
        let gone = versions.filter { _ in Bool.random(using: &random) }
        for version in gone {
            try world.write { db in
                _ = try db.commitDelete(
                    bucketID: world.bucket.id, key: version.key, version: .id(version.id), unless: { _ in })
                for replica in try db.replicas(of: version.id) {
                    try db.deleteReplica(versionID: version.id, backendID: replica.backendID)
                }
                #expect(try db.version(id: version.id) == nil)
            }
        }
        let left = Set(versions).subtracting(gone)
        for marker in versions {
            let wanted = versions.filter { left.contains($0) && $0.sequence < marker.sequence }.map(\.sizeBytes)
            let found = try sizes(after: VersionMarker(.id(marker.id), lastModified: marker.lastModified))
            #expect(found == wanted.reversed())
        }
    }

    @Test func `null written again is not the null of the page before`() throws {
        try set(.enabled)
        try world.put("a", size: 1)
        try set(.suspended)
        let null = try world.put("a", size: 2)
        try set(.enabled)
        try world.put("a", size: 3)
        try set(.suspended)
        try world.put("a", size: 4)
        #expect(try sizes(after: VersionMarker(.null, lastModified: null.lastModified)) == [1])
        #expect(try sizes(after: VersionMarker(.null)) == [3, 1])
    }

    @Test func `a marker reads what it wrote, and plain version ids`() throws {
        let id = VersionID(at: Timestamp(milliseconds: 1_795_364_790_000))
        let time = Timestamp(milliseconds: 1_795_364_790_123)
        #expect(VersionMarker(text: id.text) == VersionMarker(.id(id)))
        #expect(VersionMarker(text: VersionMarker.text(id.text, time)) == VersionMarker(.id(id), lastModified: time))
        #expect(
            VersionMarker(text: Array("null-12".utf8)) == VersionMarker(.null, lastModified: .init(milliseconds: 12)))
        for bad in ["", "-1", "null-", "null--1", "null-x", "nul-1", "\(id)-1-", "\(id)-9999999999999999999"] {
            #expect(VersionMarker(text: Array(bad.utf8)) == nil, "\(bad)")
        }
    }

    @Test func `common prefixes stand for all versions below them`() throws {
        try set(.enabled)
        for key in ["a", "dir/x", "dir/x", "dir/y", "z"] { try world.put(key) }
        try world.delete("dir/y")
        func markers(_ query: ListingQuery) throws -> [String] {
            try world.read { try $0.listVersions(query) }.entries.map { String(decoding: $0.marker, as: UTF8.self) }
        }
        let slash = Array("/".utf8)
        let whole = ListingQuery(bucketID: world.bucket.id, delimiter: slash, limit: 9)
        #expect(try markers(whole) == ["a", "dir/", "z"])
        var rest = whole
        rest.after = Array("dir/".utf8)
        #expect(try markers(rest) == ["z"])
        rest.prefix = Array("dir/".utf8)
        rest.after = []
        #expect(try markers(rest) == ["dir/x", "dir/x", "dir/y", "dir/y"])
    }

    /// Steps of SQLite's machine for one page from the middle of `count` versions of one key, or below one prefix.
    private static func steps(_ count: Int, isOneKey: Bool) throws -> Int {
        let world = try MetadataScenario()
        var middle: ObjectVersion?
        try world.write { db in
            try db.setVersioning(bucketID: world.bucket.id, .enabled)
            for number in 0..<count {
                let key = isOneKey ? "big/key" : "big/\(1_000_000 + number)"
                let stored = try db.commitPut(
                    world.newVersion(MetadataScenario.key(key), present: 0), unless: { _ in })
                if number == count / 2 { middle = stored }
            }
            _ = try db.commitPut(world.newVersion(MetadataScenario.key("z"), present: 0), unless: { _ in })
        }
        _ = try world.read { try #require($0 as? SQLiteConnection).plans() }
        let page = try world.read { db in
            try isOneKey
                ? db.listVersions(
                    ListingQuery(bucketID: world.bucket.id, after: Array("big/key".utf8), limit: 20),
                    after: middle.map { VersionMarker(.id($0.id)) })
                : db.listVersions(ListingQuery(bucketID: world.bucket.id, delimiter: [0x2F], limit: 20))
        }
        #expect(page.entries.count == (isOneKey ? 20 : 2))
        return try world.read { db in
            try #require(db as? SQLiteConnection).plans().reduce(0) { $0 + $1.machineSteps }
        }
    }

    @Test(arguments: [true, false]) func `a page of versions costs the same among few and many`(isOneKey: Bool) throws {
        let small = try Self.steps(100, isOneKey: isOneKey)
        #expect(small > 0 && small < 2_000)
        #expect(try Self.steps(5_000, isOneKey: isOneKey) == small)
    }
}
