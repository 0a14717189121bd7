import Testing

@testable import Core

/// The walk over a bucket finds what looking at everything at once finds, wherever its pages end.
@Suite struct LifecyclePageTests {
    private static let day: Int64 = 86_400_000
    private static let now = Timestamp(milliseconds: MetadataScenario.start.milliseconds + 40 * day)

    private static func pick(_ words: [String], _ random: inout SeededGenerator) -> String {
        words[Int.random(in: 0..<words.count, using: &random)]
    }

    /// Keys of some versions each, objects and delete markers, written over 40 days.
    private static func fill(_ world: MetadataScenario, _ random: inout SeededGenerator) throws {
        try world.write { try $0.setVersioning(bucketID: world.bucket.id, .enabled) }
        for _ in 0..<120 {
            let key = MetadataScenario.key(
                Self.pick(["a/", "b/", "c/"], &random) + "\(Int.random(in: 0..<8, using: &random))")
            let time = Timestamp(
                milliseconds: MetadataScenario.start.milliseconds + Int64.random(in: 0..<40, using: &random) * day)
            if Int.random(in: 0..<4, using: &random) == 0 {
                _ = try world.write {
                    try $0.commitDelete(bucketID: world.bucket.id, key: key, at: time, unless: { _ in })
                }
            } else {
                try world.put(key.text, at: time, size: Int64.random(in: 0..<10, using: &random))
            }
        }
        for number in 0..<20 {
            let upload = world.newUpload("\(Self.pick(["a/", "b/"], &random))\(number % 7)")
            try world.write { try $0.insertUpload(upload, places: []) }
        }
    }

    private static func rules(_ random: inout SeededGenerator) throws -> Lifecycle {
        let filters = [
            "<Filter/>", "<Filter><Prefix>a/</Prefix></Filter>", "<Filter><Prefix>b/3</Prefix></Filter>",
            "<Filter><Prefix>c/</Prefix></Filter>",
            "<Filter><ObjectSizeGreaterThan>4</ObjectSizeGreaterThan></Filter>",
        ]
        var inside: [String] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let days = Int.random(in: 1...30, using: &random)
            let newer = Bool.random(using: &random) ? Int.random(in: 1...3, using: &random) : nil
            let choices = [
                LifecycleTests.days(days, Self.pick(filters, &random)),
                LifecycleTests.noncurrent(days, keeping: newer, Self.pick(filters, &random)),
                LifecycleTests.markers,
                """
                <Filter><Prefix>a/</Prefix></Filter><AbortIncompleteMultipartUpload>\
                <DaysAfterInitiation>\(days)</DaysAfterInitiation></AbortIncompleteMultipartUpload>
                """,
            ]
            inside.append(Self.pick(choices, &random))
        }
        var lifecycle = try LifecycleTests.rules(inside[0])
        for each in inside.dropFirst() { lifecycle.rules += try LifecycleTests.rules(each).rules }
        return lifecycle
    }

    /// Every version and upload that is due, from all rows at once.
    private static func wanted(_ world: MetadataScenario, _ rules: Lifecycle) throws -> Set<VersionID> {
        try world.read { sql in
            let rows = try sql.lifecycleVersions(bucketID: world.bucket.id, from: [], prefix: [], limit: 10_000)
            var due: Set<VersionID> = []
            for (_, versions) in Dictionary(grouping: rows, by: \.key) {
                for (index, row) in versions.enumerated() {
                    let standing: LifecycleStanding =
                        index == 0
                        ? .current(isOnly: versions.count == 1)
                        : .noncurrent(since: versions[index - 1].lastModified, newer: index - 1)
                    if let end = rules.due(LifecycleSubject(row), standing), end.at <= now { due.insert(row.id) }
                    let version = try #require(try sql.version(id: row.id))
                    let told = try LifecycleSweeper.standing(of: version, sql)
                    #expect(row.isDeleteMarker || index > 0 ? told == standing : told == .current(isOnly: false))
                }
            }
            let uploads = try sql.lifecycleUploads(bucketID: world.bucket.id, after: [], [], prefix: [], limit: 10_000)
            #expect(uploads.count == 20)
            for row in uploads {
                if let end = rules.due(uploadOf: row.key.bytes, initiatedAt: row.initiatedAt), end.at <= now {
                    due.insert(row.id)
                }
            }
            return due
        }
    }

    @Test(arguments: 1...12)
    func `pages of any size find what is due, each once`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let world = try MetadataScenario()
        try Self.fill(world, &random)
        for _ in 0..<6 {
            let rules = try Self.rules(&random)
            let wanted = try Self.wanted(world, rules)
            for limit in [1, 2, 3, 7, 500] {
                var found: [VersionID] = []
                var position: LifecyclePosition? = LifecyclePosition(
                    bucketID: world.bucket.id, stage: .versions, from: [])
                var pages = 0
                while let at = position {
                    let page = try world.read { sql in
                        try LifecyclePage(at: at, of: world.bucket, rules, Self.now, limit: limit, sql)
                    }
                    found += page.due
                    position = page.next
                    pages += 1
                    try #require(pages < 500, "it goes on")
                }
                #expect(found.count == Set(found).count)
                #expect(Set(found) == wanted)
            }
        }
    }
}

@Suite struct LifecyclePassTests {
    private let world: MetadataScenario
    private let now = MetadataScenario.start

    init() throws { world = try MetadataScenario() }

    private func claim(_ owner: String, at time: Timestamp, interval: Int64 = 1000) throws -> LifecyclePass? {
        try world.write { sql in
            try sql.claimLifecyclePass(
                owner: owner, now: time, until: time.adding(seconds: 60), longestLease: time.adding(seconds: 120),
                intervalMilliseconds: interval)
        }
    }

    @Test func `one worker looks at a time, and a lost claim saves nothing`() throws {
        var first = try #require(try claim("one", at: now))
        #expect(try claim("two", at: now.adding(seconds: 59)) == nil)
        first.position = LifecyclePosition(bucketID: 7, stage: .uploads, from: [1])
        #expect(try world.write { try $0.saveLifecyclePass(first) })
        let second = try #require(try claim("two", at: now.adding(seconds: 60)))
        #expect(second.position == first.position && second.begunAt == now, "it goes on where the other one stood")
        first.position = LifecyclePosition(bucketID: 9, stage: .versions, from: [])
        #expect(try !world.write { try $0.saveLifecyclePass(first) })
        #expect(try world.read { try $0.lifecyclePass() } == second)
    }

    @Test func `a look begins again after the interval`() throws {
        var pass = try #require(try claim("one", at: now))
        pass.finishedAt = now.adding(seconds: 100)
        (pass.leaseOwner, pass.leaseUntil) = (nil, nil)
        (pass.looked, pass.found) = (5, 3)
        #expect(try world.write { try $0.saveLifecyclePass(pass) })
        #expect(try claim("one", at: now.adding(seconds: 199), interval: 200_000) == nil)
        let next = try #require(try claim("one", at: now.adding(seconds: 200), interval: 200_000))
        #expect(next.finishedAt == nil && next.looked == 0 && next.found == 0)
        #expect(next.position == LifecyclePosition(bucketID: 0, stage: .versions, from: []))
    }

    @Test func `a clock that was ahead stops nobody`() throws {
        let ahead = try #require(try claim("ahead", at: now.adding(seconds: 1200)))
        #expect(try claim("one", at: now) != nil, "a lease that ends in twenty minutes is none of ours")
        #expect(try !world.write { try $0.saveLifecyclePass(ahead) })
        var pass = try #require(try world.read { try $0.lifecyclePass() })
        (pass.finishedAt, pass.leaseOwner, pass.leaseUntil) = (now, nil, nil)
        pass.begunAt = now.adding(seconds: 1200)
        #expect(try world.write { try $0.saveLifecyclePass(pass) })
        #expect(try claim("one", at: now, interval: 86_400_000) != nil)
    }
}
