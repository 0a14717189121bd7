/// Compares the bytes of a whole object with what the database says of them, while they are on their way to a client.
///
/// With the checksum that costs least: a CRC where the version has one, else the MD5 that is its ETag.
struct BodyCheck {
    private enum Digest {
        case checksum(ChecksumStream, wanted: ObjectChecksum)
        case md5(MD5Stream, wanted: [UInt8])
    }

    private var digest: Digest
    private var leftBytes: Int64
    /// Known once all bytes were there.
    private(set) var isDamaged = false

    /// Nil when the database has no checksum of the whole: that of an object made of parts may be one of its parts'.
    init?(_ version: ObjectVersion) {
        leftBytes = version.sizeBytes
        let checksum = version.checksum?.partCount == nil ? version.checksum : nil
        let md5 = version.eTag.utf8.count == 32 ? Hex.decode(version.eTag.utf8) : nil
        switch (checksum?.algorithm, checksum, md5) {
        case (.crc32, let checksum?, _), (.crc32c, let checksum?, _), (.crc64nvme, let checksum?, _):
            digest = .checksum(ChecksumStream(checksum.algorithm), wanted: checksum)
        case (_, _, let md5?): digest = .md5(MD5Stream(), wanted: md5)
        case (_, let checksum?, nil): digest = .checksum(ChecksumStream(checksum.algorithm), wanted: checksum)
        case (_, nil, nil): return nil
        }
    }

    mutating func add(_ piece: UnsafeRawBufferPointer) {
        leftBytes -= Int64(piece.count)
        switch digest {
        case .checksum(var stream, let wanted):
            unsafe stream.update(piece)
            digest = .checksum(stream, wanted: wanted)
            if leftBytes == 0 { isDamaged = stream.finish() != wanted }
        case .md5(var stream, let wanted):
            unsafe stream.update(piece)
            digest = .md5(stream, wanted: wanted)
            if leftBytes == 0 { isDamaged = stream.finish() != wanted }
        }
    }
}
