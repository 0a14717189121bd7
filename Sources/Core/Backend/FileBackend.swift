/// A store in a local directory: `<root>/<bucket>/<FileKeyPath of the key>`.
///
/// An object is there exactly when its data file is; that file appears by one rename of a synchronized file, after its
/// description (`ObjectSidecar`) did. Several processes may use one root at once. The root itself is never made here: a
/// disk that is not mounted must look unavailable and not empty. The file system must tell upper from lower case.
package final class FileBackend: Backend {
    package let record: BackendRecord
    private let root: String

    /// Where uploads stand until they are whole; on the root's file system.
    static let temporaryDirectory = FileName(".s3gw-tmp")
    /// One read of a `get`, in bytes.
    static let readBufferBytes = 256 << 10
    /// How often a name that a concurrent delete took away is made again.
    static let maximumAttempts = 32
    private static let longestBucketName = 63

    /// Throws `InvalidArgument` unless the endpoint is an absolute path without `..`.
    package init(_ record: BackendRecord) throws(S3Error) {
        let path = record.endpoint
        guard path.utf8.first == UInt8(ascii: "/"), !path.utf8.contains(0), path.utf8.count <= Self.longestRootBytes,
            !path.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) })
        else {
            throw S3Error(.invalidArgument, "The endpoint of a file backend is an absolute directory: \(path)")
        }
        self.record = record
        root = path
    }

    /// Leaves room in PATH_MAX (4096) for a bucket and the longest path of a key.
    private static let longestRootBytes = 512

    /// The absolute path of an object's bytes, for a web server that sends the file itself.
    package func dataPath(of object: PhysicalObject) -> [UInt8] {
        Array("\(root)/\(object.bucket)/".utf8) + FileKeyPath(key: object.key).relativePath
    }

    // MARK: Buckets

    package func createBucket(_ bucket: String) throws(BackendError) -> BucketCreation {
        let name = try bucketName(bucket)
        return try translating { () throws(FileError) in
            let root = try openRoot()
            do throws(FileError) { try root.makeDirectory(name) } catch {
                guard error.code == FileError.exists else { throw error }
                guard try root.status(of: name).isDirectory else { return .taken }
                // Another process may have made it a moment ago and not have come to its own fsync yet.
                try root.synchronize()
                return .ownedByUs
            }
            try root.synchronize()
            return .created
        }
    }

    package func hasBucket(_ bucket: String) throws(BackendError) -> Bool {
        let name = try bucketName(bucket)
        return try translating { () throws(FileError) in try openRoot().hasEntry(name) }
    }

    package func listBuckets() throws(BackendError) -> [String] {
        try translating { () throws(FileError) in
            let root = try openRoot()
            var names: [FileName] = []
            try root.forEachName { name, isDirectory in
                // Ours begin with a letter; the directory for uploads does not.
                if isDirectory != false, name.bytes.first != UInt8(ascii: ".") { names.append(name) }
                return true
            }
            return names.map { String(decoding: $0.bytes, as: UTF8.self) }
        }
    }

    // MARK: Reading

    package func head(_ object: PhysicalObject) throws(BackendError) -> BackendObjectHead? {
        do throws(BackendError) { return try open(object).head } catch {
            if error.kind == .missing { return nil }
            throw error
        }
    }

    package func get(
        _ object: PhysicalObject, range: ClosedRange<Int64>?, patience: ReadPatience,
        head: (BackendObjectHead) throws(BackendError) -> Void,
        piece: (UnsafeRawBufferPointer) throws(WireClosed) -> Void
    ) throws(BackendError) {
        let found = try open(object)
        let whole = found.head.sizeBytes
        if let range, range.lowerBound < 0 || range.upperBound >= whole {
            throw failure(.damaged, "the object has \(whole) bytes, fewer than the range asks for")
        }
        var offset = range?.lowerBound ?? 0
        let end = range.map { $0.upperBound + 1 } ?? whole
        var answer = found.head
        answer.sizeBytes = end - offset
        try head(answer)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(Int64(Self.readBufferBytes), max(end - offset, 1))), alignment: 16)
        defer { unsafe buffer.deallocate() }
        while offset < end {
            let wanted = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<Int(min(Int64(buffer.count), end - offset))])
            let count: Int
            do throws(FileError) { count = try unsafe found.file.read(into: wanted, at: offset) } catch {
                throw failure(.short, error.text)
            }
            guard count > 0 else { throw failure(.short, "the file ended \(end - offset) bytes early") }
            do throws(WireClosed) {
                try unsafe piece(UnsafeRawBufferPointer(rebasing: wanted[..<count]))
            } catch { throw failure(.stopped, "the reader went away") }
            offset += Int64(count)
        }
    }

    struct OpenObject: ~Copyable {
        let file: FileDescriptor
        let head: BackendObjectHead
    }

    private struct OpenFiles: ~Copyable {
        let data: FileDescriptor
        let status: FileDescriptor.Status
        /// Nil when there is none, or one that is too long.
        let description: [UInt8]?
    }

    /// Throws `.missing` when there is no data file, `.damaged` when it is not what its description says.
    func open(_ object: PhysicalObject) throws(BackendError) -> OpenObject {
        let bucket = try bucketName(object.bucket)
        let files = try translating { () throws(FileError) in
            try openFiles(FileKeyPath(key: object.key), bucket: bucket)
        }
        guard files.status.isRegular, let description = files.description,
            let sidecar = ObjectSidecar(reading: description)
        else { throw failure(.damaged, "the object's description is missing or broken") }
        guard sidecar.sizeBytes == files.status.sizeBytes else {
            throw failure(.damaged, "the file has \(files.status.sizeBytes) bytes instead of \(sidecar.sizeBytes)")
        }
        let head = BackendObjectHead(
            sizeBytes: sidecar.sizeBytes, totalBytes: sidecar.sizeBytes, eTag: Hex.text(sidecar.md5),
            metadata: sidecar.metadata)
        return OpenObject(file: files.data, head: head)
    }

    private func openFiles(_ path: FileKeyPath, bucket: FileName) throws(FileError) -> OpenFiles {
        let directory = try descend(path, bucket: bucket)
        let data = try directory.file(path.data)
        let status = try data.status()
        return OpenFiles(data: data, status: status, description: try Self.description(path.meta, in: directory))
    }

    private static func description(
        _ name: FileName, in directory: borrowing FileDescriptor
    ) throws(FileError) -> [UInt8]? {
        guard try directory.hasEntry(name) else { return nil }
        let file = try directory.file(name)
        let sizeBytes = try file.status().sizeBytes
        guard sizeBytes <= Int64(ObjectSidecar.maximumBytes) else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(sizeBytes))
        let count = try file.read(into: &bytes, at: 0)
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    // MARK: The tree

    /// Opens the root; one without the directory for uploads is a disk that is not mounted, or was never probed.
    func openRoot() throws(FileError) -> FileDescriptor {
        let root = try openBareRoot()
        guard try root.hasEntry(Self.temporaryDirectory) else { throw .notSetUp }
        return root
    }

    /// Never throws `notFound`: that would look like a missing object.
    func openBareRoot() throws(FileError) -> FileDescriptor {
        do throws(FileError) { return try FileDescriptor(root: root) } catch {
            throw error.code == FileError.notFound ? .noRoot : error
        }
    }

    func openTemporaryDirectory() throws(FileError) -> FileDescriptor {
        do throws(FileError) { return try openBareRoot().directory(Self.temporaryDirectory) } catch {
            throw error.code == FileError.notFound ? .notSetUp : error
        }
    }

    /// Opens the directory that holds the object's files; throws `notFound` when a part is missing.
    func descend(_ path: FileKeyPath, bucket: FileName) throws(FileError) -> FileDescriptor {
        try descend(path.directories[...], from: try openRoot().directory(bucket))
    }

    func descend(
        _ names: ArraySlice<FileName>, from start: consuming FileDescriptor
    ) throws(FileError) -> FileDescriptor {
        var directory = start
        for name in names { directory = try directory.directory(name) }
        return directory
    }

    /// Refuses what could name anything but one directory in the root.
    func bucketName(_ bucket: String) throws(BackendError) -> FileName {
        let isGood =
            (1...Self.longestBucketName).contains(bucket.utf8.count)
            && bucket.utf8.first != UInt8(ascii: ".")
            && bucket.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x41...0x5A).contains($0) || (0x30...0x39).contains($0)
                    || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_")
            }
        guard isGood else { throw failure(.refused, "not a bucket name") }
        return FileName(bucket)
    }

    // MARK: Errors

    func failure(_ kind: BackendError.Kind, _ cause: String) -> BackendError {
        BackendError(kind, backend: record.name, cause)
    }

    func failure(_ error: FileError) -> BackendError {
        let kind: BackendError.Kind =
            error.code == FileError.notFound
            ? .missing : error.isFull ? .full : error.isForbidden || error.isWrongKind ? .refused : .unavailable
        return failure(kind, error.text)
    }

    func translating<Result: ~Copyable>(
        _ body: () throws(FileError) -> Result
    ) throws(BackendError) -> Result {
        do throws(FileError) { return try body() } catch { throw failure(error) }
    }
}
