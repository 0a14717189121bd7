/// The checksum algorithms of S3.
///
/// Source: Amazon S3 User Guide, "Checking object integrity".
package enum ChecksumAlgorithm: String, Sendable, CaseIterable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"

    /// What an upload gets that names none (Amazon S3 User Guide, "Checking object integrity").
    package static let unnamed = crc64nvme

    /// The element that carries a value in XML: `ChecksumCRC32` and so on.
    package var elementName: String { "Checksum\(rawValue)" }

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
    /// Nil when `value` is of the whole content (`FULL_OBJECT`); else it is of the checksums of so many parts
    /// (`COMPOSITE`).
    package var partCount: Int?

    package init(algorithm: ChecksumAlgorithm, value: [UInt8], partCount: Int? = nil) {
        self.algorithm = algorithm
        self.value = value
        self.partCount = partCount
    }

    /// Reads base64; nil when it does not hold exactly the algorithm's number of bytes.
    package init?(algorithm: ChecksumAlgorithm, base64: [UInt8]) {
        guard let value = Base64.decode(base64), value.count == algorithm.digestSizeBytes else { return nil }
        self.init(algorithm: algorithm, value: value)
    }

    /// Reads what `stored` gave.
    package init(algorithm: ChecksumAlgorithm, stored: [UInt8]) {
        let size = algorithm.digestSizeBytes
        guard stored.count == size + 2 else {
            self.init(algorithm: algorithm, value: stored)
            return
        }
        self.init(
            algorithm: algorithm, value: Array(stored[..<size]),
            partCount: Int(stored[size]) << 8 | Int(stored[size + 1]))
    }

    /// As the database keeps it: the value, and behind a composite one the number of parts in two bytes, big-endian.
    package var stored: [UInt8] {
        guard let partCount else { return value }
        return value + [UInt8(truncatingIfNeeded: partCount >> 8), UInt8(truncatingIfNeeded: partCount)]
    }

    package var type: ChecksumType { partCount == nil ? .fullObject : .composite }

    /// The value as headers and XML carry it; a composite one ends with `-` and the number of parts.
    package var base64: String { Base64.text(value) + (partCount.map { "-\($0)" } ?? "") }

    package var headerName: String { algorithm.headerName }
}

/// What the checksum of an object is of.
///
/// Source: Amazon S3 User Guide, "Checking object integrity for multipart uploads".
package enum ChecksumType: String, Sendable {
    case fullObject = "FULL_OBJECT"
    case composite = "COMPOSITE"
}
