import Core
import Testing

@Suite struct ListingTests {
    /// The definition of a listing, without any index: what the database is compared with.
    struct Model {
        let keys: [[UInt8]]

        func entry(_ key: [UInt8], _ query: ListingQuery) -> [UInt8] {
            guard !query.delimiter.isEmpty, key.count >= query.prefix.count + query.delimiter.count else { return key }
            for start in query.prefix.count...(key.count - query.delimiter.count)
            where Array(key[start..<(start + query.delimiter.count)]) == query.delimiter {
                return Array(key[..<(start + query.delimiter.count)])
            }
            return key
        }

        func page(_ query: ListingQuery) -> (markers: [[UInt8]], isTruncated: Bool) {
            var markers: [[UInt8]] = []
            for key in keys where key.starts(with: query.prefix) {
                let marker = entry(key, query)
                if query.after.lexicographicallyPrecedes(marker), markers.last != marker { markers.append(marker) }
            }
            if query.limit == 0 { return ([], false) }
            return (Array(markers.prefix(query.limit)), markers.count > query.limit)
        }
    }

    static let pieces: [[UInt8]] = [
        "a", "b", "/", "//", "\u{e9}", "e\u{301}", "\u{10FFFF}", "\u{FFFD}", "\0", "\u{7F}",
    ].map { Array($0.utf8) }

    static func text(_ random: inout SeededNumbers, upTo count: Int) -> [UInt8] {
        (0..<Int.random(in: 0...count, using: &random)).flatMap { _ in pieces.randomElement(using: &random) ?? [] }
    }

    static func world(keys: some Collection<[UInt8]>) throws -> MetadataScenario {
        let world = try MetadataScenario(backends: 1)
        try world.write { db in
            for key in keys {
                let new = world.newVersion(ObjectKey(stored: key), size: Int64(key.count))
                _ = try db.commitPut(new, unless: { _ in })
            }
        }
        return world
    }

    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func `every page agrees with the definition`(seed: UInt64) throws {
        var random = SeededNumbers(seed: seed)
        let keys = Set((0..<80).map { _ in Self.text(&random, upTo: 6) }.filter { !$0.isEmpty })
        let model = Model(keys: keys.sorted { $0.lexicographicallyPrecedes($1) })
        let world = try Self.world(keys: keys.shuffled(using: &random))
        let delimiters = Self.pieces + [[], [], [0x2F, 0x61], [0xC3], [0xFF], [0xFF, 0xFF]]
        try world.read { (db) throws in
            for _ in 0..<300 {
                let query = ListingQuery(
                    bucketID: world.bucket.id, prefix: Self.text(&random, upTo: 2),
                    delimiter: delimiters.randomElement(using: &random) ?? [],
                    after: Self.text(&random, upTo: 4) + (Bool.random(using: &random) ? [] : [0xFF]),
                    limit: Int.random(in: 0...12, using: &random))
                let page = try db.list(query)
                let expected = model.page(query)
                #expect(page.entries.map(\.marker) == expected.markers, "\(query)")
                #expect(page.isTruncated == expected.isTruncated, "\(query)")
                #expect(page.nextMarker == (expected.isTruncated ? expected.markers.last : nil), "\(query)")
                for case .object(let object) in page.entries { #expect(keys.contains(object.key.bytes)) }
            }
        }
    }

    @Test(arguments: 101...108 as ClosedRange<UInt64>)
    func `pages joined by their markers are the whole listing`(seed: UInt64) throws {
        var random = SeededNumbers(seed: seed)
        let keys = Set((0..<120).map { _ in Self.text(&random, upTo: 6) }.filter { !$0.isEmpty })
        let model = Model(keys: keys.sorted { $0.lexicographicallyPrecedes($1) })
        let world = try Self.world(keys: keys)
        for delimiter in Self.pieces + [[]] {
            var query = ListingQuery(bucketID: world.bucket.id, delimiter: delimiter, limit: 10_000)
            let whole = model.page(query).markers
            query.limit = Int.random(in: 1...7, using: &random)
            var joined: [[UInt8]] = []
            while joined.count <= whole.count {
                let page = try world.read { try $0.list(query) }
                joined += page.entries.map(\.marker)
                guard let next = page.nextMarker else { break }
                query.after = next
            }
            #expect(joined == whole)
        }
    }

    @Test func `an entry shows what was put`() throws {
        let world = try MetadataScenario()
        let version = try world.put("docs/a.txt", size: 77)
        let page = try world.read { try $0.list(ListingQuery(bucketID: world.bucket.id, limit: 10)) }
        let expected = ListedObject(
            key: version.key, sizeBytes: 77, eTag: version.eTag, lastModified: version.lastModified,
            storageClass: "STANDARD", checksumAlgorithm: .crc32)
        #expect(page.entries == [.object(expected)])
    }

    @Test func `buckets are listed by name, below a prefix, after a marker`() throws {
        let world = try MetadataScenario()
        try world.write { db in
            for name in ["alpha", "alpine", "beta", "photos-2", "zeta"] {
                _ = try db.insertBucket(
                    tenantID: world.tenant.id, name: try BucketName(validating: Array(name.utf8)), region: "eu",
                    locations: [], createdAt: MetadataScenario.start)
            }
        }
        func names(_ prefix: String, _ after: [UInt8]?, _ limit: Int) throws -> [String] {
            try world.read {
                try $0.buckets(tenantID: world.tenant.id, prefix: Array(prefix.utf8), after: after, limit: limit)
            }.map(\.name.text)
        }
        #expect(try names("", nil, 10) == ["alpha", "alpine", "beta", "photos", "photos-2", "zeta"])
        #expect(try names("alp", nil, 1) == ["alpha"])
        #expect(try names("alp", Array("alpha".utf8), 10) == ["alpine"])
        #expect(try names("photos", Array("a".utf8), 10) == ["photos", "photos-2"])
        #expect(try names("", Array("photos".utf8), 10) == ["photos-2", "zeta"])
        #expect(try names("\u{e9}", nil, 10) == [])
        #expect(try names("", [0xFF], 10) == [])
    }
}
