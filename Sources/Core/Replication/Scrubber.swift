import Logging

/// Reads content again and compares it with its checksums, so many bytes a day on each backend.
///
/// The replicas of a backend are read in the order of their places, round and round: what was not read for the longest
/// time is next, and one cursor says when each was read last. A replica that is not as it should be becomes a `verify`
/// job, which looks again and repairs it.
package final class Scrubber {
    package struct Settings: Sendable {
        /// Of each backend; 0 reads nothing.
        package var bytesPerDay: Int64
        package var owner: String

        package init(bytesPerDay: Int64, owner: String) {
            self.bytesPerDay = bytesPerDay
            self.owner = owner
        }
    }

    package struct Summary: Sendable, Equatable {
        package var replicas: Int64 = 0
        package var bytes: Int64 = 0
        package var bad: Int64 = 0
        /// Replicas that could not be read now.
        package var unread: Int64 = 0
        /// Whether the end of the round was reached.
        package var isRoundComplete = false
    }

    private let world: World
    private let settings: Settings
    private let stop: StopSignal
    private let log = Logger(label: "s3gw.worker")

    private static let leaseSeconds: Int64 = 300
    private static let pageSize = 200
    private static let dayMilliseconds: Int64 = 86_400_000
    /// The cursor is written down at least this often, and after each page.
    private static let saveBytes: Int64 = 256 << 20
    /// An object costs more than its bytes: a request at least.
    private static let costPerObjectBytes: Int64 = 4096

    package init(world: World, settings: Settings, stop: StopSignal) {
        self.world = world
        self.settings = settings
        self.stop = stop
    }

    /// Reads on where the last call stopped, as far as the day's bytes reach, or to the end of the round for
    /// `ignoringBudget`; nil when another worker is at it.
    package func run(on live: LiveBackend, ignoringBudget: Bool = false) throws(S3Error) -> Summary? {
        let now = Timestamp.now()
        let backendID = live.backend.record.id
        let claimed = try world.database.write { sql throws(S3Error) in
            try sql.claimSweep(
                .scrub, backendID: backendID, owner: settings.owner, now: now,
                until: now.adding(seconds: Self.leaseSeconds))
        }
        guard var sweep = claimed else { return nil }
        if sweep.startedAt.milliseconds == 0 || sweep.finishedAt != nil, isDueForRound(sweep, ignoringBudget, now) {
            begin(&sweep, now)
        }
        var summary = Summary()
        var failure: S3Error?
        if sweep.finishedAt == nil {
            do throws(S3Error) { try read(on: live, &sweep, &summary, ignoringBudget) } catch { failure = error }
        }
        sweep.failure = failure.map { $0.cause ?? $0.message }
        try save(&sweep)
        let last = sweep
        try world.database.write { sql throws(S3Error) in try sql.releaseSweep(last) }
        if summary.replicas + summary.bad > 0 { report(live, summary) }
        if let failure { throw failure }
        return summary
    }

    /// A round follows the one before at once; a backend without objects is looked at once a day.
    private func isDueForRound(_ sweep: Sweep, _ ignoringBudget: Bool, _ now: Timestamp) -> Bool {
        guard let finished = sweep.finishedAt, sweep.looked == 0, !ignoringBudget else { return true }
        return now.milliseconds - finished.milliseconds >= Self.dayMilliseconds
    }

    private func begin(_ sweep: inout Sweep, _ now: Timestamp) {
        sweep.run += 1
        sweep.startedAt = now
        sweep.finishedAt = nil
        sweep.cursorBucket = ""
        sweep.cursorKey = []
        sweep.looked = 0
        sweep.lookedBytes = 0
        sweep.found = 0
        if sweep.run == 1 { sweep.creditedAt = now }
    }

    private func read(
        on live: LiveBackend, _ sweep: inout Sweep, _ summary: inout Summary, _ ignoringBudget: Bool
    ) throws(S3Error) {
        var unsavedBytes: Int64 = 0
        while true {
            let page = try page(sweep)
            for placed in page {
                guard !stop.isStopped else { return }
                credit(&sweep)
                guard ignoringBudget || sweep.creditBytes >= 0 else { return }
                try check(placed, on: live, &sweep, &summary)
                sweep.cursorBucket = placed.replica.physicalBucket
                sweep.cursorKey = placed.replica.physicalKey
                unsavedBytes += placed.sizeBytes
                if unsavedBytes >= Self.saveBytes {
                    try save(&sweep)
                    unsavedBytes = 0
                }
            }
            if page.count < Self.pageSize {
                let (id, last) = (sweep.backendID, sweep.cursorBucket)
                let next = try world.database.read { sql throws(S3Error) in
                    try sql.physicalBucket(backendID: id, after: last)
                }
                guard let next else {
                    sweep.finishedAt = .now()
                    summary.isRoundComplete = true
                    return
                }
                sweep.cursorBucket = next
                sweep.cursorKey = []
            }
            try save(&sweep)
            unsavedBytes = 0
        }
    }

    private func page(_ sweep: Sweep) throws(S3Error) -> [PlacedReplica] {
        guard !sweep.cursorBucket.isEmpty else { return [] }
        return try world.database.read { sql throws(S3Error) in
            try sql.placedReplicas(
                backendID: sweep.backendID, physicalBucket: sweep.cursorBucket, after: sweep.cursorKey,
                limit: Self.pageSize)
        }
    }

    /// Adds what the time since the last call is worth; never more than one day's bytes are kept.
    private func credit(_ sweep: inout Sweep) {
        let now = Timestamp.now()
        let elapsed = max(0, min(now.milliseconds - sweep.creditedAt.milliseconds, Self.dayMilliseconds))
        let earned = Int64(Double(settings.bytesPerDay) * Double(elapsed) / Double(Self.dayMilliseconds))
        // Less than a byte stays uncounted until it is one.
        guard earned > 0 || elapsed == Self.dayMilliseconds else { return }
        sweep.creditBytes = min(sweep.creditBytes + earned, settings.bytesPerDay)
        sweep.creditedAt = now
    }

    // MARK: One replica

    private func check(
        _ placed: PlacedReplica, on live: LiveBackend, _ sweep: inout Sweep, _ summary: inout Summary
    ) throws(S3Error) {
        guard placed.replica.state == .present else { return }
        let found = try world.database.read { sql throws(S3Error) in
            let version = try sql.version(id: placed.replica.versionID)
            return (
                version: version,
                parts: try version.map { version throws(S3Error) in try sql.versionParts(sequence: version.sequence) }
            )
        }
        guard let version = found.version else { return }
        sweep.creditBytes -= placed.sizeBytes + Self.costPerObjectBytes
        sweep.looked += 1
        sweep.lookedBytes += placed.sizeBytes
        summary.replicas += 1
        summary.bytes += placed.sizeBytes
        do throws(BackendError) {
            try ReplicaCheck(version: version, parts: found.parts ?? [], stop: stop).run(placed.replica, on: live)
        } catch {
            switch error.kind {
            case .damaged, .missing, .short: break
            case .stopped: return
            default:
                // The backend is away: the round goes on when it is back.
                sweep.looked -= 1
                summary.unread += 1
                throw S3Error(.serviceUnavailable, cause: "\(error.backend): \(error.cause)")
            }
            sweep.found += 1
            summary.bad += 1
            log.error(
                "scrubbing found a bad replica",
                metadata: ["version": "\(version.id)", "backend": "\(live.name)", "cause": "\(error.cause)"])
            try world.database.write { sql throws(S3Error) in
                try sql.insertJob(
                    kind: .verify, bucketID: placed.bucketID, versionID: version.id,
                    backendID: placed.replica.backendID, notBefore: .now())
            }
        }
    }

    private func save(_ sweep: inout Sweep) throws(S3Error) {
        sweep.leaseUntil = Timestamp.now().adding(seconds: Self.leaseSeconds)
        let saved = sweep
        let isOurs = try world.database.write { sql throws(S3Error) in try sql.saveSweep(saved) }
        guard isOurs else { throw S3Error(.serviceUnavailable, cause: "another worker scrubs this backend") }
    }

    private func report(_ live: LiveBackend, _ summary: Summary) {
        log.log(
            level: summary.bad > 0 ? .warning : .info, "scrubbed",
            metadata: [
                "backend": "\(live.name)", "replicas": "\(summary.replicas)", "bytes": "\(summary.bytes)",
                "bad": "\(summary.bad)",
            ])
    }
}

/// Reads one replica in one stream and compares it with what the database says of its version, part by part where it
/// was made of parts.
struct ReplicaCheck {
    let version: ObjectVersion
    let parts: [VersionPart]
    let stop: StopSignal

    /// Throws `.damaged` or `.missing` for a replica that is not as it should be, `.stopped` when the worker stops.
    func run(_ replica: Replica, on live: LiveBackend) throws(BackendError) {
        var pieces =
            parts.isEmpty
            ? [ContentCheck(version, needsMD5: false)]
            : parts.map { ContentCheck($0, of: version, needsMD5: false) }
        var left = parts.isEmpty ? [Int64.max] : parts.map(\.sizeBytes)
        var index = 0
        try live.observe { backend throws(BackendError) in
            try unsafe backend.get(
                PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey), range: nil,
                head: { found throws(BackendError) in
                    guard found.sizeBytes == version.sizeBytes else {
                        throw BackendError(
                            .damaged, backend: live.name,
                            "\(found.sizeBytes) bytes where \(version.sizeBytes) belong")
                    }
                    if let problem = replica.replacement(of: version, found) {
                        throw BackendError(.damaged, backend: live.name, problem)
                    }
                },
                piece: { piece throws(WireClosed) in
                    if stop.isStopped { throw WireClosed() }
                    var rest = unsafe UnsafeRawBufferPointer(rebasing: piece[...])
                    while unsafe !rest.isEmpty, index < pieces.count {
                        let count = Int(min(Int64(rest.count), left[index]))
                        unsafe pieces[index].update(UnsafeRawBufferPointer(rebasing: rest[..<count]))
                        left[index] -= Int64(count)
                        unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                        if left[index] == 0 { index += 1 }
                    }
                })
        }
        for check in pieces {
            if let problem = check.problem { throw BackendError(.damaged, backend: live.name, problem) }
        }
    }
}
