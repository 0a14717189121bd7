/// Compares bytes of an object with what the database says of them, while they are on their way to a client: the whole
/// object with its checksum, or each of its parts with the part's.
///
/// A value: a copy goes on by itself, and so a transfer can go on with the next replica where the last one stopped.
struct BodyCheck {
    private enum Digest {
        case checksum(ChecksumStream)
        case md5(MD5Stream)

        mutating func update(_ piece: UnsafeRawBufferPointer) {
            switch self {
            case .checksum(var stream):
                unsafe stream.update(piece)
                self = .checksum(stream)
            case .md5(var stream):
                unsafe stream.update(piece)
                self = .md5(stream)
            }
        }

        func isOf(_ wanted: some Collection<UInt8>) -> Bool {
            switch self {
            case .checksum(let stream): stream.finish().value.elementsEqual(wanted)
            case .md5(let stream): stream.finish().elementsEqual(wanted)
            }
        }
    }

    /// What a part is compared with that has not come yet: its end in the object.
    ///
    /// The digests of all of them stand in `laterDigests`, so that ten thousand parts need no more than some hundred KiB.
    private var laterEnds: ArraySlice<Int64> = []
    private var laterDigests: ArraySlice<UInt8> = []

    private let fresh: Digest
    private var digest: Digest
    /// Of what is compared now.
    private var wanted: [UInt8]
    private var start: Int64
    private var end: Int64
    /// Of the byte that comes next.
    private var position: Int64

    /// Where the bytes begin that turned out wrong; known once all of these were there.
    private(set) var damagedOffset: Int64?

    /// MD5 is dear: more bytes than this are not compared when the database has nothing better of them.
    private static let maximumMD5Bytes: Int64 = 8 << 20

    /// Of the whole; nil when the database has no checksum of it: that of an object made of parts may be one of its parts'.
    init?(_ version: ObjectVersion) {
        let checksum = version.checksum?.partCount == nil ? version.checksum : nil
        if let checksum {
            self.init(.checksum(ChecksumStream(checksum.algorithm)), checksum.value, 0, version.sizeBytes)
        } else if version.sizeBytes <= Self.maximumMD5Bytes, version.eTag.utf8.count == 32,
            let md5 = Hex.decode(version.eTag.utf8)
        {
            self.init(.md5(MD5Stream()), md5, 0, version.sizeBytes)
        } else {
            return nil
        }
    }

    /// Of one part; nil when the database has no checksum of it.
    init?(_ part: VersionPart, of version: ObjectVersion) {
        let end = part.offset + part.sizeBytes
        if let algorithm = version.checksum?.algorithm, let checksum = part.checksum {
            self.init(.checksum(ChecksumStream(algorithm)), checksum, part.offset, end)
        } else if part.sizeBytes <= Self.maximumMD5Bytes {
            self.init(.md5(MD5Stream()), part.md5, part.offset, end)
        } else {
            return nil
        }
    }

    private init(_ digest: Digest, _ wanted: [UInt8], _ start: Int64, _ end: Int64) {
        fresh = digest
        self.digest = digest
        self.wanted = wanted
        self.start = start
        self.end = end
        position = start
    }

    /// Has the part that follows compared, too; false when it does not follow, or has no checksum of the same kind.
    private mutating func append(_ part: VersionPart) -> Bool {
        let value: [UInt8]?
        if case .md5 = fresh { value = part.md5 } else { value = part.checksum }
        guard let value, value.count == wanted.count, part.offset == laterEnds.last ?? end else { return false }
        laterEnds.append(part.offset + part.sizeBytes)
        laterDigests.append(contentsOf: value)
        return true
    }

    /// Whether exactly these bytes are compared, and together.
    func isOf(_ bytes: ClosedRange<Int64>) -> Bool {
        start == bytes.lowerBound && end == bytes.upperBound + 1 && laterEnds.isEmpty
    }

    /// The first byte is the object's byte `offset`.
    mutating func begin(at offset: Int64) { position = offset }

    mutating func add(_ piece: UnsafeRawBufferPointer) {
        #if S3GW_PLANTED_BUGS
            if PlantedBug.skipBodyCheck.isOn { return }
        #endif
        var offset = 0
        while offset < piece.count, damagedOffset == nil {
            let isInside = position >= start && position < end
            // Before what is compared, and after it, there is nothing to do.
            let next = isInside ? end : position < start ? start : Int64.max
            let count = Int(min(Int64(piece.count - offset), next - position))
            if isInside {
                unsafe digest.update(UnsafeRawBufferPointer(rebasing: piece[offset..<offset + count]))
            }
            offset += count
            position += Int64(count)
            if isInside, position == end { finish() }
        }
    }

    private mutating func finish() {
        guard digest.isOf(wanted) else {
            damagedOffset = start
            return
        }
        guard let nextEnd = laterEnds.popFirst() else { return }
        start = end
        end = nextEnd
        digest = fresh
        let digestBytes = wanted.count
        wanted = Array(laterDigests.prefix(digestBytes))
        laterDigests = laterDigests.dropFirst(digestBytes)
    }
}

extension BodyCheck {
    /// A shorter range covers no part but perhaps the last one.
    private static let shortestRangeBytes = CompletionRequest.minimumPartBytes
    private static let pageSize = 500

    /// Returns the check of a read of `range`, which is `part`'s when one was asked for; nil when the database has no
    /// checksum of any of these bytes.
    ///
    /// Of an object made of parts, the parts that are whole inside of the range are compared.
    static func find(
        _ version: ObjectVersion, _ range: ClosedRange<Int64>?, part: VersionPart?, _ call: Call
    ) throws(S3Error) -> BodyCheck? {
        let all = 0...(version.sizeBytes - 1)
        let wanted = range ?? all
        if wanted == all, let check = BodyCheck(version) { return check }
        if let part { return BodyCheck(part, of: version) }
        guard wanted == all || wanted.upperBound - wanted.lowerBound >= shortestRangeBytes - 1,
            MultipartETag.split(version.eTag) != nil
        else { return nil }
        var check: BodyCheck?
        var after = 0
        while true {
            let page = try call.database.read { sql throws(S3Error) in
                try sql.versionParts(sequence: version.sequence, inside: wanted, after: after, limit: pageSize)
            }
            for part in page {
                if check == nil {
                    check = BodyCheck(part, of: version)
                } else if check?.append(part) == false {
                    return check
                }
            }
            guard let last = page.last, page.count == pageSize, check != nil else { return check }
            after = last.number.value
        }
    }
}
