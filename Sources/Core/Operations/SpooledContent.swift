/// The content of a stored version in a spool file, proven right before any other store sees a byte of it.
final class SpooledContent: ObjectContent {
    private let spool: SpoolFile
    let md5: [UInt8]?
    /// Of the algorithm that was asked for.
    let checksum: ObjectChecksum?

    private init(spool: SpoolFile, md5: [UInt8], checksum: ObjectChecksum?) {
        self.spool = spool
        self.md5 = md5
        self.checksum = checksum
    }

    func store(
        as object: PhysicalObject, on live: LiveBackend, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt {
        try send(spool.makeReader, as: object, on: live, description: description, grant: grant)
    }

    /// Fetches `version`, or the bytes of `range`, from the first of `replicas` that gives them whole and right.
    ///
    /// Throws `ServiceUnavailable` when none does; `algorithm` asks for a checksum on the way.
    static func fetch(
        _ version: ObjectVersion, from replicas: [Replica], range: ClosedRange<Int64>? = nil,
        algorithm: ChecksumAlgorithm?, _ call: Call
    ) throws(S3Error) -> SpooledContent {
        // Where there is no checksum of just these bytes, the parts that are whole inside of them have theirs.
        let isCompared = range == nil && version.checksum?.type == .fullObject || version.sizeBytes == 0
        let partsCheck = isCompared ? nil : try BodyCheck.find(version, range, part: nil, call)
        var failures: [String] = []
        var suspects: [Replica] = []
        defer { if !suspects.isEmpty { call.world.damageReports.report(suspects, of: version, call) } }
        for (replica, live) in call.snapshot.readable(replicas) {
            let spool = try SpoolFile(in: call.world.spoolDirectory)
            var filling = Filling(spool, version, range, algorithm, partsCheck)
            do throws(BackendError) {
                try filling.read(PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey), on: live)
                return SpooledContent(spool: spool, md5: filling.check.md5, checksum: filling.checksum?.finish())
            } catch {
                if let failure = filling.ownFailure { throw failure }
                failures.append("\(error.backend): \(error.cause)")
                if error.kind == .missing || error.kind == .damaged { suspects.append(replica) }
                call.log.warning("replica failed", metadata: call.logMetadata(cause: error.cause))
            }
        }
        throw S3Error(
            .serviceUnavailable,
            cause: "no replica of \(version.id) could be read: \(failures.joined(separator: "; "))"
        ).header("Retry-After", "1")
    }

    /// One attempt at one replica.
    private struct Filling {
        let spool: SpoolFile
        let version: ObjectVersion
        let range: ClosedRange<Int64>?
        let wantedBytes: Int64
        var check: ContentCheck
        var partsCheck: BodyCheck?
        var checksum: ChecksumStream?
        /// Why our own disk did not take the bytes.
        var ownFailure: S3Error?

        init(
            _ spool: SpoolFile, _ version: ObjectVersion, _ range: ClosedRange<Int64>?,
            _ algorithm: ChecksumAlgorithm?, _ partsCheck: BodyCheck?
        ) {
            self.spool = spool
            self.version = version
            self.range = range
            wantedBytes = range.map { $0.upperBound - $0.lowerBound + 1 } ?? version.sizeBytes
            check = range == nil ? ContentCheck(version, needsMD5: true) : ContentCheck(sizeBytes: wantedBytes)
            checksum = algorithm.map { ChecksumStream($0) }
            self.partsCheck = partsCheck
            self.partsCheck?.begin(at: range?.lowerBound ?? 0)
        }

        mutating func read(_ object: PhysicalObject, on live: LiveBackend) throws(BackendError) {
            guard wantedBytes > 0 else { return }
            let bytes = range ?? 0...(version.sizeBytes - 1)
            try live.observe { backend throws(BackendError) in
                try unsafe backend.get(
                    object, range: range,
                    head: { found throws(BackendError) in
                        #if S3GW_PLANTED_BUGS
                            if PlantedBug.copyAnyVersion.isOn { return }
                        #endif
                        try found.verify(promises: bytes, of: version, on: live)
                    },
                    piece: { piece throws(WireClosed) in
                        do throws(S3Error) { try unsafe spool.append(piece) } catch {
                            ownFailure = error
                            throw WireClosed()
                        }
                        unsafe check.update(piece)
                        unsafe checksum?.update(piece)
                        unsafe partsCheck?.add(piece)
                    })
            }
            if let problem = check.problem { throw BackendError(.damaged, backend: live.name, problem) }
            guard partsCheck?.damagedOffset == nil else {
                throw BackendError(.damaged, backend: live.name, "a part does not match its checksum")
            }
        }
    }
}

extension SpooledContent {
    /// The spool file lives as long as this.
    var asPart: PartContent {
        PartContent(
            sizeBytes: spool.sizeBytes, md5: md5, checksum: checksum,
            makeReader: { () throws(S3Error) in try self.spool.makeReader() })
    }
}
