/// Uploads in parts: a directory beside the uploads in one piece, each part a file whose name is used once.
///
/// The directory's name follows from the object's, so that no id can be lost. A part uploaded again is another file, and
/// the one that the completion names is taken: two writers of one part cannot mix.
extension FileBackend {
    private static let uploadPrefix = "parts-"
    private static let partTokenBytes = 16

    private func uploadName(_ object: PhysicalObject) -> FileName {
        FileName(Self.uploadPrefix + Hex.text(Crypto.sha256(Array("\(object.bucket)/".utf8) + object.key)))
    }

    package func createUpload(
        _ object: PhysicalObject, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> String {
        guard grant.backendID == record.id else { throw failure(.refused, "placement granted another backend") }
        guard !object.key.isEmpty, object.key.count <= ObjectKey.maximumBytes else {
            throw failure(.refused, "a key has 1 to \(ObjectKey.maximumBytes) bytes")
        }
        if let name = description.unstorableField { throw failure(.refused, "metadata cannot be stored: \(name)") }
        guard try hasBucket(object.bucket) else { throw failure(.missing, "no such bucket") }
        let name = uploadName(object)
        try translating { () throws(FileError) in
            let uploads = try openTemporaryDirectory()
            do throws(FileError) { try uploads.makeDirectory(name) } catch {
                guard error.code == FileError.exists else { throw error }
            }
            try Self.writeObjectName(object, in: try uploads.directory(name))
            try uploads.synchronize()
        }
        return String(decoding: name.bytes, as: UTF8.self)
    }

    /// The file that says which object an upload is of, `BUCKET/KEY`: the directory's name is a hash.
    private static let objectName = FileName("object")
    private static let longestObjectName = 64 + ObjectKey.maximumBytes

    private static func writeObjectName(
        _ object: PhysicalObject, in upload: borrowing FileDescriptor
    ) throws(FileError) {
        do throws(FileError) {
            let file = try upload.createFile(objectName)
            try write(Array("\(object.bucket)/".utf8) + object.key, to: file)
            try file.synchronize()
            try upload.synchronize()
        } catch {
            // Begun before: the name is the same.
            guard error.code == FileError.exists else { throw error }
        }
    }

    /// All are read at once: there are never many.
    package func listUploads(
        _ bucket: String, after: BackendUpload?, limit: Int
    ) throws(BackendError) -> [BackendUpload] {
        _ = try bucketName(bucket)
        let prefix = Array("\(bucket)/".utf8)
        return try translating { () throws(FileError) in
            let uploads = try openTemporaryDirectory()
            var names: [FileName] = []
            try uploads.forEachName { name, _ in
                if name.bytes.starts(with: Self.uploadPrefix.utf8) { names.append(name) }
                return true
            }
            var found: [BackendUpload] = []
            for name in names {
                var object = [UInt8](repeating: 0, count: Self.longestObjectName)
                do throws(FileError) {
                    let count = try uploads.directory(name).file(Self.objectName).read(into: &object, at: 0)
                    object.removeLast(object.count - count)
                } catch {
                    // Ended meanwhile, or about to begin.
                    guard error.code == FileError.notFound else { throw error }
                    continue
                }
                guard object.starts(with: prefix) else { continue }
                found.append(
                    BackendUpload(
                        key: Array(object.dropFirst(prefix.count)),
                        uploadID: String(decoding: name.bytes, as: UTF8.self)))
            }
            found.sort { $0.key.lexicographicallyPrecedes($1.key) }
            return Array(found.filter { after?.key.lexicographicallyPrecedes($0.key) ?? true }.prefix(limit))
        }
    }

    package func uploadPart(
        _ object: PhysicalObject, uploadID: String, number: PartNumber, from source: PayloadReader, sizeBytes: Int64,
        md5: [UInt8]?, grant: PlacementGrant
    ) throws(BackendError) -> PartReceipt {
        guard grant.backendID == record.id else { throw failure(.refused, "placement granted another backend") }
        let upload = try openUpload(object)
        let token = "\(number.value)-\(Hex.text(Crypto.randomBytes(Self.partTokenBytes)))"
        let name = FileName(token)
        do throws(BackendError) {
            let file = try translating { () throws(FileError) in try upload.createFile(name) }
            let digest = try copy(
                source, to: file,
                description: ObjectDescription(sizeBytes: sizeBytes, md5: md5, sha256: nil, metadata: []))
            try translating { () throws(FileError) in
                try file.synchronize()
                try upload.synchronize()
            }
            return PartReceipt(md5: digest, token: token)
        } catch {
            TemporaryFile.discard(name, in: upload)
            throw error
        }
    }

    package func completeUpload(
        _ object: PhysicalObject, uploadID: String, as whole: NativeObject
    ) throws(BackendError) {
        if try isComplete(object, whole) { return try abortUploads(object, uploadID: uploadID) }
        if let name = whole.description.unstorableField {
            throw failure(.refused, "metadata cannot be stored: \(name)")
        }
        let bucket = try bucketName(object.bucket)
        let uploads = try translating { () throws(FileError) in try openTemporaryDirectory() }
        let data = TemporaryFile.freshName()
        let meta = TemporaryFile.freshName()
        defer {
            TemporaryFile.discard(data, in: uploads)
            TemporaryFile.discard(meta, in: uploads)
        }
        let dataFile = try translating { () throws(FileError) in try TemporaryFile.create(data, in: uploads) }
        try join(whole.parts, of: try openUpload(object), into: dataFile)
        let sidecar = ObjectSidecar(
            sizeBytes: whole.description.sizeBytes, md5: MultipartETag.split(whole.eTag)?.digest ?? [],
            metadata: whole.description.metadata)
        try translating { () throws(FileError) in
            guard try dataFile.status().sizeBytes == whole.description.sizeBytes else {
                throw FileError(call: "the parts are not as long as the object", code: FileError.invalid)
            }
            try dataFile.synchronize()
            let metaFile = try TemporaryFile.create(meta, in: uploads)
            try Self.write(sidecar.bytes, to: metaFile)
            try metaFile.synchronize()
        }
        try commit(FileKeyPath(key: object.key), bucket: bucket, data: data, meta: meta, from: uploads)
        try abortUploads(object, uploadID: uploadID)
    }

    private func join(
        _ parts: [NativePart], of upload: borrowing FileDescriptor, into file: borrowing FileDescriptor
    ) throws(BackendError) {
        for part in parts {
            guard part.token.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) || $0 == 0x2D })
            else { throw failure(.refused, "not a part of ours") }
            let copied = try translating { () throws(FileError) in
                try file.append(try upload.file(FileName(part.token)), sizeBytes: part.sizeBytes)
            }
            guard copied == part.sizeBytes else { throw failure(.damaged, "a part is shorter than it was") }
        }
    }

    /// Tells whether an earlier call made exactly this object; throws `.damaged` when it made another.
    private func isComplete(_ object: PhysicalObject, _ whole: NativeObject) throws(BackendError) -> Bool {
        guard let stored = try head(object) else { return false }
        guard stored.sizeBytes == whole.description.sizeBytes,
            stored.eTag == MultipartETag.split(whole.eTag).map({ Hex.text($0.digest) })
        else { throw failure(.damaged, "the store completed the upload with other parts") }
        return true
    }

    package func abortUploads(_ object: PhysicalObject, uploadID: String?) throws(BackendError) {
        let name = uploadName(object)
        try translating { () throws(FileError) in
            try Self.ignoringMissing { () throws(FileError) in
                let uploads = try openTemporaryDirectory()
                // A part that is being written at this moment makes the directory refuse once or twice.
                for attempt in 1...Self.maximumAttempts {
                    let upload = try uploads.directory(name)
                    var parts: [FileName] = []
                    try upload.forEachName { name, _ in
                        parts.append(name)
                        return true
                    }
                    for part in parts { TemporaryFile.discard(part, in: upload) }
                    do throws(FileError) {
                        try uploads.removeDirectory(name)
                        break
                    } catch {
                        guard attempt < Self.maximumAttempts,
                            error.code == FileError.notEmpty || error.code == FileError.exists
                        else { throw error }
                    }
                }
                try uploads.synchronize()
            }
        }
    }

    private func openUpload(_ object: PhysicalObject) throws(BackendError) -> FileDescriptor {
        do throws(FileError) { return try openTemporaryDirectory().directory(uploadName(object)) } catch {
            throw failure(error)
        }
    }
}
