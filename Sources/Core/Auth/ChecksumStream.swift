/// A running checksum of any of S3's algorithms.
///
/// A value, like `SHA256Stream`.
package struct ChecksumStream: Sendable {
    private enum State: Sendable {
        case crc(ReflectedCRC)
        case sha1(SHA1Stream)
        case sha256(SHA256Stream)
    }

    package let algorithm: ChecksumAlgorithm
    private var state: State

    package init(_ algorithm: ChecksumAlgorithm) {
        self.algorithm = algorithm
        state =
            switch algorithm {
            case .crc32: .crc(CRC.crc32)
            case .crc32c: .crc(CRC.crc32c)
            case .crc64nvme: .crc(CRC.crc64nvme)
            case .sha1: .sha1(SHA1Stream())
            case .sha256: .sha256(SHA256Stream())
            }
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .crc(var crc):
            unsafe crc.update(bytes)
            state = .crc(crc)
        case .sha1(var stream):
            unsafe stream.update(bytes)
            state = .sha1(stream)
        case .sha256(var stream):
            unsafe stream.update(bytes)
            state = .sha256(stream)
        }
    }

    /// Returns the checksum of everything so far.
    package func finish() -> ObjectChecksum {
        let value =
            switch state {
            case .crc(let crc): crc.bytes
            case .sha1(let stream): stream.finish()
            case .sha256(let stream): stream.finish()
            }
        return ObjectChecksum(algorithm: algorithm, value: value)
    }
}
