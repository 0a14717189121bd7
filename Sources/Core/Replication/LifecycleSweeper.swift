import Logging
import Synchronization

/// Looks through the buckets with lifecycle rules from time to time, and has ended what a rule ends: an `expire` job each.
///
/// The look is a walk along indexes, a page in memory, once per interval. Where it stands is in the database; one worker
/// at a time is at it, by a lease, and a worker whose lease was lost adds no job. That the jobs decide anew makes the look
/// harmless: at worst it asks in vain.
final class LifecycleSweeper: Sendable {
    struct Settings: Sendable {
        /// Names this process in leases.
        var owner: String
        var leaseSeconds: Int
        /// Between the beginnings of two looks.
        var intervalMilliseconds: Int64
    }

    private struct State {
        /// Our claim, with the position that the next page begins at; newer than the database's for a moment.
        var pass: LifecyclePass?
        var savedAt = Timestamp(milliseconds: 0)
        /// When it is to be asked for a look again, on the monotonic clock.
        var nextAsk = Timestamp(milliseconds: 0)
        /// When the next page may come while there are jobs, on the monotonic clock.
        var nextPage = Timestamp(milliseconds: 0)
        var isLooking = false
    }

    private let world: World
    private let settings: Settings
    private let state = Mutex(State())
    private let log = Logger(label: "s3gw.worker")

    /// Versions or uploads of one page.
    static let pageSize = 500
    /// While so many jobs wait, no more are made.
    static let mostWaitingJobs = 5000
    /// Between two pages while there are jobs, so that neither starves.
    private static let pauseMilliseconds: Int64 = 50
    /// Between two questions whether a look is due.
    private static let askMilliseconds: Int64 = 1000
    /// How often the position is written down when no job has to be.
    private static let saveMilliseconds: Int64 = 1000

    init(world: World, settings: Settings) {
        self.world = world
        self.settings = settings
    }

    /// Looks at one page unless the last one was only a moment ago.
    func stepBetweenJobs() throws(S3Error) {
        let now = Timestamp.monotonic()
        let isDue = state.withLock { state in
            guard now >= state.nextPage else { return false }
            state.nextPage = Timestamp(milliseconds: now.milliseconds + Self.pauseMilliseconds)
            return true
        }
        if isDue { try step() }
    }

    /// Looks at the next page; false when no look is due, another worker or thread is at it, or enough jobs wait.
    @discardableResult
    func step() throws(S3Error) -> Bool {
        let isFree = state.withLock { state in
            defer { state.isLooking = true }
            return !state.isLooking
        }
        guard isFree else { return false }
        defer { state.withLock { $0.isLooking = false } }
        guard let pass = try claimed() else { return false }
        let waiting = try world.database.read { sql throws(S3Error) in
            try sql.waitingExpireJobs(limit: Self.mostWaitingJobs)
        }
        guard waiting < Self.mostWaitingJobs else { return false }
        try look(pass)
        return true
    }

    /// Lets other workers go on where this one stands.
    func giveBack() throws(S3Error) {
        let pass = state.withLock { state in
            defer { state.pass = nil }
            return state.pass
        }
        guard var pass else { return }
        (pass.leaseOwner, pass.leaseUntil) = (nil, nil)
        let last = pass
        _ = try world.database.write { sql throws(S3Error) in try sql.saveLifecyclePass(last) }
    }

    // MARK: The claim

    private func claimed() throws(S3Error) -> LifecyclePass? {
        let monotonic = Timestamp.monotonic()
        let (pass, isTime) = state.withLock { state in
            let isTime = state.pass == nil && monotonic >= state.nextAsk
            if isTime { state.nextAsk = Timestamp(milliseconds: monotonic.milliseconds + Self.askMilliseconds) }
            return (state.pass, isTime)
        }
        if let pass { return pass }
        guard isTime else { return nil }
        let now = Timestamp.now()
        let isWanted = try world.database.read { sql throws(S3Error) in
            let pass = try sql.lifecyclePass()
            guard pass?.isDue(at: now, intervalMilliseconds: settings.intervalMilliseconds) ?? true else {
                return false
            }
            return try sql.bucketWithLifecycle(from: 0) != nil
        }
        guard isWanted else { return nil }
        let lease = Int64(settings.leaseSeconds)
        let claim = try world.database.write { sql throws(S3Error) in
            try sql.claimLifecyclePass(
                owner: settings.owner, now: now, until: now.adding(seconds: lease),
                longestLease: now.adding(seconds: 2 * lease), intervalMilliseconds: settings.intervalMilliseconds)
        }
        state.withLock { state in
            state.pass = claim
            state.savedAt = monotonic
        }
        return claim
    }

    // MARK: A page

    private func look(_ pass: LifecyclePass) throws(S3Error) {
        let now = Timestamp.now()
        let found = try world.database.read { sql throws(S3Error) in try page(pass.position, now, sql) }
        var pass = pass
        let bucketID = found?.bucket.id ?? 0
        let due = found?.page.due ?? []
        if let found {
            pass.position =
                found.page.next ?? LifecyclePosition(bucketID: bucketID + 1, stage: .versions, from: [])
            pass.looked += Int64(found.page.looked)
            pass.found += Int64(due.count)
        } else {
            pass.finishedAt = now
        }
        let monotonic = Timestamp.monotonic()
        let isOld = state.withLock { monotonic.milliseconds - $0.savedAt.milliseconds >= Self.saveMilliseconds }
        guard isOld || !due.isEmpty || found == nil else {
            return state.withLock { [pass] in $0.pass = pass }
        }
        let isEnd = found == nil
        pass.leaseOwner = isEnd ? nil : settings.owner
        pass.leaseUntil = isEnd ? nil : now.adding(seconds: Int64(settings.leaseSeconds))
        let isOurs = try world.database.write { [pass] sql throws(S3Error) in
            guard try sql.saveLifecyclePass(pass) else { return false }
            for id in due { try sql.insertExpireJob(bucketID: bucketID, versionID: id, at: now) }
            return true
        }
        state.withLock { [pass] state in
            state.pass = isOurs && !isEnd ? pass : nil
            state.savedAt = monotonic
        }
        if isEnd && isOurs {
            log.info(
                "lifecycle rules looked at", metadata: ["looked": "\(pass.looked)", "due": "\(pass.found)"])
        }
    }

    /// Returns the page at `position`, or the first of the next bucket with rules; nil behind the last bucket.
    private func page(
        _ position: LifecyclePosition, _ now: Timestamp, _ sql: any SQLConnection
    ) throws(S3Error) -> (bucket: Bucket, page: LifecyclePage)? {
        guard let bucket = try sql.bucketWithLifecycle(from: position.bucketID) else { return nil }
        guard let rules = try readable(bucket, sql) else { return (bucket, LifecyclePage()) }
        let start =
            bucket.id == position.bucketID
            ? position : LifecyclePosition(bucketID: bucket.id, stage: .versions, from: [])
        return (bucket, try LifecyclePage(at: start, of: bucket, rules, now, limit: Self.pageSize, sql))
    }

    /// Rules that do not read, as a newer program may have written them, end nothing and hold nobody up.
    private func readable(_ bucket: Bucket, _ sql: any SQLConnection) throws(S3Error) -> Lifecycle? {
        do throws(S3Error) { return try world.lifecycles.rules(of: bucket, sql) } catch {
            guard error.code == .internalError else { throw error }
            log.error(
                "a bucket's lifecycle rules are not acted on",
                metadata: ["bucket": "\(bucket.name.text)", "cause": "\(error.cause ?? error.message)"])
            return nil
        }
    }

    // MARK: How a version stands

    /// How a living version stands to the others of its key.
    static func standing(of version: ObjectVersion, _ sql: any SQLConnection) throws(S3Error) -> LifecycleStanding {
        let newer = try newer(
            thanBelow: version.sequence + 1, key: version.key.bytes, bucketID: version.bucketID, sql)
        if let since = newer.since { return .noncurrent(since: since, newer: newer.count - 1) }
        // Only of a delete marker is it asked.
        guard version.isDeleteMarker else { return .current(isOnly: false) }
        let hasOlder = try sql.hasOlderVersion(
            bucketID: version.bucketID, key: version.key.bytes, than: version.sequence)
        return .current(isOnly: !hasOlder)
    }

    /// The versions of a key from a sequence on: the current one, and as many noncurrent ones as a rule can ask for.
    static func newer(
        thanBelow sequence: Int64, key: [UInt8], bucketID: Int64, _ sql: any SQLConnection
    ) throws(S3Error) -> NewerVersions {
        try sql.newerVersions(
            bucketID: bucketID, key: key, from: sequence, limit: Lifecycle.maximumNewerVersions + 1)
    }
}
