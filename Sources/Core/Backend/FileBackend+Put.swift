/// Writing: the only place where files of a `file` backend come to be or go.
extension FileBackend {
    package func put(
        _ object: PhysicalObject, from source: PayloadReader, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt {
        guard grant.backendID == record.id else { throw failure(.refused, "placement granted another backend") }
        return try store(object, from: source, description: description)
    }

    /// `put` for the probe's own bytes too, which need no grant.
    func store(
        _ object: PhysicalObject, from source: PayloadReader, description: ObjectDescription
    ) throws(BackendError) -> PutReceipt {
        try store(object, description: description) { file throws(BackendError) in
            try copy(source, to: file, description: description)
        }
    }

    package func copy(
        _ source: PhysicalObject, to object: PhysicalObject, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt {
        guard grant.backendID == record.id else { throw failure(.refused, "placement granted another backend") }
        guard let md5 = description.md5 else { throw failure(.refused, "a copy needs the MD5 of its content") }
        let found = try open(source)
        guard found.head.sizeBytes == description.sizeBytes, found.head.eTag == Hex.text(md5) else {
            throw failure(.missing, "the source of the copy holds other bytes")
        }
        return try store(object, description: description) { file throws(BackendError) in
            let count = try translating { () throws(FileError) in
                try file.append(found.file, sizeBytes: description.sizeBytes)
            }
            guard count == description.sizeBytes else { throw failure(.damaged, "the source ended early") }
            return md5
        }
    }

    /// Makes an object of what `fill` writes into a fresh file and of the MD5 that it returns.
    private func store(
        _ object: PhysicalObject, description: ObjectDescription,
        fill: (borrowing FileDescriptor) throws(BackendError) -> [UInt8]
    ) throws(BackendError) -> PutReceipt {
        let bucket = try bucketName(object.bucket)
        guard !object.key.isEmpty, object.key.count <= ObjectKey.maximumBytes else {
            throw failure(.refused, "a key has 1 to \(ObjectKey.maximumBytes) bytes")
        }
        if let name = description.unstorableField { throw failure(.refused, "metadata cannot be stored: \(name)") }
        guard try hasBucket(object.bucket) else { throw failure(.missing, "no such bucket") }
        let uploads = try translating { () throws(FileError) in try openTemporaryDirectory() }
        let data = TemporaryFile.freshName()
        let meta = TemporaryFile.freshName()
        defer {
            // Gone already when the object was committed; else nothing of it may stay. A name that cannot be removed
            // now is found again by `removeLeftovers`.
            TemporaryFile.discard(data, in: uploads)
            TemporaryFile.discard(meta, in: uploads)
        }
        let dataFile = try translating { () throws(FileError) in try TemporaryFile.create(data, in: uploads) }
        let md5 = try fill(dataFile)
        let sidecar = ObjectSidecar(sizeBytes: description.sizeBytes, md5: md5, metadata: description.metadata)
        try translating { () throws(FileError) in
            try dataFile.synchronize()
            let metaFile = try TemporaryFile.create(meta, in: uploads)
            try Self.write(sidecar.bytes, to: metaFile)
            try metaFile.synchronize()
        }
        try commit(FileKeyPath(key: object.key), bucket: bucket, data: data, meta: meta, from: uploads)
        return PutReceipt(md5: md5)
    }

    /// Writes exactly `description.sizeBytes` bytes; returns their MD5.
    ///
    /// Throws `.damaged` when the source has more or fewer. An MD5 known beforehand is believed: its giver verified it.
    func copy(
        _ source: PayloadReader, to file: borrowing FileDescriptor, description: ObjectDescription
    ) throws(BackendError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(Int64(Self.readBufferBytes), description.sizeBytes + 1)), alignment: 16)
        defer { unsafe buffer.deallocate() }
        var digest = MD5Stream()
        var sizeBytes: Int64 = 0
        while true {
            let count: Int
            do throws(S3Error) { count = try unsafe source.read(into: buffer) } catch {
                throw failure(.stopped, "the source failed: \(error.cause ?? error.code.name)")
            }
            guard count > 0 else { break }
            sizeBytes += Int64(count)
            guard sizeBytes <= description.sizeBytes else { break }
            let piece = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
            if description.md5 == nil { unsafe digest.update(piece) }
            do throws(FileError) { try unsafe file.write(piece) } catch { throw failure(error) }
        }
        guard sizeBytes == description.sizeBytes else {
            throw failure(.damaged, "the source does not have the \(description.sizeBytes) bytes it promised")
        }
        return description.md5 ?? digest.finish()
    }

    static func write(_ bytes: [UInt8], to file: borrowing FileDescriptor) throws(FileError) {
        var failure: FileError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(FileError) { try unsafe file.write(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    // MARK: Commit

    /// Moves the two finished files into place, description first, and makes every changed directory durable.
    func commit(
        _ path: FileKeyPath, bucket: FileName, data: FileName, meta: FileName, from uploads: borrowing FileDescriptor
    ) throws(BackendError) {
        for _ in 0..<Self.maximumAttempts {
            do throws(FileError) {
                let bucketDirectory = try openRoot().directory(bucket)
                // Keeps `deleteBucket` out; other writers share it.
                try Self.lock(bucketDirectory, exclusively: false)
                let directory = try makeDirectories(path.directories, from: bucketDirectory)
                try uploads.rename(meta, to: directory, path.meta)
                try uploads.rename(data, to: directory, path.data)
                try directory.synchronize()
                // Written out, so that the lock cannot end earlier.
                try bucketDirectory.unlock()
                return
            } catch {
                // A concurrent delete removed a directory that had become empty: make it again.
                guard error.code == FileError.notFound else { throw failure(error) }
            }
            guard try hasBucketOfName(bucket) else { throw failure(.missing, "no such bucket") }
        }
        throw failure(.conflict, "directories vanish as fast as they are made")
    }

    private func hasBucketOfName(_ bucket: FileName) throws(BackendError) -> Bool {
        try hasBucket(String(decoding: bucket.bytes, as: UTF8.self))
    }

    /// Seconds during which somebody else's new directory may not be durable yet.
    private static let youngSeconds: Int64 = 60

    /// Opens the last of `names`, making what is missing; every entry on the way is durable when this returns.
    private func makeDirectories(
        _ names: [FileName], from start: borrowing FileDescriptor
    ) throws(FileError) -> FileDescriptor {
        var directory = try start.reopened()
        for name in names {
            do throws(FileError) {
                let child = try directory.directory(name)
                // Another thread may have made it a moment ago and not have come to its own fsync yet.
                if Timestamp.now().seconds - (try directory.status().modifiedSeconds) < Self.youngSeconds {
                    try directory.synchronize()
                }
                directory = child
            } catch {
                guard error.code == FileError.notFound else { throw error }
                do throws(FileError) { try directory.makeDirectory(name) } catch {
                    guard error.code == FileError.exists else { throw error }
                }
                try directory.synchronize()
                directory = try directory.directory(name)
            }
        }
        return directory
    }

    private static let lockSeconds: Int64 = 5
    private static let lockPauseMilliseconds: UInt32 = 2

    /// Waits for the directory's lock, at most `lockSeconds`; then throws `wouldBlock`.
    static func lock(_ directory: borrowing FileDescriptor, exclusively: Bool) throws(FileError) {
        let deadline = Timestamp.now().adding(seconds: lockSeconds)
        while true {
            do throws(FileError) { return try directory.lock(exclusively: exclusively) } catch {
                guard error.code == FileError.wouldBlock, Timestamp.now() < deadline else { throw error }
            }
            Pause.milliseconds(lockPauseMilliseconds)
        }
    }

    // MARK: Removal

    package func delete(_ object: PhysicalObject) throws(BackendError) {
        let bucket = try bucketName(object.bucket)
        let path = FileKeyPath(key: object.key)
        try translating { () throws(FileError) in
            try Self.ignoringMissing { () throws(FileError) in
                let directory = try descend(path, bucket: bucket)
                // The data first: without it the object is gone, whatever happens next.
                try Self.ignoringMissing { () throws(FileError) in try directory.removeFile(path.data) }
                try Self.ignoringMissing { () throws(FileError) in try directory.removeFile(path.meta) }
                try directory.synchronize()
            }
            try Self.ignoringMissing { () throws(FileError) in try removeEmptyDirectories(path, bucket: bucket) }
        }
    }

    /// Removes the directories of `path` from the last one up, until one is in use.
    private func removeEmptyDirectories(_ path: FileKeyPath, bucket: FileName) throws(FileError) {
        for depth in stride(from: path.directories.count, to: 0, by: -1) {
            let parent = try descend(path.directories[..<(depth - 1)], from: try openRoot().directory(bucket))
            do throws(FileError) { try parent.removeDirectory(path.directories[depth - 1]) } catch {
                if error.code == FileError.notEmpty || error.code == FileError.exists { return }
                guard error.code == FileError.notFound else { throw error }
            }
        }
    }

    package func deleteBucket(_ bucket: String) throws(BackendError) {
        let name = try bucketName(bucket)
        do throws(FileError) {
            let root = try openRoot()
            let directory = try root.directory(name)
            try Self.lock(directory, exclusively: true)
            guard try Self.clear(directory) else { throw FileError(call: "rmdir", code: FileError.notEmpty) }
            try root.removeDirectory(name)
            try root.synchronize()
            try directory.unlock()
        } catch {
            if error.code == FileError.notFound { return }
            guard error.code == FileError.notEmpty || error.code == FileError.exists || error.isWrongKind else {
                throw failure(error)
            }
            throw failure(.conflict, "the bucket is not empty")
        }
    }

    /// Removes what interrupted calls left in a bucket: descriptions without data, and empty directories.
    ///
    /// Returns false when there is an object, or a file that is not ours.
    private static func clear(_ bucket: borrowing FileDescriptor) throws(FileError) -> Bool {
        while true {
            var names: [FileName] = []
            var directory = try bucket.reopened()
            var parent = try bucket.reopened()
            // Down to a directory without directories, which can be emptied; then from the top again.
            while true {
                var child: FileName?
                var descriptions: [FileName] = []
                var isInUse = false
                try directory.forEachName { name, isDirectory in
                    switch FileEntry(reading: name.bytes) {
                    case .meta: descriptions.append(name)
                    case .directory, .more: if isDirectory == false { isInUse = true } else { child = name }
                    case .data, nil: isInUse = true
                    }
                    return !isInUse && child == nil
                }
                if isInUse { return false }
                if let child {
                    parent = directory
                    directory = try parent.directory(child)
                    names.append(child)
                    continue
                }
                for name in descriptions {
                    try ignoringMissing { () throws(FileError) in try directory.removeFile(name) }
                }
                break
            }
            guard let last = names.last else { return true }
            try ignoringMissing { () throws(FileError) in try parent.removeDirectory(last) }
        }
    }

    static func ignoringMissing(_ body: () throws(FileError) -> Void) throws(FileError) {
        do throws(FileError) { try body() } catch {
            guard error.code == FileError.notFound else { throw error }
        }
    }
}
