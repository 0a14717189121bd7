/// Compares bytes that go by with what the database says of a version, or of one of its parts.
///
/// With its checksum, which is mostly a CRC; its MD5 costs many times as much and is computed only where it is needed.
struct ContentCheck {
    private let wantedBytes: Int64
    /// Nil when the database has none of these bytes.
    private let wantedMD5: [UInt8]?
    private let wantedChecksum: ObjectChecksum?
    private var sizeBytes: Int64 = 0
    /// Nil when nobody needs it.
    private var md5Stream: MD5Stream?
    private var checksum: ChecksumStream?

    /// `needsMD5` asks for the MD5 of what went by even where there is a checksum to compare.
    init(_ version: ObjectVersion, needsMD5: Bool) {
        // The ETag of an object made of parts holds a `-` and says nothing of the whole, nor does a composite checksum.
        let md5 = version.eTag.utf8.count == 32 ? Hex.decode(version.eTag.utf8) : nil
        self.init(version.sizeBytes, md5, version.checksum?.partCount == nil ? version.checksum : nil, needsMD5)
    }

    init(_ part: VersionPart, of version: ObjectVersion, needsMD5: Bool) {
        let algorithm = version.checksum?.algorithm
        self.init(
            part.sizeBytes, part.md5,
            algorithm.flatMap { algorithm in
                part.checksum.map { ObjectChecksum(algorithm: algorithm, value: $0) }
            }, needsMD5)
    }

    /// For bytes of which the database only knows how many they are.
    init(sizeBytes: Int64) { self.init(sizeBytes, nil, nil, true) }

    private init(_ sizeBytes: Int64, _ md5: [UInt8]?, _ checksum: ObjectChecksum?, _ needsMD5: Bool) {
        wantedBytes = sizeBytes
        wantedMD5 = md5
        wantedChecksum = checksum
        self.checksum = checksum.map { ChecksumStream($0.algorithm) }
        if needsMD5 || checksum == nil { md5Stream = MD5Stream() }
    }

    mutating func update(_ piece: UnsafeRawBufferPointer) {
        sizeBytes += Int64(piece.count)
        unsafe md5Stream?.update(piece)
        unsafe checksum?.update(piece)
    }

    /// Of what went by; only where it was asked for.
    var md5: [UInt8] {
        guard let md5Stream else { preconditionFailure("a check without MD5 was asked for it") }
        return md5Stream.finish()
    }

    /// What does not agree, nil when everything does.
    var problem: String? {
        guard sizeBytes == wantedBytes else { return "\(sizeBytes) bytes came where \(wantedBytes) belong" }
        if let wantedMD5, let md5Stream, wantedMD5 != md5Stream.finish() { return "the MD5 is not the ETag" }
        guard let wantedChecksum, let checksum else { return nil }
        return checksum.finish() == wantedChecksum ? nil : "the \(wantedChecksum.algorithm.rawValue) is wrong"
    }
}
