import Testing

@testable import Core

/// What a backend keeps of a version is the version again.
@Suite struct VersionDescriptionTests {
    static let proof = DescriptionProof { Crypto.hmacSHA256(key: [1, 2, 3], message: $0) }

    static func description(headers: [HeaderField] = [], tags: [Core.Tag] = [], parts: [VersionPart] = []) throws
        -> VersionDescription
    {
        let checksum = ObjectChecksum(algorithm: .crc32, value: [0, 1, 254, 255], partCount: parts.isEmpty ? nil : 2)
        let version = ObjectVersion(
            id: VersionID(at: Timestamp(milliseconds: 1_800_000_000_123)), sequence: 0, bucketID: 0,
            key: ObjectKey(stored: Array("a =%/\u{1}☃".utf8)), isDeleteMarker: false, sizeBytes: 12,
            eTag: parts.isEmpty ? String(repeating: "0a", count: 16) : String(repeating: "0a", count: 16) + "-2",
            lastModified: Timestamp(milliseconds: 1_800_000_000_456), storageClass: "STANDARD_IA", checksum: checksum,
            headers: headers, isNull: false, tags: tags)
        return VersionDescription(tenant: "aa", bucket: Array("photos".utf8), version: version, parts: parts)
    }

    static let awkward = [
        HeaderField(name: "x-amz-meta-under_score", value: Array("a: b%41 \u{e9}".utf8)),
        HeaderField(name: "x-amz-meta-raw", value: [0xff, 0x20, 0x3a]), HeaderField(name: "content-type", value: []),
    ]

    @Test func `fields in any order give the version back`() throws {
        let number = try #require(PartNumber(1)), second = try #require(PartNumber(7))
        let parts = [
            VersionPart(number: number, offset: 0, sizeBytes: 5, md5: [UInt8](repeating: 1, count: 16), checksum: [1]),
            VersionPart(number: second, offset: 5, sizeBytes: 7, md5: [UInt8](repeating: 2, count: 16), checksum: nil),
        ]
        let tags = [
            Core.Tag(storedKey: Array("k=%".utf8), value: Array("v=é".utf8)), Core.Tag(storedKey: [0x62], value: []),
        ]
        let whole = try Self.description(headers: Self.awkward, tags: tags, parts: parts)
        #expect(VersionDescription(whole.fields().shuffled()) == whole)
        #expect(whole.fields().allSatisfy { $0.value.allSatisfy { (0x21...0x7E).contains($0) } })
    }

    @Test func `a changed, added or missing field breaks the proof`() throws {
        var fields = try Self.description(headers: Self.awkward).fields()
        Self.proof.sign(&fields)
        #expect(Self.proof.holds(for: fields.shuffled() + [HeaderField(name: "other", value: [1])]))
        for index in fields.indices {
            var changed = fields
            changed[index].value[0] ^= 1
            #expect(!Self.proof.holds(for: changed), "\(fields[index].name)")
            changed.remove(at: index)
            #expect(!Self.proof.holds(for: changed), "\(fields[index].name)")
        }
        #expect(!Self.proof.holds(for: fields + [HeaderField(name: "s3gw-null", value: [0x31])]))
        #expect(!DescriptionProof { Crypto.hmacSHA256(key: [9], message: $0) }.holds(for: fields))
    }

    @Test func `a record gives its content back, and a changed one nothing`() throws {
        let description = try Self.description(headers: Self.awkward)
        for content in [VersionRecord.Content.live(description), .dead] {
            let place = RecordedPlace(backend: "old", bucket: "photos", key: Array("a/b c%2F\u{e9}".utf8) + [0xFF])
            let record = VersionRecord(
                versionID: description.version.id, revision: 42, tenant: "aa", bucket: description.bucket,
                content: content, places: [place])
            let bytes = record.bytes(Self.proof)
            #expect(VersionRecord(reading: bytes, proof: Self.proof) == record)
            for index in stride(from: 0, to: bytes.count, by: 7) {
                var changed = bytes
                changed[index] ^= 1
                #expect(VersionRecord(reading: changed, proof: Self.proof) != record)
            }
            #expect(VersionRecord(reading: Array(bytes.dropLast()), proof: Self.proof) == nil)
        }
    }

    @Test func `metadata stays within what stores keep, and says when something is left out`() throws {
        let bucket = Bucket(
            id: 1, tenantID: 1, name: try BucketName(validating: Array("photos".utf8)), region: "eu", locations: [],
            versioning: .unversioned, createdAt: Timestamp(milliseconds: 0))
        let tenant = Tenant(
            id: 1, name: "a", canonicalID: String(repeating: "a", count: 64), displayName: "a",
            createdAt: Timestamp(milliseconds: 0))
        for length in [0, 100, 1000, 2000] {
            let header = HeaderField(name: "x-amz-meta-a", value: [UInt8](repeating: 0x76, count: length))
            let version = try Self.description(headers: [header]).version
            let description = ObjectDescription(of: version, in: bucket, tenant: tenant, md5: nil, proof: Self.proof)
            let size = description.metadata.reduce(0) { $0 + $1.name.utf8.count + $1.value.count }
            #expect(size <= 2048)
            #expect(description.isWhole == (length < 2000))
            #expect(Self.proof.holds(for: description.metadata))
        }
    }

    @Test func `no key is too long for what stores keep`() throws {
        let bucket = Bucket(
            id: 1, tenantID: 1, name: try BucketName(validating: [UInt8](repeating: 0x62, count: 63)), region: "eu",
            locations: [], versioning: .unversioned, createdAt: Timestamp(milliseconds: 0))
        let tenant = Tenant(
            id: 1, name: "a", canonicalID: String(repeating: "a", count: 64), displayName: "a",
            createdAt: Timestamp(milliseconds: 0))
        let header = HeaderField(name: "x-amz-meta-a", value: [UInt8](repeating: 0x76, count: 2000))
        for length in [1, 340, 341, 342, 455, 456, 457, 512, 1023, 1024] {
            for byte in [UInt8(0x61), 0x20, 0xFB, 0xFF] {
                var version = try Self.description(headers: [header]).version
                version.key = ObjectKey(stored: [UInt8](repeating: byte, count: length))
                version.sizeBytes = .max
                let sent = ObjectDescription(of: version, in: bucket, tenant: tenant, md5: nil, proof: Self.proof)
                #expect(sent.metadata.reduce(0) { $0 + $1.name.utf8.count + $1.value.count } <= 2048)
                let read = try #require(VersionDescription(sent.metadata), "\(length) of \(byte)")
                #expect(read.version.key == version.key && read.version.eTag == version.eTag)
                #expect(read.version.checksum == version.checksum)
                #expect(ObjectDescription.unpack(Array(sent.packed[0].value.utf8)) == sent.metadata)
            }
        }
    }

    @Test func `keys of records and documents read back`() throws {
        let id = VersionID(at: .now())
        #expect(RecoveryKey.record(reading: RecoveryKey.record(id, revision: 7))?.version == id)
        #expect(RecoveryKey.record(reading: RecoveryKey.record(id, revision: 7))?.revision == 7)
        #expect(RecoveryKey.document(reading: RecoveryKey.document("tenant/3", generation: 9))?.name == "tenant/3")
        #expect(RecoveryKey.document(reading: RecoveryKey.record(id, revision: 7)) == nil)
        let later = RecoveryKey.record(id, revision: 10)
        #expect(RecoveryKey.record(id, revision: 9).lexicographicallyPrecedes(later))
    }

    /// Every column of these tables is either in what backends keep, or can be found out again: a new one has to be
    /// thought of here.
    @Test func `no column of a version is forgotten`() throws {
        let known: [String: Set<String>] = [
            "versions": [
                "sequence", "id", "bucket_id", "key", "state", "is_delete_marker", "size_bytes", "etag",
                "last_modified", "storage_class", "checksum_algorithm", "checksum", "headers", "is_null", "tags",
            ],
            "version_parts": ["version_sequence", "number", "start", "size_bytes", "md5", "checksum"],
            "replicas": ["version_sequence", "backend_id", "physical_bucket", "physical_key", "state"],
        ]
        let world = try MetadataScenario()
        for (table, columns) in known {
            let found = try world.read { sql in
                let statement = try sql.statement(made: "SELECT * FROM \(table) LIMIT 0")
                defer { statement.finish() }
                return Set(statement.columnNames)
            }
            #expect(found == columns, "\(table): say how a rebuild finds the new column")
        }
    }
}
