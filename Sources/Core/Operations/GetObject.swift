import Logging

/// GetObject and HeadObject.
///
/// Source: Amazon S3 API Reference, GetObject and HeadObject.
enum GetObject {
    private static let log = Logger(label: "s3gw.get")

    /// What a read has to send, decided from the database alone.
    private struct Plan {
        let version: ObjectVersion
        let replicas: [Replica]
        let range: ClosedRange<Int64>?
        /// The part that was asked for by its number.
        var part: VersionPart?
        let head: ResponseHead
    }

    static func head(_ call: Call) throws(S3Error) -> Answer { Answer(try plan(call).head) }

    /// Streams the object.
    ///
    /// Throws only before the head has gone out; when all replicas have failed after that the transfer is cut, so that
    /// the client sees a body shorter than promised.
    ///
    /// A version that was replaced between reading the database and reading the bytes has lost them: then the version that
    /// is current now is sent.
    static func get(_ call: Call, on wire: inout some Wire & ~Copyable) throws(S3Error) {
        var failures: [String] = []
        var tried: VersionID?
        for _ in 0..<maximumVersionsTried {
            let plan = try plan(call)
            guard plan.version.id != tried else { break }
            tried = plan.version.id
            if try send(plan, call, to: &wire, &failures) { return }
        }
        throw S3Error(
            .serviceUnavailable, cause: "no replica could be read: \(failures.joined(separator: "; "))"
        ).header("Retry-After", "1")
    }

    /// So little is read from a local file sooner than another thread wakes.
    private static let shortReadBytes: Int64 = 64 << 10

    /// A key that is overwritten faster than a read can follow is given up after this many versions.
    private static let maximumVersionsTried = 5

    /// Sends the answer from one replica after the other; false when none gave a byte.
    private static func send(
        _ plan: Plan, _ call: Call, to wire: inout some Wire & ~Copyable, _ failures: inout [String]
    ) throws(S3Error) -> Bool {
        guard plan.version.sizeBytes > 0 else {
            do throws(WireClosed) { try wire.send(plan.head) } catch {
                log.debug("client left", metadata: call.logMetadata)
            }
            return true
        }
        let readable = call.world.damageReports.spoilersLast(
            call.snapshot.readable(plan.replicas, near: call.request.site.near), of: plan.version.id)
        if let (replica, live) = readable.first,
            let handOff = HandOff.head(plan.head, plan.version, of: replica, on: live, call)
        {
            do throws(WireClosed) { try wire.send(handOff) } catch {
                log.debug("client left", metadata: call.logMetadata)
            }
            return true
        }
        if !readable.allSatisfy({ $0.1.backend.record.kind == .file }) || plan.version.sizeBytes > shortReadBytes {
            wire.willTakeLong()
        }
        let check = try BodyCheck.find(plan.version, plan.range, part: plan.part, call)
        var relay = ObjectRelay(plan.version, range: plan.range, head: plan.head, check: check)
        var last = ""
        var suspects: [Replica] = []
        /// Those that gave bytes, and then failed.
        var givers: [Replica] = []
        // After the answer: the client need not wait for it.
        defer {
            if !suspects.isEmpty { call.world.damageReports.report(suspects, of: plan.version, call) }
            if relay.isSpoiled { call.world.damageReports.note(spoilers: suspects, of: plan.version.id) }
        }
        for (replica, live) in readable where !relay.isSpoiled {
            let isLast = replica.backendID == readable.last?.0.backendID
            switch relay.send(from: replica, on: live, isLast: isLast, to: &wire) {
            case .sent: return true
            case .clientLeft:
                log.debug("client left", metadata: call.logMetadata)
                return true
            case .failed(let error):
                last = "\(error.backend): \(error.cause)"
                failures.append(last)
                if error.kind == .missing || error.kind == .damaged { suspects.append(replica) }
                // The wrong bytes may have come from any that gave some.
                if relay.isSpoiled { suspects += givers }
                if relay.hasSent { givers.append(replica) }
                log.warning("replica failed", metadata: call.logMetadata(cause: last))
            }
        }
        guard relay.isHeadSent else { return false }
        // Nobody is left to go on: the client sees a body that is shorter than its head said.
        log.error("transfer cut", metadata: call.logMetadata(cause: last))
        return true
    }

    private static func plan(_ call: Call) throws(S3Error) -> Plan {
        let bucket = try call.bucket()
        let key = try call.key()
        try UnsupportedHeaders.refuseEncryption(in: call.request.headers)
        try ObjectHeaders.checkMode(call.request.headers)
        let (version, replicas) = try VersionLookup.find(
            key, in: bucket, versionID: call.request.target.query("versionId"), call)
        let conditions = Conditions(call.request.headers)
        try check(conditions, version)
        if call.request.target.has("partNumber") { return try partPlan(call, bucket, version, replicas) }
        let counts = conditions.rangeCounts(eTag: version.eTag, lastModified: version.lastModified)
        let header = counts ? call.request.headers["range"] : nil
        let range = try ByteRange.resolve(header, sizeBytes: version.sizeBytes)
        return Plan(
            version: version, replicas: replicas, range: range, head: responseHead(call, bucket, version, range))
    }

    /// A 304 repeats what a cache needs (RFC 9110 15.4.5).
    static func check(_ conditions: Conditions, _ version: ObjectVersion) throws(S3Error) {
        do throws(S3Error) {
            try conditions.checkRead(eTag: version.eTag, lastModified: version.lastModified)
        } catch {
            guard error.code == .notModified else { throw error }
            throw error.header("ETag", "\"\(version.eTag)\"").header("Last-Modified", version.lastModified.httpDate)
        }
    }

    /// An object written in one piece is its only part.
    private static func partPlan(
        _ call: Call, _ bucket: Bucket, _ version: ObjectVersion, _ replicas: [Replica]
    ) throws(S3Error) -> Plan {
        guard call.request.headers["range"] == nil else {
            throw S3Error(.invalidRequest, "Cannot specify both Range header and partNumber query parameter")
        }
        guard let number = call.request.target.queryText("partNumber").flatMap(PartNumber.init(text:)) else {
            throw S3Error(.invalidArgument, "Part number must be an integer between 1 and 10000, inclusive")
                .detail("ArgumentName", "partNumber")
        }
        let partCount = MultipartETag.split(version.eTag)?.partCount
        if let partCount, let part = try part(number, of: version, call) {
            guard part.sizeBytes > 0 || version.sizeBytes == 0 else { throw S3Error(.invalidRange) }
            var head = responseHead(call, bucket, version, part.range, part)
            head.add("x-amz-mp-parts-count", String(partCount))
            #if S3GW_PLANTED_BUGS
                if PlantedBug.partOffByOne.isOn, number.value == 1, let range = part.range {
                    let shifted = range.lowerBound + 1...range.upperBound + 1
                    return Plan(version: version, replicas: replicas, range: shifted, part: nil, head: head)
                }
            #endif
            return Plan(version: version, replicas: replicas, range: part.range, part: part, head: head)
        }
        guard number.value == 1, partCount == nil else {
            throw S3Error(.invalidPartNumber).detail("ActualPartCount", String(partCount ?? 1))
                .detail("PartNumberRequested", String(number.value))
        }
        let whole = version.sizeBytes > 0 ? 0...(version.sizeBytes - 1) : nil
        return Plan(
            version: version, replicas: replicas, range: whole, head: responseHead(call, bucket, version, whole))
    }

    private static func part(
        _ number: PartNumber, of version: ObjectVersion, _ call: Call
    ) throws(S3Error) -> VersionPart? {
        try call.database.read { sql throws(S3Error) in
            try sql.versionParts(sequence: version.sequence, after: number.value - 1, limit: 1)
        }.first { $0.number == number }
    }

    private static func responseHead(
        _ call: Call, _ bucket: Bucket, _ version: ObjectVersion, _ range: ClosedRange<Int64>?,
        _ part: VersionPart? = nil
    ) -> ResponseHead {
        let length = range.map { $0.upperBound - $0.lowerBound + 1 } ?? version.sizeBytes
        var head = call.head(range == nil ? 200 : 206, contentLength: length)
        ObjectHeaders.describe(version, for: call.request, on: &head)
        head.addVersionID(of: version, in: bucket)
        head.addExpiration(of: version, in: bucket, call)
        if !version.tags.isEmpty { head.add("x-amz-tagging-count", String(version.tags.count)) }
        if let range {
            head.add("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound)/\(version.sizeBytes)")
        }
        if let part, version.checksum?.type == .composite {
            ObjectHeaders.addChecksum(of: part, of: version, for: call.request, on: &head)
        } else if length == version.sizeBytes {
            ObjectHeaders.addChecksum(of: version, for: call.request, on: &head)
        }
        return head
    }
}
