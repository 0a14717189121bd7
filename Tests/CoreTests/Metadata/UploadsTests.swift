import Core
import Testing

extension MetadataScenario {
    func newUpload(_ key: String, at time: Timestamp = start, state: UploadState = .creating) -> Upload {
        Upload(
            id: VersionID(at: time), bucketID: bucket.id, key: Self.key(key), state: state, storageClass: "STANDARD",
            checksumAlgorithm: .crc32, checksumType: .composite,
            headers: [HeaderField(name: "content-type", value: Array("text/plain".utf8))], initiatedAt: time)
    }

    func place(of upload: Upload, on backend: Int = 0) -> UploadPlace {
        UploadPlace(
            uploadID: upload.id, backendID: backends[backend].id, bucketID: bucket.id,
            physicalBucket: "s3gw-x-\(backends[backend].name)", physicalKey: upload.key.bytes + upload.id.text)
    }

    func newPart(_ number: Int, size: Int64 = 5, md5: UInt8 = 1) -> UploadPart {
        // swift-format-ignore: NeverForceUnwrap
        UploadPart(
            number: PartNumber(number)!, sizeBytes: size, md5: [UInt8](repeating: md5, count: 16),
            checksum: ObjectChecksum(algorithm: .crc32, value: [1, 2, 3, md5]), lastModified: Self.start,
            tokens: Dictionary(uniqueKeysWithValues: backends.map { ($0.id, "token=\(md5)") }))
    }

    /// An upload that its client knows, on the first `places` backends.
    @discardableResult
    func begin(_ key: String, at time: Timestamp = start, places: Int = 1) throws -> Upload {
        let upload = newUpload(key, at: time)
        try write { (db) throws in
            try db.insertUpload(upload, places: (0..<places).map { self.place(of: upload, on: $0) })
            #expect(try db.openUpload(id: upload.id))
        }
        return upload
    }
}

@Suite struct UploadsTests {
    let world: MetadataScenario

    init() throws { world = try MetadataScenario() }

    func found(_ upload: Upload, key: String? = nil, bucketID: Int64? = nil) throws -> Upload? {
        try world.read { db in
            try db.upload(
                id: upload.id, bucketID: bucketID ?? upload.bucketID,
                key: key.map(MetadataScenario.key) ?? upload.key)
        }
    }

    @Test func `an upload is found under its own bucket and key only, and not before it is open`() throws {
        var upload = world.newUpload("k")
        try world.write { try $0.insertUpload(upload, places: []) }
        #expect(try found(upload) == nil)
        #expect(try world.write { try $0.openUpload(id: upload.id) })
        upload.state = .open
        #expect(try found(upload) == upload)
        #expect(try found(upload, key: "other") == nil)
        #expect(try found(upload, bucketID: upload.bucketID + 1) == nil)
    }

    @Test func `a part uploaded again replaces the first, and none is taken once the completion began`() throws {
        let upload = try world.begin("k")
        try world.write { (db) throws in
            #expect(try db.putPart(world.newPart(7), of: upload.id))
            #expect(try db.putPart(world.newPart(3), of: upload.id))
            #expect(try db.putPart(world.newPart(7, size: 9, md5: 2), of: upload.id))
            #expect(
                try db.uploadParts(upload.id, limit: 10) == [world.newPart(3), world.newPart(7, size: 9, md5: 2)])
            #expect(try db.uploadParts(upload.id, after: 3, limit: 10).map(\.number.value) == [7])
            #expect(try db.beginCompletion(id: upload.id, eTag: "e-2"))
            #expect(try !db.putPart(world.newPart(8), of: upload.id))
        }
    }

    @Test func `a completion may be repeated as the same object and not begun as another`() throws {
        let upload = try world.begin("k")
        try world.write { (db) throws in
            #expect(try !db.isCompleting(id: upload.id, eTag: "a-1"))
            #expect(try db.beginCompletion(id: upload.id, eTag: "a-1"))
            #expect(try db.beginCompletion(id: upload.id, eTag: "a-1"))
            #expect(try !db.beginCompletion(id: upload.id, eTag: "b-1"))
            #expect(try db.isCompleting(id: upload.id, eTag: "a-1"))
            #expect(try db.endUpload(id: upload.id, at: MetadataScenario.start))
            #expect(try !db.beginCompletion(id: upload.id, eTag: "a-1"))
        }
    }

    @Test func `ending an upload leaves a job for each place but those that became replicas`() throws {
        let upload = try world.begin("k", places: 2)
        try world.write { (db) throws in
            #expect(try db.putPart(world.newPart(1), of: upload.id))
            try db.endUpload(id: upload.id, completed: [world.backends[0].id], at: MetadataScenario.start)
            #expect(try db.uploadParts(upload.id, limit: 10).isEmpty)
            #expect(try db.uploadPlaces(upload.id).map(\.state) == [.ending])
            let jobs = try db.jobs(state: .ready, limit: 10)
            #expect(jobs.map(\.kind) == [.endUpload] && jobs.map(\.backendID) == [world.backends[1].id])
            #expect(jobs.map(\.versionID) == [upload.id])
            #expect(try !db.endUpload(id: upload.id, at: MetadataScenario.start))
        }
        #expect(try found(upload) == nil)
    }

    @Test func `what arrives after the end is written down to be cleared`() throws {
        let upload = try world.begin("k")
        try world.write { (db) throws in
            try db.endUpload(id: upload.id, at: MetadataScenario.start)
            try db.deletePlace(uploadID: upload.id, backendID: world.backends[0].id)
            try db.endPlace(world.place(of: upload), at: MetadataScenario.start)
            #expect(try db.uploadPlaces(upload.id).map(\.state) == [.ending])
        }
    }

    @Test func `abandoned uploads are found by their age, the oldest first`() throws {
        let old = try world.begin("old")
        let young = try world.begin("young", at: MetadataScenario.start.adding(seconds: 100))
        let limit = MetadataScenario.start.adding(seconds: 50)
        try world.write { (db) throws in
            #expect(try db.endUploads(begunBefore: limit, limit: 10, at: limit) == 1)
            #expect(try db.endUploads(begunBefore: limit, limit: 10, at: limit) == 0)
        }
        #expect(try found(old) == nil)
        #expect(try found(young) != nil)
    }

    @Test func `of uploads whose creation was cut short only those that no client can know are ended`() throws {
        let limit = MetadataScenario.start.adding(seconds: 50)
        let known = try world.begin("known")
        let young = world.newUpload("young", at: limit)
        try world.write { (db) throws in
            for upload in [world.newUpload("cut"), young] {
                try db.insertUpload(upload, places: [world.place(of: upload)])
            }
            #expect(try db.endUploads(creationCutShortBefore: limit, limit: 10, at: limit) == 1)
            #expect(try db.endUploads(creationCutShortBefore: limit, limit: 10, at: limit) == 0)
            #expect(try db.jobs(state: .ready, limit: 10).map(\.kind) == [.endUpload])
            #expect(try db.openUpload(id: young.id))
        }
        #expect(try found(known) != nil)
    }

    @Test func `a bucket that is deleted ends its uploads`() throws {
        let upload = try world.begin("k")
        try world.write { (db) throws in
            try db.deleteBucket(id: world.bucket.id, at: MetadataScenario.start)
            #expect(try db.jobs(state: .ready, limit: 10).map(\.kind) == [.endUpload])
            #expect(try db.hasUploadPlaces(backendID: world.backends[0].id, physicalBucket: "s3gw-x-b0"))
            #expect(throws: S3Error.self) { try db.insertUpload(world.newUpload("late"), places: []) }
        }
        #expect(try found(upload) == nil)
    }

    @Test func `the parts of a version go with its row`() throws {
        let version = try world.put("k", present: 0)
        let parts = [1, 4].map { number in
            VersionPart(
                number: world.newPart(number).number, offset: Int64(number), sizeBytes: 3,
                md5: world.newPart(number).md5, checksum: number == 1 ? [1, 2, 3, 4] : nil)
        }
        try world.write { try $0.insertVersionParts(parts, of: version.sequence) }
        #expect(try world.read { try $0.versionParts(sequence: version.sequence) } == parts)
        try world.delete("k")
        #expect(try world.read { try $0.versionParts(sequence: version.sequence) }.isEmpty)
    }

    // MARK: Listing

    func keys(_ query: UploadListingQuery) throws -> (entries: [String], isTruncated: Bool) {
        let page = try world.read { try $0.listUploads(query) }
        let names = page.entries.map { entry in
            switch entry {
            case .upload(let upload): upload.key.text
            case .commonPrefix(let prefix): "(\(String(decoding: prefix, as: UTF8.self)))"
            }
        }
        return (names, page.isTruncated)
    }

    @Test func `uploads are listed by key and age, rolled up, and paged without a gap or a repetition`() throws {
        var all: [Upload] = []
        for (index, key) in ["a", "b/1", "b/1", "b/2", "b0", "c/x"].enumerated() {
            all.append(try world.begin(key, at: MetadataScenario.start.adding(seconds: Int64(index))))
        }
        try world.write { try $0.insertUpload(world.newUpload("b/0"), places: []) }
        let id = world.bucket.id
        let whole = try keys(UploadListingQuery(bucketID: id, limit: 100))
        #expect(whole.entries == ["a", "b/1", "b/1", "b/2", "b0", "c/x"] && !whole.isTruncated)
        #expect(try keys(UploadListingQuery(bucketID: id, prefix: Array("b/".utf8), limit: 100)).entries.count == 3)
        let slash = Array("/".utf8)
        let rolled = try keys(UploadListingQuery(bucketID: id, delimiter: slash, limit: 100))
        #expect(rolled.entries == ["a", "(b/)", "b0", "(c/)"] && !rolled.isTruncated)
        let first = try keys(UploadListingQuery(bucketID: id, delimiter: slash, limit: 2))
        #expect(first.entries == ["a", "(b/)"] && first.isTruncated)
        let second = try keys(
            UploadListingQuery(bucketID: id, delimiter: slash, afterKey: Array("b/".utf8), limit: 2))
        #expect(second.entries == ["b0", "(c/)"] && !second.isTruncated)

        var seen: [Upload] = []
        var query = UploadListingQuery(bucketID: id, limit: 1)
        while true {
            let page = try world.read { try $0.listUploads(query) }
            for case .upload(let upload) in page.entries {
                seen.append(upload)
                query.afterKey = upload.key.bytes
                query.afterID = upload.id
            }
            guard page.isTruncated else { break }
            #expect(page.entries.count == 1)
        }
        #expect(seen.map(\.id) == all.map(\.id))
        let pastB1 = try keys(UploadListingQuery(bucketID: id, afterKey: Array("b/1".utf8), limit: 100))
        #expect(pastB1.entries == ["b/2", "b0", "c/x"])
    }
}
