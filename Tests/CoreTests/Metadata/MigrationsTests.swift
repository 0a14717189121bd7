import Core
import Foundation
import Testing

@Suite struct MigrationsTests {
    let world: MetadataScenario

    init() throws { world = try MetadataScenario() }

    func cause(opening path: String) -> String {
        let error = #expect(throws: S3Error.self) { try Database.open(path: path) }
        #expect(error?.code.status ?? 0 >= 500)
        return error?.cause ?? ""
    }

    @Test func `a second init keeps everything`() throws {
        let version = try world.put("a")
        let again = try Database.create(path: world.path)
        let found = try again.read { (db) throws(S3Error) in
            try db.currentVersion(bucketID: world.bucket.id, key: MetadataScenario.key("a"))
        }
        #expect(found == version)
    }

    @Test func `a database that is missing, empty or no database says what to do`() throws {
        let missing = world.directory.appendingPathComponent("missing.db").path
        #expect(cause(opening: missing).contains("s3gw init"))
        #expect(!FileManager.default.fileExists(atPath: missing))
        let empty = world.directory.appendingPathComponent("empty.db").path
        #expect(FileManager.default.createFile(atPath: empty, contents: nil))
        #expect(cause(opening: empty).contains("run: s3gw init"))
        let text = world.directory.appendingPathComponent("text.db").path
        #expect(FileManager.default.createFile(atPath: text, contents: Data(repeating: 65, count: 8_192)))
        #expect(cause(opening: text).contains("not a database"))
    }

    @Test func `a newer schema is refused, by init too`() throws {
        let connection = try SQLiteConnection(path: world.path)
        try connection.script("INSERT INTO schema_migrations (version, name, applied_at) VALUES (999, 'later', 0)")
        #expect(cause(opening: world.path).contains("run a newer program"))
        #expect(throws: S3Error.self) { try Database.create(path: world.path) }
    }

    @Test func `an older schema asks for init`() throws {
        let connection = try SQLiteConnection(path: world.path)
        try connection.script("UPDATE schema_migrations SET version = version - 100")
        #expect(cause(opening: world.path).contains("run: s3gw init"))
    }

    @Test func `several processes may init at once`() throws {
        let path = world.directory.appendingPathComponent("new.db").path
        #expect(Threads.run(6) { _ in _ = try Database.create(path: path) } == [])
        _ = try Database.open(path: path)
    }

    @Test func `only its owner can read the file`() throws {
        let attributes = try FileManager.default.attributesOfItem(atPath: world.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func `what is committed survives a power cut: full sync, in WAL mode, with foreign keys`() throws {
        // Found by the file's own words: the settings are per connection and cannot be asked for from outside.
        let connection = try SQLiteConnection(path: world.path)
        for (pragma, value) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
            #expect(try connection.setting(pragma) == value)
        }
        try connection.begin(writing: true)
        defer { connection.rollBack() }
        #expect(throws: S3Error.self) {
            try connection.script(
                "INSERT INTO mappings VALUES (1, 999, 0, 'name', 1, 'ready')")
        }
    }
}
