/// Compares bytes that go by with what the database says of a version, or of one of its parts.
struct ContentCheck {
    private let wantedBytes: Int64
    /// Nil when the database has none of these bytes.
    private let wantedMD5: [UInt8]?
    private let wantedChecksum: ObjectChecksum?
    private var sizeBytes: Int64 = 0
    private var md5Stream = MD5Stream()
    private var checksum: ChecksumStream?

    init(_ version: ObjectVersion) {
        // The ETag of an object made of parts holds a `-` and says nothing of the whole, nor does a composite checksum.
        let md5 = version.eTag.utf8.count == 32 ? Hex.decode(version.eTag.utf8) : nil
        self.init(version.sizeBytes, md5, version.checksum?.partCount == nil ? version.checksum : nil)
    }

    init(_ part: VersionPart, of version: ObjectVersion) {
        let algorithm = version.checksum?.algorithm
        self.init(
            part.sizeBytes, part.md5,
            algorithm.flatMap { algorithm in
                part.checksum.map { ObjectChecksum(algorithm: algorithm, value: $0) }
            })
    }

    /// For bytes of which the database only knows how many they are.
    init(sizeBytes: Int64) { self.init(sizeBytes, nil, nil) }

    private init(_ sizeBytes: Int64, _ md5: [UInt8]?, _ checksum: ObjectChecksum?) {
        wantedBytes = sizeBytes
        wantedMD5 = md5
        wantedChecksum = checksum
        self.checksum = checksum.map { ChecksumStream($0.algorithm) }
    }

    mutating func update(_ piece: UnsafeRawBufferPointer) {
        sizeBytes += Int64(piece.count)
        unsafe md5Stream.update(piece)
        unsafe checksum?.update(piece)
    }

    var md5: [UInt8] { md5Stream.finish() }

    /// What does not agree, nil when everything does.
    var problem: String? {
        guard sizeBytes == wantedBytes else { return "\(sizeBytes) bytes came where \(wantedBytes) belong" }
        if let wantedMD5, wantedMD5 != md5 { return "the MD5 is not the ETag" }
        guard let wantedChecksum, let checksum else { return nil }
        return checksum.finish() == wantedChecksum ? nil : "the \(wantedChecksum.algorithm.rawValue) is wrong"
    }
}
