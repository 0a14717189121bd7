import Core
import Testing

@Suite struct LedgerTests {
    let world: MetadataScenario

    init() throws { world = try MetadataScenario() }

    private func rows() throws -> [(entry: LedgerEntry, hash: [UInt8])] {
        try world.read { try $0.ledgerEntries(after: 0, limit: 10_000) }
    }

    /// What the ledger tells of one version: event and backend.
    private func told(_ id: VersionID) throws -> [String] {
        try rows().map(\.entry).filter { $0.versionID == id }.map { entry in
            let backend = world.backends.first { $0.id == entry.backendID }
            return "\(entry.event.rawValue) \(backend?.name ?? "?")"
        }
    }

    /// Written from docs/PROTOCOL.md alone.
    private func expectedHash(_ entry: LedgerEntry, after previous: [UInt8]) -> [UInt8] {
        let number = { (value: Int64?) in value.map(String.init) ?? "" }
        let lines = [
            "s3gw-ledger-1", String(entry.sequence), String(entry.recordedAt.milliseconds), Hex.text(previous),
            entry.event.rawValue, number(entry.tenantID), number(entry.bucketID),
            entry.versionID?.description ?? "", number(entry.backendID),
        ]
        return Crypto.sha256(Array(lines.joined(separator: "\n").utf8) + [0x0A] + entry.details)
    }

    @Test func `every row has the next number and the hash of itself and the one before`() throws {
        try world.put("a", present: 1, pending: 1)
        try world.put("a", present: 2)
        try world.delete("a")
        var previous = [UInt8](repeating: 0, count: 32)
        let rows = try rows()
        #expect(rows.map(\.entry.sequence) == Array(1...Int64(rows.count)))
        for row in rows {
            #expect(row.hash == expectedHash(row.entry, after: previous))
            previous = row.hash
        }
        #expect(try world.read { try $0.ledgerHead() } == LedgerHead(sequence: Int64(rows.count), hash: previous))
    }

    @Test func `settings are told as they were made`() throws {
        try world.write { db in
            try db.setPolicy(tenantID: world.tenant.id, json: Array(#"{"replicas":{"count":2}}"#.utf8), at: .now())
            try db.removePolicy(tenantID: world.tenant.id, at: .now())
            try db.setPolicy(bucketID: world.bucket.id, json: Array("{}".utf8), at: .now())
            try db.setBackend(id: world.backends[0].id, state: .draining)
            try db.setBackend(id: world.backends[0].id, state: .draining)
            try db.setBackend(id: world.backends[1].id, state: .lost)
            try db.deleteBucket(id: world.bucket.id)
            try db.deleteBackend(id: world.backends[0].id)
        }
        let entries = try rows().map(\.entry)
        #expect(
            entries.map(\.event) == [
                .backendAdded, .backendAdded, .bucketCreated, .policySet, .policyRemoved, .policySet, .backendChanged,
                .backendLost, .bucketDeleted, .backendRemoved,
            ])
        let words = entries.map { String(decoding: $0.details, as: UTF8.self) }
        #expect(words[3] == #"{"version":1,"policy":{"replicas":{"count":2}}}"#)
        #expect(words[4] == #"{"version":2}"#)
        #expect(words[6].contains(#""name":"b0","state":"draining","location":{"region":"fi-hel-1","country":"FI""#))
        #expect(entries[5].tenantID == world.tenant.id && entries[5].bucketID == world.bucket.id)
    }

    @Test func `a replica is told of when its bytes may come, are there, and are gone`() throws {
        let new = world.newVersion(MetadataScenario.key("a"), present: 1, pending: 1)
        let missing = Replica(
            versionID: new.version.id, backendID: world.backends[1].id, physicalBucket: "",
            physicalKey: new.pending[0].physicalKey, state: .pending)
        let id = new.version.id
        let other = world.backends[1].id
        try world.write { db in
            _ = try db.commitPut(NewVersion(version: new.version, present: new.present, pending: [missing])) { _ in }
        }
        #expect(try told(id) == ["present b0"])
        try world.write { (db) throws in
            #expect(try db.setReplica(versionID: id, backendID: other, physicalBucket: "s3gw-x-b1"))
        }
        #expect(try told(id) == ["present b0", "granted b1"])
        try world.write { (db) throws in
            #expect(try db.setReplica(versionID: id, backendID: other, state: .present))
            #expect(try db.setReplica(versionID: id, backendID: other, state: .present))
        }
        #expect(try told(id) == ["present b0", "granted b1", "present b1"])
        try world.delete("a")
        #expect(try told(id).count == 3, "a dead version's bytes are there until they were removed")
        try world.write { db in
            try db.setBackend(id: other, state: .lost)
            for backend in world.backends { try db.deleteReplica(versionID: id, backendID: backend.id) }
        }
        #expect(try told(id) == ["present b0", "granted b1", "present b1", "removed b0", "dropped b1"])
    }

    @Test func `a replica that was never sent is never told of`() throws {
        let new = world.newVersion(MetadataScenario.key("a"), present: 1)
        let id = new.version.id
        try world.write { db in
            _ = try db.commitPut(new) { _ in }
            let replica = Replica(
                versionID: id, backendID: world.backends[1].id, physicalBucket: "", physicalKey: [1], state: .pending)
            #expect(try db.insertReplica(replica))
            try db.deleteReplica(versionID: id, backendID: world.backends[1].id)
        }
        #expect(try told(id) == ["present b0"])
    }

    @Test func `the parts of an upload are told of before they are sent, and when they are gone`() throws {
        let upload = world.newUpload("dir/u")
        let place = world.place(of: upload)
        try world.write { db in
            try db.insertUpload(upload, places: [place])
            try db.endUpload(id: upload.id, at: .now())
            try db.deletePlace(uploadID: upload.id, backendID: place.backendID, isCleared: true)
        }
        #expect(try told(upload.id) == ["granted b0", "removed b0"])
    }

    @Test func `a write that is refused tells nothing`() throws {
        let before = try rows().count
        #expect(throws: S3Error.self) {
            try world.write { db in
                _ = try db.commitPut(world.newVersion(MetadataScenario.key("a")), unless: { _ in })
                throw S3Error(.preconditionFailed)
            }
        }
        #expect(try rows().count == before)
    }

    @Test(arguments: ["UPDATE ledger SET recorded_at = 0 WHERE sequence = 1", "DELETE FROM ledger WHERE sequence = 1"])
    func `the database refuses to change a row`(change: String) throws {
        let connection = try SQLiteConnection(path: world.path)
        let error = #expect(throws: S3Error.self) { try connection.script(change) }
        #expect(error?.cause?.contains("append-only") == true)
        #expect(try rows().first?.entry.recordedAt != Timestamp(milliseconds: 0))
    }

    @Test func `an older database's ledger begins with what is there`() throws {
        let version = try world.put("a", present: 1, pending: 1)
        try world.write { db in
            try db.setPolicy(tenantID: world.tenant.id, json: Array("{}".utf8), at: .now())
            try db.setPolicy(bucketID: world.bucket.id, json: Array("{}".utf8), at: .now())
            try db.insertUpload(world.newUpload("u"), places: [world.place(of: world.newUpload("u"))])
        }
        let connection = try SQLiteConnection(path: world.path)
        try connection.script("DROP TRIGGER ledger_refuses_delete; DELETE FROM ledger")
        _ = try Database.create(path: world.path)
        #expect(
            try rows().map(\.entry.event) == [
                .backendAdded, .backendAdded, .policySet, .bucketCreated, .policySet, .present, .granted, .granted,
            ])
        #expect(try told(version.id) == ["present b0", "granted b1"])
    }

    @Test func `what became present lately is summed`() throws {
        let version = try world.put("a", size: 70, present: 1, pending: 1)
        let backend = world.backends[1].id
        try world.write { (db) throws in
            #expect(try db.setReplica(versionID: version.id, backendID: backend, state: .present))
        }
        let (now, other, later) = try world.read { db in
            (
                try db.progress(backendID: backend, minutes: 10, at: .now()),
                try db.progress(backendID: world.backends[0].id, minutes: 10, at: .now()),
                try db.progress(backendID: backend, minutes: 10, at: .now().adding(seconds: 3600))
            )
        }
        #expect(now == (1, 70) && other == (0, 0) && later == (0, 0))
    }
}
