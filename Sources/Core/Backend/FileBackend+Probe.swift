/// Finding out whether the directory can be what it is asked to be.
extension FileBackend {
    package func check() throws(BackendError) {
        try translating { () throws(FileError) in _ = try openTemporaryDirectory() }
    }

    /// Sets the directory up (`.s3gw-tmp`), removes leftovers of crashed writers, and stores, reads and removes one
    /// object in a bucket of its own.
    ///
    /// Throws `.unavailable` when the directory is not there, `.refused` when its file system folds case, because two
    /// keys would become one file.
    package func probe() throws(BackendError) -> BackendAbilities {
        try translating { () throws(FileError) in
            let root = try openBareRoot()
            do throws(FileError) {
                try root.makeDirectory(Self.temporaryDirectory)
                try root.synchronize()
            } catch {
                guard error.code == FileError.exists else { throw error }
            }
            _ = try TemporaryFile.removeLeftovers(in: try openTemporaryDirectory(), now: .now())
        }
        let bucket = "s3gw-probe-\(Hex.text(Crypto.randomBytes(8)))"
        guard try createBucket(bucket) == .created else { throw failure(.conflict, "the probe's bucket exists") }
        do throws(BackendError) {
            try exercise(bucket)
        } catch {
            // What failed first is what matters; the bucket holds nothing of anybody.
            do throws(BackendError) { try removeProbe(bucket) } catch let second {
                throw failure(error.kind, "\(error.cause); and the probe's bucket \(bucket) stays: \(second.cause)")
            }
            throw error
        }
        try removeProbe(bucket)
        return BackendAbilities(
            conditionalPut: false, checksums: false, contentMD5: false, ranges: true, conditionalGet: false,
            userMetadata: true, server: "file", probedAtMilliseconds: Timestamp.now().milliseconds)
    }

    private static let probeKey = Array("Probe/a".utf8)

    private func exercise(_ bucket: String) throws(BackendError) {
        let content = Array("0123456789".utf8)
        let field = HeaderField(name: "s3gw-probe", value: Array("yes".utf8))
        let object = PhysicalObject(bucket: bucket, key: Self.probeKey)
        let source: PayloadReader
        do throws(S3Error) { source = try PayloadReader(plain: .memory(content)) } catch {
            throw failure(.stopped, error.cause ?? error.code.name)
        }
        _ = try store(
            object, from: source,
            description: ObjectDescription(
                sizeBytes: Int64(content.count), md5: nil, sha256: nil, metadata: [field]))
        var read: [UInt8] = []
        var found: BackendObjectHead?
        try unsafe get(object, range: 2...5) {
            found = $0
        } piece: {
            unsafe read.append(contentsOf: $0)
        }
        guard read == Array(content[2...5]), found?.metadata == [field] else {
            throw failure(.damaged, "what was stored does not come back")
        }
        let folded = PhysicalObject(bucket: bucket, key: Array("probe/A".utf8))
        guard try head(folded) == nil else {
            throw failure(.refused, "the file system does not tell upper from lower case")
        }
    }

    private func removeProbe(_ bucket: String) throws(BackendError) {
        try delete(PhysicalObject(bucket: bucket, key: Self.probeKey))
        try deleteBucket(bucket)
    }
}
