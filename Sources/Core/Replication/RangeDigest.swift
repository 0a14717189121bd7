/// What all ranges of a copy so far are: their MD5 where that is the version's ETag, else a CRC.
///
/// Another worker can go on with it: see `saved`.
struct RangeDigest {
    private enum State {
        case md5(MD5Stream)
        /// The CRC of all bytes so far, big-endian, and how many these are.
        case crc([UInt8])
    }

    private var state: State
    private let version: ObjectVersion

    /// AWS gives an object without a checksum this one.
    private static let algorithmOfOurs = ChecksumAlgorithm.crc64nvme
    private static let hashBytes = 256 << 10

    /// Of nothing yet.
    init(of version: ObjectVersion) {
        self.version = version
        if Self.wholeMD5(of: version) != nil {
            state = .md5(MD5Stream())
        } else {
            state = .crc(ChecksumStream(Self.algorithm(of: version)).finish().value)
        }
    }

    /// Goes on with what `saved` gave; nil for anything else.
    init?(of version: ObjectVersion, saved: [UInt8]) {
        self.init(of: version)
        switch state {
        case .md5:
            guard let stream = MD5Stream(savedState: saved) else { return nil }
            state = .md5(stream)
        case .crc(let empty):
            guard saved.count == empty.count else { return nil }
            state = .crc(saved)
        }
    }

    /// Nil while it cannot be gone on with: an MD5 stands between two blocks of 64 bytes only.
    var saved: [UInt8]? {
        switch state {
        case .md5(let stream): stream.savedState
        case .crc(let value): value
        }
    }

    /// Takes the next range in.
    mutating func append(_ range: PayloadReader, sizeBytes: Int64, at offset: Int64) throws(S3Error) {
        switch state {
        case .md5(var stream):
            try unsafe Self.read(range) { unsafe stream.update($0) }
            state = .md5(stream)
        case .crc(let before):
            let algorithm = Self.algorithm(of: version)
            var stream = ChecksumStream(algorithm)
            try unsafe Self.read(range) { unsafe stream.update($0) }
            let joined = ChecksumCombination.fullObject(
                algorithm, [(checksum: before, sizeBytes: offset), (stream.finish().value, sizeBytes)])
            guard let joined else { throw S3Error(.internalError, cause: "\(algorithm.rawValue) cannot be joined") }
            state = .crc(joined.value)
        }
    }

    /// Whether all ranges together are the version, as far as the database knows it.
    var isRight: Bool {
        switch state {
        case .md5(let stream): stream.finish() == Self.wholeMD5(of: version)
        case .crc: version.checksum == nil || found == nil || found == version.checksum
        }
    }

    /// The checksum of the whole, where the database has none that could be compared.
    var found: ObjectChecksum? {
        guard case .crc(let value) = state else { return nil }
        let algorithm = Self.algorithm(of: version)
        if let known = version.checksum, known.algorithm != algorithm || known.partCount != nil { return nil }
        return ObjectChecksum(algorithm: algorithm, value: value)
    }

    /// One that can be joined: the version's, or ours.
    private static func algorithm(of version: ObjectVersion) -> ChecksumAlgorithm {
        guard let checksum = version.checksum, checksum.partCount == nil else { return algorithmOfOurs }
        switch checksum.algorithm {
        case .crc32, .crc32c, .crc64nvme: return checksum.algorithm
        case .sha1, .sha256: return algorithmOfOurs
        }
    }

    private static func wholeMD5(of version: ObjectVersion) -> [UInt8]? {
        version.eTag.utf8.count == 32 ? Hex.decode(version.eTag.utf8) : nil
    }

    /// The checksum of a whole content, in the algorithm that a version without one gets.
    static func checksum(of content: PayloadReader) throws(S3Error) -> ObjectChecksum {
        var stream = ChecksumStream(algorithmOfOurs)
        try unsafe read(content) { unsafe stream.update($0) }
        return stream.finish()
    }

    private static func read(_ reader: PayloadReader, _ body: (UnsafeRawBufferPointer) -> Void) throws(S3Error) {
        let buffer = ByteBuffer(sizeBytes: hashBytes)
        while true {
            let count = try unsafe reader.read(into: buffer.bytes)
            guard count > 0 else { return }
            unsafe body(buffer.prefix(count))
        }
    }
}

extension Replica {
    /// Tells that somebody has put another object in the place of an adopted one; nil when nothing says so.
    ///
    /// The ETag of an object of parts is all that is known of its content; one that we have made good describes itself.
    func replacement(of version: ObjectVersion, _ head: BackendObjectHead) -> String? {
        guard MultipartETag.split(version.eTag) != nil, isOriginal(of: version), let eTag = head.eTag,
            eTag != version.eTag, head.metadata.isEmpty
        else { return nil }
        return "its ETag is not that of the object that was adopted"
    }
}
