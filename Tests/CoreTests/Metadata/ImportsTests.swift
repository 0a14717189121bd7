import Core
import Testing

@Suite struct ImportsTests {
    let world: MetadataScenario
    static let start = MetadataScenario.start

    init() throws { world = try MetadataScenario() }

    private func begin(_ name: String = "adopted") throws -> ImportRecord {
        try world.write { db in
            try db.beginImport(
                bucketID: world.bucket.id, backendID: world.backends[0].id, physicalBucket: name, at: Self.start)
        }
    }

    /// Adopts an object under its own key; false when it was left alone.
    private func adopt(_ key: String, at place: String? = nil) throws -> Bool {
        try world.write { db in
            let version = world.newVersion(MetadataScenario.key(key)).version
            let replica = Replica(
                versionID: version.id, backendID: world.backends[0].id, physicalBucket: "adopted",
                physicalKey: Array((place ?? key).utf8), state: .present)
            return try db.adopt(version, at: replica) != nil
        }
    }

    private func delete(_ key: String) throws {
        _ = try world.write { db in
            try db.commitDelete(
                bucketID: world.bucket.id, key: MetadataScenario.key(key), at: Self.start, unless: { _ in })
        }
    }

    private func refusal(_ body: () throws -> ImportRecord) -> S3Error.Code? {
        do {
            _ = try body()
            return nil
        } catch { return (error as? S3Error)?.code }
    }

    @Test func `an import goes on where it was, and begins anew once it is done`() throws {
        let begun = try begin()
        #expect(begun.position == nil && begun.state == .running)
        #expect(
            try world.write { db in try db.advanceImport(begun, to: [0x62], adopted: 2, bytes: 20, skipped: 1) })
        let resumed = try begin()
        #expect(resumed.id == begun.id && resumed.position == [0x62] && resumed.adopted == 2)
        try world.write { db in try db.finishImport(resumed, at: Self.start) }
        let again = try begin()
        #expect(again.position == nil && again.adopted == 0 && again.state == .running)
    }

    @Test func `of two processes that import one place only one goes on`() throws {
        let record = try begin()
        let advance = { (db: any SQLConnection) in
            try db.advanceImport(record, to: [0x62], adopted: 1, bytes: 1, skipped: 0)
        }
        #expect(try world.write(advance))
        #expect(try !world.write(advance))
    }

    @Test func `a place belongs to one bucket, and a bucket has one place on a backend`() throws {
        _ = try begin()
        #expect(refusal { try begin("another") } == .invalidRequest)
        let other = try world.write { db in
            try db.insertBucket(
                tenantID: world.tenant.id, name: try BucketName(validating: Array("other".utf8)), region: "eu",
                locations: [], createdAt: Self.start)
        }
        let backend = world.backends[0].id
        #expect(
            refusal {
                try world.write { db in
                    try db.beginImport(
                        bucketID: other.id, backendID: backend, physicalBucket: "adopted", at: Self.start)
                }
            } == .invalidRequest)
        let mapping = try world.read { db in try db.mapping(bucketID: world.bucket.id, backendID: backend) }
        #expect(mapping?.isAdopted == true && mapping?.physicalName == "adopted")
    }

    @Test func `what clients wrote or deleted since wins`() throws {
        let record = try begin()
        _ = try world.put("written")
        #expect(try !adopt("written"))
        try delete("never there")
        #expect(try !adopt("never there"))
        #expect(try adopt("fresh"))
        #expect(try !adopt("fresh"), "its key is taken")
        try delete("fresh")
        #expect(try !adopt("fresh again", at: "fresh"), "its bytes wait for their removal")
        #expect(try !adopt("fresh"))
        try world.write { db in try db.finishImport(record, at: Self.start) }
        try delete("written")
        #expect(try !adopt("never there") && !adopt("written"), "not by a later import either")
    }

    @Test func `a deletion of the null version is one of what was not imported yet`() throws {
        _ = try begin()
        _ = try world.put("written")
        for key in ["written", "never there"] {
            _ = try world.write { db in
                try db.commitDelete(
                    bucketID: world.bucket.id, key: MetadataScenario.key(key), version: .null, at: Self.start,
                    unless: { _ in })
            }
            #expect(try !adopt(key))
        }
    }

    @Test func `deletions are remembered only while an import runs`() throws {
        try delete("before")
        _ = try begin()
        #expect(try adopt("before"))
    }
}
