import Logging

/// One run over one backend: notes what differs, and asks for what repairs it.
struct ReconcileRun {
    let reconciler: Reconciler
    let live: LiveBackend
    var sweep: Sweep
    var summary = Reconciler.Summary()
    /// Objects of which no row speaks, until there are enough to look at together.
    private var suspects: [Suspect] = []

    struct Suspect: Sendable {
        let entry: BackendListEntry
        let bucket: String
        let bucketID: Int64?
    }

    init(reconciler: Reconciler, live: LiveBackend, sweep: Sweep) {
        self.reconciler = reconciler
        self.live = live
        self.sweep = sweep
    }

    var backendID: Int64 { live.backend.record.id }
    private var database: Database { reconciler.world.database }

    // MARK: Objects

    /// Merges the listing of one physical bucket with the replicas in it.
    mutating func objects(of bucket: String, bucketID: Int64?) throws(JobFailure) {
        var listing = listing(of: bucket)
        let backendID = backendID
        let database = database
        var rows = SortedPages<PlacedReplica>(
            pageSize: Reconciler.rowPageSize, key: \.replica.physicalKey
        ) { last throws(JobFailure) in
            do throws(S3Error) {
                return try database.read { sql throws(S3Error) in
                    try sql.placedReplicas(
                        backendID: backendID, physicalBucket: bucket, after: last?.replica.physicalKey ?? [],
                        limit: Reconciler.rowPageSize)
                }
            } catch {
                throw JobFailure(error)
            }
        }
        do throws(JobFailure) {
            var sinceProgress = 0
            while let pair = try SortedPages.next(&listing, &rows) {
                switch pair {
                case .both(let entry, let placed):
                    summary.objects += 1
                    summary.rows += 1
                    try compare(entry, placed)
                case .left(let entry):
                    summary.objects += 1
                    try suspect(Suspect(entry: entry, bucket: bucket, bucketID: bucketID))
                case .right(let placed):
                    summary.rows += 1
                    try missing(placed)
                }
                sinceProgress += 1
                if sinceProgress >= Reconciler.rowPageSize * 10 {
                    sinceProgress = 0
                    try reconciler.progress(&self)
                }
            }
            try lookAtSuspects()
        } catch {
            // Nothing that was found by comparing with such a listing is true.
            suspects = []
            return try noteDisorder(error, in: bucket, bucketID: bucketID)
        }
        try reconciler.progress(&self)
    }

    /// Notes that a bucket cannot be compared, because the store lists it in another order; throws any other failure on.
    mutating func noteDisorder(_ error: JobFailure, in bucket: String, bucketID: Int64?) throws(JobFailure) {
        guard case .failed(.refused, let cause) = error.outcome, cause.contains(Self.disorder) else { throw error }
        try note(
            Finding(
                kind: .unordered, backendID: backendID, physicalBucket: bucket, physicalKey: [], bucketID: bucketID,
                detail: cause))
    }

    /// What `Backend.list` says of a store whose order is not that of bytes.
    private static let disorder = "does not list in the order of keys"

    private func listing(of bucket: String) -> SortedPages<BackendListEntry> {
        let size = Reconciler.pageSize(live.backend.record)
        let live = live
        return SortedPages(pageSize: size, key: \.key) { last throws(JobFailure) in
            do throws(BackendError) {
                return try live.observe { backend throws(BackendError) in
                    try backend.list(bucket, after: last?.key, limit: size)
                }
            } catch {
                // A bucket that is not there holds nothing: its replicas are missing.
                if error.kind == .missing { return [] }
                throw JobFailure(error)
            }
        }
    }

    /// Row and object are there.
    private mutating func compare(_ entry: BackendListEntry, _ placed: PlacedReplica) throws(JobFailure) {
        let replica = placed.replica
        guard replica.state == .present else { return try keepJob(placed) }
        guard entry.sizeBytes != placed.sizeBytes else { return }
        try note(
            finding(.size, placed, "\(entry.sizeBytes) bytes where \(placed.sizeBytes) belong"),
            repairing: { sql throws(S3Error) in
                try sql.insertJob(
                    kind: .verify, bucketID: placed.bucketID, versionID: replica.versionID,
                    backendID: replica.backendID, notBefore: .now())
            })
    }

    /// A row without an object: most often one that came or went while the listing was read.
    private mutating func missing(_ placed: PlacedReplica) throws(JobFailure) {
        let replica = placed.replica
        guard replica.state == .present else { return try keepJob(placed) }
        let object = PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey)
        guard try head(object) == nil else { return }
        let still = try read { sql throws(S3Error) in
            try sql.placedReplica(
                backendID: replica.backendID, physicalBucket: replica.physicalBucket, physicalKey: replica.physicalKey)
        }
        guard still == placed else { return }
        try note(
            finding(.missing, placed, "the object is not there"),
            repairing: { sql throws(S3Error) in
                try sql.insertJob(
                    kind: .verify, bucketID: placed.bucketID, versionID: replica.versionID,
                    backendID: replica.backendID, notBefore: .now())
            })
    }

    /// A replica that is to come or to go has a job: one that was dropped is asked for again.
    private mutating func keepJob(_ placed: PlacedReplica) throws(JobFailure) {
        let replica = placed.replica
        let kind: JobKind
        switch replica.state {
        case .pending, .damaged: kind = .replicate
        case .removing: kind = .removeReplica
        default: return
        }
        let isAsked = try write { sql throws(S3Error) in
            let place = (id: replica.versionID, backend: replica.backendID)
            guard try !sql.isUnderWay(place.id, backendID: place.backend),
                try sql.replicas(of: place.id).contains(replica)
            else { return false }
            try sql.insertJob(
                kind: kind, bucketID: placed.bucketID, versionID: place.id, backendID: place.backend,
                notBefore: .now())
            return true
        }
        if isAsked { summary.repairs += 1 }
    }

    private func finding(_ kind: FindingKind, _ placed: PlacedReplica, _ detail: String) -> Finding {
        Finding(
            kind: kind, backendID: placed.replica.backendID, physicalBucket: placed.replica.physicalBucket,
            physicalKey: placed.replica.physicalKey, bucketID: placed.bucketID, versionID: placed.replica.versionID,
            sizeBytes: placed.sizeBytes, detail: detail)
    }

    /// Replicas that are to come and of which nothing was sent yet, and strays whose job was dropped.
    mutating func unplaced() throws(JobFailure) {
        var last: [UInt8] = []
        let place = backendID
        summary.repairs += try write { sql throws(S3Error) in
            try sql.askForStrays(backendID: place, at: .now())
        }
        while true {
            let after = last
            let id = backendID
            let page = try read { sql throws(S3Error) in
                try sql.placedReplicas(
                    backendID: id, physicalBucket: "", after: after, limit: Reconciler.rowPageSize)
            }
            for placed in page { try keepJob(placed) }
            guard page.count == Reconciler.rowPageSize, let end = page.last else { return }
            last = end.replica.physicalKey
        }
    }

    // MARK: Suspects

    private mutating func suspect(_ suspect: Suspect) throws(JobFailure) {
        suspects.append(suspect)
        if suspects.count >= Reconciler.suspectBatch { try lookAtSuspects() }
    }

    private mutating func lookAtSuspects() throws(JobFailure) {
        let batch = suspects
        suspects = []
        var rest = batch[...]
        let look = SuspectLook(live: live, world: reconciler.world)
        while !rest.isEmpty {
            let some = Array(rest.prefix(Reconciler.suspectConcurrency))
            for (suspect, result) in zip(some, FanOut.map(some) { look.look($0) }) {
                switch result {
                case .success(.known), .success(.gone): break
                case .success(.foreign(let detail)):
                    try note(
                        Finding(
                            kind: .foreign, backendID: backendID, physicalBucket: suspect.bucket,
                            physicalKey: suspect.entry.key, bucketID: suspect.bucketID,
                            sizeBytes: suspect.entry.sizeBytes, detail: detail))
                case .success(.ours(let description, let isLive)):
                    try unknown(suspect, description, isLive: isLive)
                case .failure(let failure): throw failure
                }
            }
            rest = rest.dropFirst(Reconciler.suspectConcurrency)
        }
    }

    /// An object that is ours and that no row speaks of.
    private mutating func unknown(
        _ suspect: Suspect, _ description: VersionDescription, isLive: Bool
    ) throws(JobFailure) {
        let version = description.version
        guard !mayBeUnderWay(since: version.id.writtenAt) else { return }
        let finding = try note(
            Finding(
                kind: isLive ? .misplaced : .orphaned, backendID: backendID, physicalBucket: suspect.bucket,
                physicalKey: suspect.entry.key, bucketID: suspect.bucketID, versionID: version.id,
                sizeBytes: suspect.entry.sizeBytes,
                detail: isLive ? "no row has this version here" : "no row speaks of this version"))
        guard let bucketID = suspect.bucketID, isOld(finding, writtenAt: version.id.writtenAt) else { return }
        let replica = Replica(
            versionID: version.id, backendID: backendID, physicalBucket: suspect.bucket,
            physicalKey: suspect.entry.key, state: .removing)
        let isAsked = try write { sql throws(S3Error) in
            guard try !sql.isUnderWay(version.id, backendID: replica.backendID) else { return false }
            return try sql.adoptForRemoval(
                replica, bucketID: bucketID, key: version.key, sizeBytes: suspect.entry.sizeBytes, at: .now())
        }
        if isAsked { summary.repairs += 1 }
    }

    /// Whether the write that made it may still be going on: an object is there before the row that speaks of it.
    func mayBeUnderWay(since writtenAt: Timestamp) -> Bool {
        let limit = min(reconciler.settings.graceMilliseconds, Self.longestWriteMilliseconds)
        return (Timestamp.now().milliseconds - writtenAt.milliseconds).magnitude < limit
    }

    /// Longer than all but the longest copies; what goes on for longer is told, and not touched before `grace` either.
    private static let longestWriteMilliseconds: Int64 = 15 * 60_000

    /// Whether nothing that is under way can still need it: seen in two runs, found and written longer ago than `grace`.
    ///
    /// A time to come is that of a clock that ran ahead, and says nothing.
    func isOld(_ finding: Finding, writtenAt: Timestamp) -> Bool {
        let now = Timestamp.now().milliseconds
        let limit = now - reconciler.settings.graceMilliseconds
        guard finding.runs >= 2, finding.firstSeen.milliseconds <= limit else { return false }
        return writtenAt.milliseconds <= limit || writtenAt.milliseconds > now
    }

    // MARK: Notes

    /// Notes a finding, and asks for its repair in the same transaction.
    @discardableResult
    mutating func note(
        _ finding: Finding, repairing: ((any SQLConnection) throws(S3Error) -> Void)? = nil
    ) throws(JobFailure) -> Finding {
        let number = sweep.run
        let noted = try write { sql throws(S3Error) in
            try repairing?(sql)
            return try sql.note(finding, run: number, at: .now())
        }
        if repairing != nil { summary.repairs += 1 }
        summary.findings[finding.kind, default: 0] += 1
        if noted.runs == 1 {
            reconciler.log.warning(
                "a finding",
                metadata: [
                    "kind": "\(finding.kind.rawValue)", "backend": "\(live.name)",
                    "bucket": "\(finding.physicalBucket)",
                    "key": "\(String(decoding: finding.physicalKey, as: UTF8.self))", "detail": "\(finding.detail)",
                ])
        }
        return noted
    }

    /// Forgets what was not found again in one physical bucket, after all of it was looked at.
    func forget(in bucket: String) throws(JobFailure) {
        let (id, number) = (backendID, sweep.run)
        try write { sql throws(S3Error) in
            try sql.forgetFindings(backendID: id, physicalBucket: bucket, notOf: number)
        }
    }

    /// Forgets findings of buckets that are gone.
    func forgetOthers() throws(JobFailure) {
        let (id, number) = (backendID, sweep.run)
        try write { sql throws(S3Error) in try sql.forgetFindings(backendID: id, notOf: number) }
    }

    func head(_ object: PhysicalObject) throws(JobFailure) -> BackendObjectHead? {
        do throws(BackendError) {
            return try live.observe { backend throws(BackendError) in try backend.head(object) }
        } catch {
            // Something is there, and not what it should be: verifying finds out.
            if error.kind == .damaged || error.kind == .missing { return nil }
            throw JobFailure(error)
        }
    }

    func read<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(JobFailure) -> T {
        do throws(S3Error) { return try database.read(body) } catch { throw JobFailure(error) }
    }

    func write<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(JobFailure) -> T {
        do throws(S3Error) { return try database.write(body) } catch { throw JobFailure(error) }
    }
}

/// Finds out what an object is of which no row speaks.
struct SuspectLook: Sendable {
    let live: LiveBackend
    let world: World

    enum Verdict: Sendable {
        /// A row speaks of it by now, or something is under way that will.
        case known
        case gone
        case foreign(String)
        case ours(VersionDescription, isLive: Bool)
    }

    func look(_ suspect: ReconcileRun.Suspect) -> Result<Verdict, JobFailure> {
        do throws(JobFailure) { return .success(try verdict(suspect)) } catch { return .failure(error) }
    }

    private func verdict(_ suspect: ReconcileRun.Suspect) throws(JobFailure) -> Verdict {
        let object = PhysicalObject(bucket: suspect.bucket, key: suspect.entry.key)
        let head: BackendObjectHead?
        do throws(BackendError) {
            head = try live.observe { backend throws(BackendError) in try backend.head(object) }
        } catch {
            if error.kind == .damaged { return .foreign("its description does not read: \(error.cause)") }
            throw JobFailure(error)
        }
        guard let head else { return .gone }
        let metadata = head.metadata
        guard !metadata.isEmpty else { return .foreign("it does not describe itself") }
        guard world.descriptionProof.holds(for: metadata) else {
            return .foreign("its description is not one of this installation")
        }
        guard let description = VersionDescription(metadata),
            PhysicalKey.isKey(object.key, of: description.version.key, description.version.id)
        else { return .foreign("its description is of another object") }
        let id = description.version.id
        let backendID = live.backend.record.id
        do throws(S3Error) {
            return try world.database.read { sql throws(S3Error) in
                let isKnown =
                    try sql.placedReplica(
                        backendID: backendID, physicalBucket: object.bucket, physicalKey: object.key) != nil
                if isKnown { return .known }
                if try sql.isUnderWay(id, backendID: backendID) { return .known }
                return .ours(description, isLive: try sql.isLive(id))
            }
        } catch {
            throw JobFailure(error)
        }
    }
}
