/// Sends one version's bytes to a client from its replicas, one after the other: when a backend dies or stalls in the
/// middle, the next one goes on at the exact byte, and the client notices nothing.
///
/// A physical key is written with one content only, so the size, the total of a range and the version that the object
/// names must be those of the version. What a store's memory or wire did to the bytes themselves `BodyCheck` finds: the piece
/// with the last byte of what it compares goes out after the comparison only.
struct ObjectRelay: ~Copyable {
    private let version: ObjectVersion
    /// The first and the last byte that the client asked for.
    private let bytes: ClosedRange<Int64>
    private let head: ResponseHead
    private var sentBytes: Int64 = 0
    private(set) var isHeadSent = false
    /// Follows the bytes that were sent; nil when they are not compared.
    private var check: BodyCheck?
    /// `check` before the first byte.
    private let freshCheck: BodyCheck?
    /// Whether the client has bytes that are not the version's: then nobody may go on.
    private(set) var isSpoiled = false
    /// Whether the client has bytes.
    var hasSent: Bool { sentBytes > 0 }

    /// What became of the attempt with one replica.
    enum Outcome {
        /// The client has all of it.
        case sent
        case clientLeft
        /// The replica gave nothing, or not all: another one may go on.
        case failed(BackendError)
    }

    /// Bodies up to this size are compared before the first byte goes out.
    private static let heldBytes: Int64 = 64 << 10

    /// `range` is nil for the whole object, which has at least one byte; `check` is of these bytes.
    init(_ version: ObjectVersion, range: ClosedRange<Int64>?, head: ResponseHead, check: BodyCheck?) {
        self.version = version
        self.head = head
        bytes = range ?? 0...(version.sizeBytes - 1)
        var check = check
        check?.begin(at: bytes.lowerBound)
        freshCheck = check
    }

    private var isWhole: Bool { bytes.lowerBound == 0 && bytes.upperBound == version.sizeBytes - 1 }

    /// Sends what the client does not have yet; `isLast` says that no other replica can go on after this one.
    mutating func send(
        from replica: Replica, on live: LiveBackend, isLast: Bool, to wire: inout some Wire & ~Copyable
    ) -> Outcome {
        let rest = bytes.lowerBound + sentBytes...bytes.upperBound
        // The whole object is asked for without a range, which every store serves best.
        let range = isWhole && sentBytes == 0 ? nil : rest
        var check = sentBytes > 0 ? self.check : freshCheck
        let isHeld = Int64(bytes.count) <= Self.heldBytes && check?.isOf(bytes) ?? false
        var held: [UInt8] = []
        var sent = sentBytes
        var hasHead = isHeadSent
        var damagedOffset: Int64?
        defer {
            sentBytes = sent
            isHeadSent = hasHead
            self.check = check
        }
        let begin = MonotonicClock.microseconds()
        do throws(BackendError) {
            try live.observe { backend throws(BackendError) in
                try unsafe backend.get(
                    PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey), range: range,
                    patience: isLast && hasSent ? .last : .usual,
                    head: { found throws(BackendError) in
                        live.vitals.noteFirstByte(microseconds: MonotonicClock.microseconds() - begin)
                        try found.verify(promises: rest, of: version, namesVersion: !isHeld, on: live)
                    },
                    piece: { piece throws(WireClosed) in
                        let before = check
                        unsafe check?.add(piece)
                        damagedOffset = check?.damagedOffset
                        guard damagedOffset == nil else {
                            // Nothing of this piece goes out, so another replica can go on where it began.
                            check = before
                            throw WireClosed()
                        }
                        let isPart = isHeld && held.count + piece.count < bytes.count
                        if isPart || !held.isEmpty { unsafe held.append(contentsOf: piece) }
                        if isPart { return }
                        if !hasHead {
                            hasHead = true
                            try wire.send(head)
                        }
                        if held.isEmpty { try unsafe wire.send(body: piece) } else { try wire.send(body: held) }
                        sent += Int64(held.isEmpty ? piece.count : held.count)
                    })
            }
            return .sent
        } catch {
            if let damagedOffset {
                isSpoiled = damagedOffset < bytes.lowerBound + sent
                return .failed(BackendError(.damaged, backend: live.name, "the content does not match its checksum"))
            }
            return error.kind == .stopped ? .clientLeft : .failed(error)
        }
    }
}

extension BackendObjectHead {
    /// Throws `.damaged` when what the backend is about to send cannot be these bytes of this version.
    ///
    /// Stores that lose user metadata, and adopted objects, name no version.
    func verify(
        promises bytes: ClosedRange<Int64>, of version: ObjectVersion, namesVersion: Bool = true, on live: LiveBackend
    ) throws(BackendError) {
        guard sizeBytes == Int64(bytes.count) else {
            throw BackendError(.damaged, backend: live.name, "has \(sizeBytes) bytes where \(bytes.count) belong")
        }
        if let totalBytes, totalBytes != version.sizeBytes {
            throw BackendError(
                .damaged, backend: live.name, "has an object of \(totalBytes) bytes instead of \(version.sizeBytes)")
        }
        if namesVersion, let named = metadata.first(where: { $0.name == ObjectDescription.versionField }),
            named.value != version.id.text
        {
            throw BackendError(.damaged, backend: live.name, "has the object of another version")
        }
    }
}
