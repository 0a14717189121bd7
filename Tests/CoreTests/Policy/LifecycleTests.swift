import Testing

@testable import Core

/// What the rules say of one version, by the rules alone.
@Suite struct LifecycleTests {
    static func time(_ text: String) throws -> Timestamp { try #require(Timestamp(iso8601: Array(text.utf8))) }

    static func rules(_ inside: String...) throws -> Lifecycle {
        let all = inside.enumerated().map { "<Rule><ID>\($0.offset)</ID><Status>Enabled</Status>\($0.element)</Rule>" }
        return try Lifecycle(
            parsing: Array("<LifecycleConfiguration>\(all.joined())</LifecycleConfiguration>".utf8))
    }

    static func days(_ days: Int, _ filter: String = "<Filter/>") -> String {
        "\(filter)<Expiration><Days>\(days)</Days></Expiration>"
    }

    static func noncurrent(_ days: Int, keeping newer: Int? = nil, _ filter: String = "<Filter/>") -> String {
        let kept = newer.map { "<NewerNoncurrentVersions>\($0)</NewerNoncurrentVersions>" } ?? ""
        return """
            \(filter)<NoncurrentVersionExpiration><NoncurrentDays>\(days)</NoncurrentDays>\(kept)\
            </NoncurrentVersionExpiration>
            """
    }

    static let markers =
        "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"

    static func object(
        _ key: String = "k", at written: String = "2026-01-15T10:30:00.000Z", size: Int64 = 5,
        tags: [String: String] = [:], isMarker: Bool = false
    ) throws -> LifecycleSubject {
        LifecycleSubject(
            key: Array(key.utf8), isDeleteMarker: isMarker, sizeBytes: size,
            tags: tags.map { Core.Tag(storedKey: Array($0.key.utf8), value: Array($0.value.utf8)) },
            lastModified: try time(written))
    }

    private func day(_ rules: Lifecycle, _ subject: LifecycleSubject, _ standing: LifecycleStanding? = nil) -> String? {
        (rules.due(subject, standing ?? .current(isOnly: true))?.at.iso8601).map { String($0.prefix(16)) }
    }

    @Test(arguments: [
        // The example of the User Guide: 3 days after January 15, 10:30 is January 19.
        ("2026-01-15T10:30:00.000Z", 3, "2026-01-19T00:00"), ("2026-01-15T00:00:00.000Z", 1, "2026-01-16T00:00"),
        ("2026-01-15T00:00:00.001Z", 1, "2026-01-17T00:00"), ("2026-01-15T23:59:59.999Z", 1, "2026-01-17T00:00"),
        ("2024-02-27T12:00:00.000Z", 1, "2024-02-29T00:00"), ("1969-12-30T12:00:00.000Z", 1, "1970-01-01T00:00"),
    ])
    func `days are counted to the next midnight`(written: String, days: Int, end: String) throws {
        #expect(try day(Self.rules(Self.days(days)), Self.object(at: written)) == end)
    }

    @Test func `the longest lifetime is no overflow`() throws {
        let due = try Self.rules(Self.days(Int(Int32.max))).due(Self.object(), .current(isOnly: true))
        #expect(try #require(due).at.milliseconds > Int64(Int32.max) * 86_400_000)
    }

    @Test func `of several rules the earliest wins, and is named`() throws {
        let rules = try Self.rules(Self.days(9), Self.days(3), Self.days(3, "<Prefix>k</Prefix>"), Self.days(5))
        let due = try #require(try rules.due(Self.object(), .current(isOnly: true)))
        #expect(due.ruleID == Array("1".utf8))
        #expect(try day(rules, Self.object()) == "2026-01-19T00:00")
    }

    @Test func `a date is about every object, however new`() throws {
        let rules = try Self.rules("<Filter/><Expiration><Date>2026-01-01</Date></Expiration>")
        #expect(try day(rules, Self.object()) == "2026-01-01T00:00")
        #expect(try day(rules, Self.object(), .noncurrent(since: Self.time("2020-01-01T00:00:00Z"), newer: 0)) == nil)
    }

    @Test func `a disabled rule says nothing`() throws {
        var rules = try Self.rules(Self.days(1), Self.noncurrent(1), Self.markers)
        for index in rules.rules.indices { rules.rules[index].isEnabled = false }
        let long = try Self.time("2020-01-01T00:00:00Z")
        #expect(try day(rules, Self.object()) == nil)
        #expect(try day(rules, Self.object(isMarker: true)) == nil)
        #expect(try day(rules, Self.object(), .noncurrent(since: long, newer: 9)) == nil)
        #expect(rules.versionPrefixes == [])
    }

    private static let both = "<Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value></Value></Tag>"

    @Test(arguments: [
        ("<Prefix></Prefix>", true), ("<Prefix>k/</Prefix>", true), ("<Prefix>K/</Prefix>", false),
        ("<Prefix>k/1/</Prefix>", false), ("<Tag><Key>a</Key><Value>1</Value></Tag>", true),
        ("<Tag><Key>a</Key><Value>2</Value></Tag>", false), ("<Tag><Key>c</Key><Value></Value></Tag>", false),
        ("<ObjectSizeGreaterThan>4</ObjectSizeGreaterThan>", true),
        ("<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>", false),
        ("<ObjectSizeLessThan>6</ObjectSizeLessThan>", true), ("<ObjectSizeLessThan>5</ObjectSizeLessThan>", false),
        ("<And>\(both)</And>", true), ("<And><Prefix>k</Prefix>\(both)</And>", true),
        ("<And><Prefix>x</Prefix>\(both)</And>", false),
        ("<And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>\(both)</And>", false), ("", true),
    ])
    func `a filter is met when all of it is`(filter: String, isMet: Bool) throws {
        let rules = try Self.rules(
            Self.days(1, "<Filter>\(filter)</Filter>"), Self.noncurrent(1, "<Filter>\(filter)</Filter>"))
        let object = try Self.object("k/1", tags: ["a": "1", "b": ""])
        #expect((day(rules, object) != nil) == isMet)
        #expect(
            try (day(rules, object, .noncurrent(since: Self.time("2026-01-15T10:30:00Z"), newer: 0)) != nil) == isMet)
    }

    @Test func `a noncurrent version goes by the time since it is one`() throws {
        let rules = try Self.rules(Self.noncurrent(3))
        let since = try Self.time("2026-01-15T10:30:00.000Z")
        let old = try Self.object(at: "2020-01-01T00:00:00.000Z")
        #expect(day(rules, old, .noncurrent(since: since, newer: 0)) == "2026-01-19T00:00")
        #expect(day(rules, old) == nil, "not while it is current")
        let marker = try Self.object(isMarker: true)
        #expect(day(rules, marker, .noncurrent(since: since, newer: 0)) == "2026-01-19T00:00")
    }

    @Test(arguments: [(0, false), (1, false), (2, true), (3, true)])
    func `the newest noncurrent versions are kept`(newer: Int, goes: Bool) throws {
        let rules = try Self.rules(Self.noncurrent(1, keeping: 2))
        let since = try Self.time("2026-01-01T00:00:00.000Z")
        #expect(try (day(rules, Self.object(), .noncurrent(since: since, newer: newer)) != nil) == goes)
    }

    @Test func `a delete marker goes only when it hides nothing`() throws {
        let marker = try Self.object(isMarker: true)
        for rule in [Self.markers, Self.days(3)] {
            let rules = try Self.rules(rule)
            #expect(day(rules, marker, .current(isOnly: false)) == nil)
            #expect(day(rules, marker, .current(isOnly: true)) != nil)
        }
        #expect(try day(Self.rules(Self.markers), marker) == "2026-01-15T10:30", "at once")
        #expect(try day(Self.rules(Self.days(3)), marker) == "2026-01-19T00:00")
        #expect(try day(Self.rules(Self.markers), Self.object()) == nil, "an object is no marker")
        #expect(try day(Self.rules(Self.noncurrent(1)), marker) == nil)
    }

    @Test func `a rule about tags or sizes is about no delete marker`() throws {
        let marker = try Self.object(isMarker: true)
        let small = "<Filter><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter>"
        let rules = try Self.rules(
            Self.days(1, small), Self.noncurrent(1, small),
            Self.days(1, "<Filter><Tag><Key>a</Key><Value>1</Value></Tag></Filter>"))
        #expect(day(rules, marker) == nil)
        #expect(try day(rules, marker, .noncurrent(since: Self.time("2020-01-01T00:00:00Z"), newer: 9)) == nil)
        #expect(try day(rules, Self.object()) != nil)
    }

    @Test func `an upload goes by the time it began`() throws {
        let abort =
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation>"
            + "</AbortIncompleteMultipartUpload>"
        let rules = try Self.rules("<Filter><Prefix>u/</Prefix></Filter>\(abort)", Self.days(1))
        let begun = try Self.time("2026-01-15T10:30:00.000Z")
        #expect(rules.due(uploadOf: Array("u/k".utf8), initiatedAt: begun)?.at.iso8601 == "2026-01-18T00:00:00.000Z")
        #expect(rules.due(uploadOf: Array("k".utf8), initiatedAt: begun) == nil)
        #expect(rules.uploadPrefixes == [Array("u/".utf8)])
    }

    @Test func `prefixes of rules are told once, without those that another one covers`() throws {
        let texts = ["b/", "a/x", "a/", "b/", "c", "a/y/"]
        let rules = try Lifecycle(
            rules: texts.map { text in
                try Self.rules(Self.days(1, "<Filter><Prefix>\(text)</Prefix></Filter>")).rules[0]
            })
        #expect(rules.versionPrefixes.map { String(decoding: $0, as: UTF8.self) } == ["a/", "b/", "c"])
        #expect(try Self.rules(Self.days(1), Self.days(2, "<Prefix>a</Prefix>")).versionPrefixes == [[]])
        func range(_ key: String) -> String? {
            LifecyclePage.range(from: Array(key.utf8), rules.versionPrefixes).map {
                String(decoding: $0.key + Array(" ".utf8) + $0.prefix, as: UTF8.self)
            }
        }
        #expect(range("") == "a/ a/")
        #expect(range("a/k") == "a/k a/")
        #expect(range("a0") == "b/ b/")
        #expect(range("b/9") == "b/9 b/")
        #expect(range("c") == "c c")
        #expect(range("d") == nil)
    }
}
