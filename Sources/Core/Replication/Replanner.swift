import Logging
import Synchronization

/// Looks again at the versions of buckets whose policy, tags or backends have changed, a few at a time.
///
/// Each batch is one transaction that reads the row of the bucket, so that several workers take turns and none goes on
/// with what was asked for anew meanwhile.
final class Replanner: Sendable {
    private let planning: Planning
    private let counts: WorkerCounts
    private let log = Logger(label: "s3gw.worker")
    /// When the next look is due, on the monotonic clock, while there are jobs to do as well.
    private let nextLook = Mutex(Timestamp(milliseconds: 0))
    private let isLooking = Mutex(false)

    /// Versions of one transaction; it bounds how long other writers wait.
    static let batchSize = 200
    /// Between two batches while there are jobs, so that the walk neither starves nor starves others.
    static let pauseMilliseconds: Int64 = 50

    init(planning: Planning, counts: WorkerCounts) {
        self.planning = planning
        self.counts = counts
    }

    /// Looks at one batch unless the last one was only a moment ago; returns whether there was one.
    @discardableResult
    func stepBetweenJobs() throws(S3Error) -> Bool {
        let now = Timestamp.monotonic()
        let isDue = nextLook.withLock { next in
            guard now >= next else { return false }
            next = Timestamp(milliseconds: now.milliseconds + Self.pauseMilliseconds)
            return true
        }
        return isDue ? try step() : false
    }

    /// Looks at the next batch that is due; false when there is none, or another thread is at it.
    func step() throws(S3Error) -> Bool {
        let isFree = isLooking.withLock { isLooking in
            defer { isLooking = true }
            return !isLooking
        }
        guard isFree else { return false }
        defer { isLooking.withLock { $0 = false } }
        let now = Timestamp.now()
        let isDue = try planning.world.database.read { sql throws(S3Error) in
            if try sql.dueReplan(at: now) != nil { return true }
            return try sql.hasOtherBackendsAway(try planning.away(sql, at: now))
        }
        guard isDue else { return false }
        let looked = try planning.world.database.write { sql throws(S3Error) in
            try noteBackendsAway(sql, now)
            return try look(sql, now)
        }
        counts.add { $0.replanned += looked ?? 0 }
        return looked != nil
    }

    /// A backend that is away for longer than the grace, or back from there, changes where replicas belong.
    private func noteBackendsAway(_ sql: any SQLConnection, _ now: Timestamp) throws(S3Error) {
        let away = try planning.away(sql, at: now)
        guard try sql.hasOtherBackendsAway(away) else { return }
        try sql.setBackendsAway(away)
        try sql.requestReplanOfAll(at: now)
        log.notice(
            "backends are given up for now, or back",
            metadata: ["away": "\(away.sorted().map(String.init).joined(separator: ", "))"])
    }

    /// Returns how many versions it looked at; nil when no bucket is due.
    private func look(_ sql: any SQLConnection, _ now: Timestamp) throws(S3Error) -> Int? {
        guard let replan = try sql.dueReplan(at: now) else { return nil }
        guard let bucket = try sql.bucket(id: replan.bucketID) else {
            try sql.deleteReplan(replan)
            return 0
        }
        let versions = try sql.liveVersions(bucketID: bucket.id, after: replan.cursor, limit: Self.batchSize)
        let scene = try planning.scene(sql, at: now)
        var short = 0
        for version in versions {
            let change = try planning.change(version, try sql.replicas(of: version.id), in: bucket, scene, sql)
            try change.apply(sql, at: now, renews: replan.doneAt == nil)
            if change.plan.refusal != nil { short += 1 }
        }
        try advance(replan, versions, short, sql, now)
        return versions.count
    }

    private func advance(
        _ replan: Replan, _ versions: [ObjectVersion], _ short: Int, _ sql: any SQLConnection, _ now: Timestamp
    ) throws(S3Error) {
        let isEnd = versions.count < Self.batchSize
        if isEnd && now >= replan.askedAt.adding(seconds: Replan.tailSeconds) { return try sql.deleteReplan(replan) }
        let isAdvanced = try sql.advance(
            replan, to: versions.last?.sequence ?? replan.cursor, looked: versions.count, short: short,
            lookAt: isEnd ? now.adding(seconds: Replan.tailPauseSeconds) : now,
            doneAt: replan.doneAt ?? (isEnd ? now : nil))
        precondition(isAdvanced, "the row was read in this very transaction")
    }
}
