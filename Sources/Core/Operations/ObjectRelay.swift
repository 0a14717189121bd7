/// Sends one version's bytes to a client from its replicas, one after the other: when a backend dies or stalls in the
/// middle, the next one goes on at the exact byte, and the client notices nothing.
///
/// That the bytes belong together needs no more than their lengths: a physical key is written with one content only, so
/// its size and the total of a range must be those of the version.
struct ObjectRelay: ~Copyable {
    private let version: ObjectVersion
    /// The first and the last byte that the client asked for.
    private let bytes: ClosedRange<Int64>
    private let head: ResponseHead
    private var sentBytes: Int64 = 0
    private(set) var isHeadSent = false

    /// What became of the attempt with one replica.
    enum Outcome {
        /// The client has all of it.
        case sent
        case clientLeft
        /// The replica gave nothing, or not all: another one may go on.
        case failed(BackendError)
    }

    /// Bodies up to this size are compared with their checksum before the first byte goes out, where that is a CRC of the
    /// whole; those of larger objects are compared by the worker.
    private static let verifiedBytes: Int64 = 64 << 10

    /// `range` is nil for the whole object, which has at least one byte.
    init(_ version: ObjectVersion, range: ClosedRange<Int64>?, head: ResponseHead) {
        self.version = version
        self.head = head
        bytes = range ?? 0...(version.sizeBytes - 1)
    }

    private var isWhole: Bool { bytes.lowerBound == 0 && bytes.upperBound == version.sizeBytes - 1 }

    /// Sends what the client does not have yet.
    mutating func send(
        from replica: Replica, on live: LiveBackend, to wire: inout some Wire & ~Copyable
    ) -> Outcome {
        let rest = bytes.lowerBound + sentBytes...bytes.upperBound
        // The whole object is asked for without a range, which every store serves best.
        let range = isWhole && sentBytes == 0 ? nil : rest
        var check = sentBytes == 0 && isWhole ? SmallBodyCheck(version, atMost: Self.verifiedBytes) : nil
        var sent = sentBytes
        var hasHead = isHeadSent
        defer {
            sentBytes = sent
            isHeadSent = hasHead
        }
        let begin = MonotonicClock.microseconds()
        do throws(BackendError) {
            try live.observe { backend throws(BackendError) in
                try unsafe backend.get(
                    PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey), range: range,
                    head: { found throws(BackendError) in
                        live.vitals.noteFirstByte(microseconds: MonotonicClock.microseconds() - begin)
                        try verify(found, promises: rest, on: live)
                    },
                    piece: { piece throws(WireClosed) in
                        if check != nil {
                            guard let verified = unsafe check?.add(piece) else { return }
                            guard verified else { throw WireClosed() }
                        }
                        if !hasHead {
                            hasHead = true
                            try wire.send(head)
                        }
                        if let held = check?.held {
                            try wire.send(body: held)
                            sent += Int64(held.count)
                        } else {
                            try unsafe wire.send(body: piece)
                            sent += Int64(piece.count)
                        }
                    })
            }
            return .sent
        } catch {
            if check?.isDamaged ?? false {
                return .failed(BackendError(.damaged, backend: live.name, "the content does not match its checksum"))
            }
            return error.kind == .stopped ? .clientLeft : .failed(error)
        }
    }

    /// Throws `.damaged` when what the backend is about to send cannot be these bytes of this version.
    private func verify(
        _ found: BackendObjectHead, promises rest: ClosedRange<Int64>, on live: LiveBackend
    ) throws(BackendError) {
        guard found.sizeBytes == Int64(rest.count) else {
            throw BackendError(
                .damaged, backend: live.name, "has \(found.sizeBytes) bytes where \(rest.count) belong")
        }
        if let total = found.totalBytes, total != version.sizeBytes {
            throw BackendError(
                .damaged, backend: live.name, "has an object of \(total) bytes instead of \(version.sizeBytes)")
        }
    }
}

/// Holds a small body back until its checksum is known to be right.
private struct SmallBodyCheck {
    private let wanted: ObjectChecksum
    private let sizeBytes: Int
    private var stream: ChecksumStream
    private var seenBytes = 0
    /// The whole body, when it came in more than one piece.
    private(set) var held: [UInt8]?
    private(set) var isDamaged = false

    /// Nil for bodies that are sent on unchecked: too large, or without a CRC of the whole.
    init?(_ version: ObjectVersion, atMost limitBytes: Int64) {
        guard version.sizeBytes <= limitBytes, let checksum = version.checksum, checksum.partCount == nil else {
            return nil
        }
        switch checksum.algorithm {
        case .crc32, .crc32c, .crc64nvme: break
        // They cost more than all the rest of a small read.
        case .sha1, .sha256: return nil
        }
        wanted = checksum
        sizeBytes = Int(version.sizeBytes)
        stream = ChecksumStream(checksum.algorithm)
    }

    /// Returns nil until the body is complete, then whether it is right; right bytes are `held`, or else `piece` itself.
    mutating func add(_ piece: UnsafeRawBufferPointer) -> Bool? {
        unsafe stream.update(piece)
        seenBytes += piece.count
        if seenBytes < sizeBytes || held != nil { unsafe held = (held ?? []) + Array(piece) }
        guard seenBytes >= sizeBytes else { return nil }
        isDamaged = stream.finish() != wanted
        return !isDamaged
    }
}
