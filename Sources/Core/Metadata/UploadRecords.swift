package enum UploadState: String, Sendable {
    /// Its places are being made; no client knows it.
    case creating
    case open
    /// A completion has begun and named its parts; it may end as that object or as none.
    case completing
}

/// One multipart upload; its id is that of the version it will be.
package struct Upload: Sendable, Hashable {
    package var id: VersionID
    package var bucketID: Int64
    package var key: ObjectKey
    package var state: UploadState
    package var storageClass: String
    package var checksumAlgorithm: ChecksumAlgorithm?
    package var checksumType: ChecksumType
    /// As `ObjectVersion.headers`.
    package var headers: [HeaderField]
    package var initiatedAt: Timestamp
    /// The ETag of the object that the completion makes; nil before it begins.
    package var completing: String?
    package var tags: [Tag]

    package init(
        id: VersionID, bucketID: Int64, key: ObjectKey, state: UploadState, storageClass: String,
        checksumAlgorithm: ChecksumAlgorithm?, checksumType: ChecksumType, headers: [HeaderField],
        initiatedAt: Timestamp, completing: String? = nil, tags: [Tag] = []
    ) {
        self.id = id
        self.bucketID = bucketID
        self.key = key
        self.state = state
        self.storageClass = storageClass
        self.checksumAlgorithm = checksumAlgorithm
        self.checksumType = checksumType
        self.headers = headers
        self.initiatedAt = initiatedAt
        self.completing = completing
        self.tags = tags
    }
}

package enum UploadPlaceState: String, Sendable {
    case open
    /// Gets nothing more; an `end-upload` job clears it.
    case ending
}

/// The native upload on one backend.
package struct UploadPlace: Sendable, Hashable {
    package var uploadID: VersionID
    package var backendID: Int64
    package var bucketID: Int64
    package var physicalBucket: String
    package var physicalKey: [UInt8]
    /// The backend's own id; nil before it gave one.
    package var nativeID: String?
    package var state: UploadPlaceState

    package init(
        uploadID: VersionID, backendID: Int64, bucketID: Int64, physicalBucket: String, physicalKey: [UInt8],
        nativeID: String? = nil, state: UploadPlaceState = .open
    ) {
        self.uploadID = uploadID
        self.backendID = backendID
        self.bucketID = bucketID
        self.physicalBucket = physicalBucket
        self.physicalKey = physicalKey
        self.nativeID = nativeID
        self.state = state
    }
}

/// One part of an upload that is not completed.
package struct UploadPart: Sendable, Hashable {
    package var number: PartNumber
    package var sizeBytes: Int64
    /// 16 bytes.
    package var md5: [UInt8]
    package var checksum: ObjectChecksum?
    /// A `ChecksumAlgorithm.unnamed`, for an object that nobody named an algorithm for, beside a `checksum` of another one.
    package var unnamedChecksum: [UInt8]?
    package var lastModified: Timestamp
    /// What each backend calls these bytes, by backend.
    package var tokens: [Int64: String]

    package init(
        number: PartNumber, sizeBytes: Int64, md5: [UInt8], checksum: ObjectChecksum?, unnamedChecksum: [UInt8]? = nil,
        lastModified: Timestamp, tokens: [Int64: String]
    ) {
        self.number = number
        self.sizeBytes = sizeBytes
        self.md5 = md5
        self.checksum = checksum
        self.unnamedChecksum = unnamedChecksum
        self.lastModified = lastModified
        self.tokens = tokens
    }

    package var eTag: String { Hex.text(md5) }

    /// Returns its checksum of this algorithm; nil when that is not known.
    package func checksum(of algorithm: ChecksumAlgorithm) -> [UInt8]? {
        if let checksum, checksum.algorithm == algorithm { return checksum.value }
        return algorithm == .unnamed ? unnamedChecksum : nil
    }
}

/// One part of a version; its checksum is of the version's algorithm.
package struct VersionPart: Sendable, Hashable {
    package var number: PartNumber
    /// Of its first byte in the object.
    package var offset: Int64
    package var sizeBytes: Int64
    /// 16 bytes.
    package var md5: [UInt8]
    package var checksum: [UInt8]?

    package init(number: PartNumber, offset: Int64, sizeBytes: Int64, md5: [UInt8], checksum: [UInt8]?) {
        self.number = number
        self.offset = offset
        self.sizeBytes = sizeBytes
        self.md5 = md5
        self.checksum = checksum
    }

    /// Its first and last byte in the object; nil for an empty part.
    package var range: ClosedRange<Int64>? { sizeBytes > 0 ? offset...(offset + sizeBytes - 1) : nil }
}
