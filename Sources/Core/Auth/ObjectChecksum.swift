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

    package var digestSizeBytes: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }

    /// Finds the algorithm of a header or trailer such as `x-amz-checksum-crc32`, in lower case.
    package init?(headerName: some Sequence<UInt8>) {
        let name = Array(headerName)
        guard let found = Self.allCases.first(where: { $0.headerName.utf8.elementsEqual(name) }) else { return nil }
        self = found
    }

    /// Finds the algorithm by its name in any case, as SDKs send it in `x-amz-sdk-checksum-algorithm`.
    package init?(name: [UInt8]) {
        let folded = name.map(ASCII.lower)
        guard let found = Self.allCases.first(where: { $0.rawValue.utf8.lazy.map(ASCII.lower).elementsEqual(folded) })
        else { return nil }
        self = found
    }
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

    /// Reads base64; nil when it does not hold exactly the algorithm's number of bytes.
    package init?(algorithm: ChecksumAlgorithm, base64: [UInt8]) {
        guard let value = Base64.decode(base64), value.count == algorithm.digestSizeBytes else { return nil }
        self.init(algorithm: algorithm, value: value)
    }

    /// The value as headers and XML carry it.
    package var base64: String { Base64.text(value) }

    package var headerName: String { algorithm.headerName }
}
