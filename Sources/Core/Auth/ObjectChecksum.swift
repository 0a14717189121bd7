/// The checksum algorithms of S3.
///
/// Source: Amazon S3 User Guide, "Checking object integrity".
package enum ChecksumAlgorithm: String, Sendable, CaseIterable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"

    /// `x-amz-checksum-crc32` and so on.
    package var headerName: String { "x-amz-checksum-\(rawValue.lowercased())" }
}

/// A checksum of an object's content that we computed ourselves; never one that was only claimed (SECURITY.md 17).
package struct ObjectChecksum: Sendable, Hashable {
    package var algorithm: ChecksumAlgorithm
    /// The raw bytes, big-endian for the CRCs.
    package var value: [UInt8]

    package init(algorithm: ChecksumAlgorithm, value: [UInt8]) {
        self.algorithm = algorithm
        self.value = value
    }
}
