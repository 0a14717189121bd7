import Core
import Testing

@Suite struct NamingTests {
    private func key(_ text: String) throws -> ObjectKey { try ObjectKey(validating: Array(text.utf8)) }

    @Test func `a version's name is 26 characters and reads back`() {
        for _ in 0..<1000 {
            let version = VersionID(at: .now())
            #expect(version.text.count == 26)
            #expect(VersionID(text: version.text) == version)
            #expect(VersionID(stored: version.bytes) == version)
        }
        #expect(VersionID(text: Array("8ZZZZZZZZZZZZZZZZZZZZZZZZZ".utf8)) == nil)
        #expect(VersionID(text: Array("0123456789abcdefghijklmnop".utf8)) == nil)
    }

    @Test func `later versions sort after earlier ones by their text`() {
        let early = VersionID(at: Timestamp(milliseconds: 1_000_000))
        let late = VersionID(at: Timestamp(milliseconds: 1_000_001))
        #expect(early.text.lexicographicallyPrecedes(late.text))
    }

    @Test(arguments: [
        ("photos/cat.jpg", "photos/cat.jpg"), ("a b", "a=20b"), ("a//b", "a/=/b"), ("../x", "=2E=2E/x"), (".", "=2E"),
        ("a=b", "a=3Db"), ("dir/", "dir/="), ("é", "=C3=A9"), ("a~b", "a=7Eb"), ("\u{1}", "=01"), ("...", "..."),
    ])
    func `a physical key is readable and safe`(logical: String, readable: String) throws {
        let version = VersionID(at: .now())
        #expect(PhysicalKey.make(try key(logical), version) == Array((readable + "~" + version.description).utf8))
    }

    @Test(arguments: [
        ("", S3Error.Code.invalidURI), ("a\0b", .invalidURI), (String(repeating: "k", count: 1025), .keyTooLong),
    ])
    func `what no key can be`(text: String, wanted: S3Error.Code) {
        #expect(code { _ = try key(text) } == wanted)
    }

    @Test func `a physical key never exceeds 1,024 bytes and never repeats`() throws {
        let version = VersionID(at: .now())
        let long = (0..<4).map { String(repeating: "é", count: 511) + String($0) }
        let physical = try long.map { PhysicalKey.make(try key($0), version) }
        #expect(physical.allSatisfy { $0.count <= 1024 && $0.starts(with: Array("=long/".utf8)) })
        #expect(Set(physical).count == long.count)
        let copies = try (900...1024).map { PhysicalKey.makeCopy(try key(String(repeating: "a", count: $0)), version) }
        #expect(copies.allSatisfy { $0.count <= 1024 })
    }

    @Test(arguments: [
        "photos/cat.jpg", "a~b", "~", String(repeating: "k", count: 960), String(repeating: "é", count: 511),
    ])
    func `a copy that is made again has a key of its own that tells its version`(logical: String) throws {
        let logical = try key(logical)
        let version = VersionID(at: Timestamp(milliseconds: 5))
        let first = PhysicalKey.make(logical, version)
        let copies = (1...3).map { PhysicalKey.makeCopy(logical, version, at: Timestamp(milliseconds: 1000 * $0)) }
        let keys = [first] + copies
        #expect(Set(keys).count == keys.count)
        #expect(keys.allSatisfy { PhysicalKey.version(reading: $0) == version })
        #expect(keys.allSatisfy { PhysicalKey.isKey($0, of: logical, version) })
        #expect(zip(keys, copies).allSatisfy { $0.lexicographicallyPrecedes($1) })
        let other = VersionID(at: Timestamp(milliseconds: 5))
        #expect(!keys.contains { PhysicalKey.isKey($0, of: logical, other) })
        #expect(!PhysicalKey.isKey(PhysicalKey.makeCopy(logical, other), of: logical, version))
        #expect(!PhysicalKey.isKey(PhysicalKey.make(try key("other"), version), of: logical, version))
        #expect(PhysicalKey.version(reading: Array("photos/cat.jpg".utf8)) == nil)
    }

    @Test func `physical bucket names are legal, deterministic and differ by every field`() throws {
        let naming = PhysicalBucketNaming { Crypto.hmacSHA256(key: Array("k".utf8), message: $0) }
        let bucket = try BucketName(validating: Array("photos".utf8))
        let other = try BucketName(validating: Array("photo".utf8))
        let backend = String(repeating: "b", count: PhysicalBucketNaming.maximumBackendNameLength)
        let names = [
            naming.name(tenant: "t", regionScope: "r", bucket: bucket, backend: backend, counter: 0),
            naming.name(tenant: "u", regionScope: "r", bucket: bucket, backend: backend, counter: 0),
            naming.name(tenant: "t", regionScope: "s", bucket: bucket, backend: backend, counter: 0),
            naming.name(tenant: "t", regionScope: "r", bucket: other, backend: backend, counter: 0),
            naming.name(tenant: "t", regionScope: "r", bucket: bucket, backend: "b", counter: 0),
            naming.name(tenant: "t", regionScope: "r", bucket: bucket, backend: backend, counter: 1),
            // Length prefixes keep moved boundaries apart.
            naming.name(tenant: "tr", regionScope: "", bucket: bucket, backend: backend, counter: 0),
        ]
        #expect(Set(names).count == names.count)
        for name in names { #expect(throws: Never.self) { try BucketName(validating: Array(name.utf8)) } }
        #expect(names[0] == naming.name(tenant: "t", regionScope: "r", bucket: bucket, backend: backend, counter: 0))
        #expect(PhysicalBucketNaming.looksLikeOurs(names[0], backend: backend))
        #expect(PhysicalBucketNaming.looksLikeOurs(naming.recoveryName(backend: "fi"), backend: "fi"))
        let hash = String(repeating: "a", count: PhysicalBucketNaming.hashLength)
        for name in ["s3gw-\(hash)-de", "s3gw-\(hash)a-fi", "s3gw-\(hash.dropLast())1-fi", "s3gx-\(hash)-fi", "fi", ""]
        {
            #expect(!PhysicalBucketNaming.looksLikeOurs(name, backend: "fi"), "\(name)")
        }
    }
}
