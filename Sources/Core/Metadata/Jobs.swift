/// What runs first: a version in few places is in danger, a superfluous replica only costs.
enum JobUrgency: Int64, CaseIterable {
    /// A copy of a version that one place has, or none.
    case lastCopy
    case copy
    case removal
    case bucket
}

extension SQLConnection {
    private func urgency(_ kind: JobKind, of id: VersionID) throws(S3Error) -> JobUrgency {
        switch kind {
        case .replicate, .move: try copies(of: id) > 1 ? .copy : .lastCopy
        case .verify: .copy
        case .removeReplica, .endUpload, .expire: .removal
        case .removeBucket: .bucket
        }
    }

    /// Counts the places from which a version can be read today.
    private func copies(of id: VersionID) throws(S3Error) -> Int64 {
        try first(
            """
            SELECT COUNT(*) FROM versions v JOIN replicas r ON r.version_sequence = v.sequence
            JOIN backends b ON b.id = r.backend_id WHERE v.id = $1 AND r.state = 'present' AND b.state <> 'lost'
            """, .bytes(id.bytes)
        ) { $0.int(0) } ?? 0
    }

    /// The copies of a version become more urgent, or less, with the number of its replicas.
    private func setUrgency(_ urgency: JobUrgency, ofCopies id: VersionID) throws(S3Error) {
        try run(
            """
            UPDATE jobs SET urgency = $2 WHERE version_id = $1 AND kind IN ('replicate', 'move') AND urgency <> $2
            """, .bytes(id.bytes), .int(urgency.rawValue))
    }
}

/// The worker's queue. A job is there once for each (kind, version, backend); who holds its lease is told by the fence.
extension SQLConnection {
    /// Asks for a job.
    ///
    /// One that waits already is only made due earlier; a dead one lives again; one that is being done is done once
    /// more afterwards. `source` is for a `move`: the place that is to be left.
    package func insertJob(
        kind: JobKind, bucketID: Int64, versionID: VersionID?, backendID: Int64, from source: Int64? = nil,
        notBefore: Timestamp
    ) throws(S3Error) {
        guard let versionID else { return try insertBucketJob(kind, bucketID, backendID, notBefore) }
        let urgency = try urgency(kind, of: versionID)
        if JobKind.copies.contains(kind) { try setUrgency(urgency, ofCopies: versionID) }
        try run(
            """
            INSERT INTO jobs (
                kind, urgency, bucket_id, version_id, backend_id, state, not_before, due_at, created_at,
                source_backend_id)
            VALUES ($1, $2, $3, $4, $5, 'ready', $6, $6, $6, $7)
            ON CONFLICT (version_id, backend_id, kind) WHERE version_id IS NOT NULL DO UPDATE SET
                source_backend_id = excluded.source_backend_id,
                is_asked_again = CASE jobs.state WHEN 'leased' THEN 1 ELSE 0 END,
                attempts = CASE jobs.state WHEN 'dead' THEN 0 ELSE jobs.attempts END,
                not_before = CASE WHEN jobs.state = 'ready' AND jobs.not_before < excluded.not_before
                    THEN jobs.not_before ELSE excluded.not_before END,
                due_at = CASE WHEN jobs.state = 'leased' OR (jobs.state = 'ready' AND jobs.due_at < excluded.due_at)
                    THEN jobs.due_at ELSE excluded.due_at END,
                state = CASE jobs.state WHEN 'leased' THEN 'leased' ELSE 'ready' END
            """, .text(kind.rawValue), .int(urgency.rawValue), .int(bucketID), .bytes(versionID.bytes), .int(backendID),
            SQLValue(notBefore), SQLValue(source))
    }

    private func insertBucketJob(
        _ kind: JobKind, _ bucketID: Int64, _ backendID: Int64, _ notBefore: Timestamp
    ) throws(S3Error) {
        try run(
            """
            INSERT INTO jobs (kind, urgency, bucket_id, backend_id, state, not_before, due_at, created_at)
            VALUES ($1, $2, $3, $4, 'ready', $5, $5, $5)
            ON CONFLICT (bucket_id, backend_id, kind) WHERE version_id IS NULL DO UPDATE SET
                is_asked_again = CASE jobs.state WHEN 'leased' THEN 1 ELSE 0 END,
                attempts = CASE jobs.state WHEN 'dead' THEN 0 ELSE jobs.attempts END,
                not_before = CASE WHEN jobs.state = 'ready' AND jobs.not_before < excluded.not_before
                    THEN jobs.not_before ELSE excluded.not_before END,
                due_at = CASE WHEN jobs.state = 'leased' OR (jobs.state = 'ready' AND jobs.due_at < excluded.due_at)
                    THEN jobs.due_at ELSE excluded.due_at END,
                state = CASE jobs.state WHEN 'leased' THEN 'leased' ELSE 'ready' END
            """, .text(kind.rawValue), .int(JobUrgency.bucket.rawValue), .int(bucketID), .int(backendID),
            SQLValue(notBefore))
    }

    /// Leases up to `limit` jobs that are due, or whose lease is over, the most urgent first.
    ///
    /// Never two at once about the same version and backend, and of the backends in `room` at most that many each.
    package func claimJobs(
        owner: String, limit: Int, now: Timestamp, leaseUntil: Timestamp, room: [Int64: Int] = [:]
    ) throws(S3Error) -> [Job] {
        var room = room
        var claimed: [Job] = []
        for urgency in JobUrgency.allCases where claimed.count < limit {
            let full = room.filter { $0.value <= 0 }.keys.sorted().map { "\($0)," }.joined()
            let due = try all(
                """
                SELECT id, backend_id, version_id FROM jobs WHERE state <> 'dead' AND urgency = $1 AND due_at <= $2
                AND NOT EXISTS (
                    SELECT 1 FROM jobs AS other WHERE other.version_id = jobs.version_id
                    AND other.backend_id = jobs.backend_id AND other.state = 'leased' AND other.lease_until > $2
                    AND other.id <> jobs.id)
                AND $4 NOT LIKE '%,' || CAST(backend_id AS TEXT) || ',%'
                ORDER BY due_at, id LIMIT $3
                """, .int(urgency.rawValue), SQLValue(now), .int(Int64(limit - claimed.count)), .text("," + full)
            ) { (id: $0.int(0), backendID: $0.int(1), versionID: $0.optionalBytes(2)) }
            for candidate in due where room[candidate.backendID, default: 1] > 0 {
                let isTwin = claimed.contains {
                    $0.backendID == candidate.backendID && $0.versionID != nil
                        && $0.versionID?.bytes == candidate.versionID
                }
                guard !isTwin, let job = try lease(candidate.id, owner, until: leaseUntil) else { continue }
                if let left = room[job.backendID] { room[job.backendID] = left - 1 }
                claimed.append(job)
            }
        }
        return claimed
    }

    private func lease(_ id: Int64, _ owner: String, until: Timestamp) throws(S3Error) -> Job? {
        try first(
            """
            UPDATE jobs SET state = 'leased', lease_owner = $2, lease_until = $3, due_at = $3,
                fence = fence + 1, attempts = attempts + 1 WHERE id = $1
            RETURNING id, kind, bucket_id, version_id, backend_id, state, attempts, not_before, lease_owner,
                lease_until, fence, last_error, created_at, source_backend_id
            """, .int(id), .text(owner), SQLValue(until), row: job)
    }

    /// Ends a job that is done; false when the lease was lost, and then nothing may be committed with it.
    package func finishJob(id: Int64, fence: Int64) throws(S3Error) -> Bool {
        #if S3GW_PLANTED_BUGS
            if PlantedBug.noFencing.isOn {
                try run("DELETE FROM jobs WHERE id = $1", .int(id))
                return true
            }
        #endif
        let deleted = try run(
            "DELETE FROM jobs WHERE id = $1 AND fence = $2 AND state = 'leased' AND is_asked_again = 0", .int(id),
            .int(fence))
        if deleted == 1 { return true }
        // It was asked for again while it was done: the need may be newer than what was done.
        return try run(
            """
            UPDATE jobs SET state = 'ready', is_asked_again = 0, attempts = 0, due_at = not_before, lease_owner = NULL,
                lease_until = NULL, last_error = NULL WHERE id = $1 AND fence = $2 AND state = 'leased'
            """, .int(id), .int(fence)) == 1
    }

    /// Gives a job back to be tried again; false when the lease was lost.
    ///
    /// An attempt that does not count is taken off again: the job only had to wait.
    package func retryJob(
        id: Int64, fence: Int64, notBefore: Timestamp, error: String, countsAttempt: Bool = true
    ) throws(S3Error) -> Bool {
        try run(
            """
            UPDATE jobs SET state = 'ready', is_asked_again = 0, not_before = $3, due_at = $3, lease_owner = NULL,
                lease_until = NULL, last_error = $4, attempts = attempts - $5
            WHERE id = $1 AND fence = $2 AND state = 'leased'
            """, .int(id), .int(fence), SQLValue(notBefore), .text(error), .int(countsAttempt ? 0 : 1)) == 1
    }

    /// Makes a job a dead letter; false when the lease was lost.
    package func buryJob(id: Int64, fence: Int64, error: String) throws(S3Error) -> Bool {
        try run(
            """
            UPDATE jobs SET state = 'dead', is_asked_again = 0, lease_owner = NULL, lease_until = NULL, last_error = $3
            WHERE id = $1 AND fence = $2 AND state = 'leased'
            """, .int(id), .int(fence), .text(error)) == 1
    }

    /// Keeps a lease for longer; false when it was lost.
    package func extendLease(id: Int64, fence: Int64, until: Timestamp) throws(S3Error) -> Bool {
        try run(
            "UPDATE jobs SET lease_until = $3, due_at = $3 WHERE id = $1 AND fence = $2 AND state = 'leased'", .int(id),
            .int(fence), SQLValue(until)) == 1
    }

    /// Ends the leases that run until after `longest`: nobody claims a job for so long, so the clock of whoever did was
    /// ahead.
    ///
    /// Returns how many; should such a worker still work, its fence keeps it from committing.
    package func endLeases(beyond longest: Timestamp, at now: Timestamp) throws(S3Error) -> Int {
        try run(
            "UPDATE jobs SET lease_until = $1, due_at = $1 WHERE state = 'leased' AND lease_until > $2", SQLValue(now),
            SQLValue(longest))
    }

    /// Tells whether nobody else has claimed the job since.
    package func holdsLease(id: Int64, fence: Int64) throws(S3Error) -> Bool {
        #if S3GW_PLANTED_BUGS
            if PlantedBug.noFencing.isOn { return true }
        #endif
        return try has("SELECT 1 FROM jobs WHERE id = $1 AND fence = $2 AND state = 'leased'", .int(id), .int(fence))
    }

    /// Tells whether somebody is doing, or will do, that job: it is neither done nor dead.
    package func hasOpenJob(kind: JobKind, versionID: VersionID, backendID: Int64) throws(S3Error) -> Bool {
        try has(
            "SELECT 1 FROM jobs WHERE version_id = $1 AND backend_id = $2 AND kind = $3 AND state <> 'dead'",
            .bytes(versionID.bytes), .int(backendID), .text(kind.rawValue))
    }

    /// Tells whether somebody is bringing, or will bring, the version there.
    package func hasOpenCopy(versionID: VersionID, backendID: Int64) throws(S3Error) -> Bool {
        for kind in JobKind.copies where try hasOpenJob(kind: kind, versionID: versionID, backendID: backendID) {
            return true
        }
        return false
    }

    /// Tells whether there is that job, in any state.
    package func hasJob(kind: JobKind, versionID: VersionID, backendID: Int64) throws(S3Error) -> Bool {
        try has(
            "SELECT 1 FROM jobs WHERE version_id = $1 AND backend_id = $2 AND kind = $3", .bytes(versionID.bytes),
            .int(backendID), .text(kind.rawValue))
    }

    /// Returns the oldest jobs in `state`, or in any for nil.
    package func jobs(state: JobState?, limit: Int) throws(S3Error) -> [Job] {
        guard let state else {
            return try all(
                """
                SELECT id, kind, bucket_id, version_id, backend_id, state, attempts, not_before, lease_owner,
                    lease_until, fence, last_error, created_at, source_backend_id FROM jobs ORDER BY id LIMIT $1
                """, .int(Int64(limit)), row: job)
        }
        return try all(
            """
            SELECT id, kind, bucket_id, version_id, backend_id, state, attempts, not_before, lease_owner, lease_until,
                fence, last_error, created_at, source_backend_id FROM jobs WHERE state = $1 ORDER BY id LIMIT $2
            """, .text(state.rawValue), .int(Int64(limit)), row: job)
    }

    /// Makes a dead letter live again, or a job that waits for its time due at once; false when there is no such job or
    /// it is being done.
    package func reviveJob(id: Int64, at time: Timestamp = .now()) throws(S3Error) -> Bool {
        try run(
            """
            UPDATE jobs SET attempts = CASE state WHEN 'dead' THEN 0 ELSE attempts END, state = 'ready',
                not_before = $2, due_at = $2 WHERE id = $1 AND state <> 'leased'
            """, .int(id), SQLValue(time)) == 1
    }

    /// Returns up to `limit` ids, larger than `after`, of jobs that failed and wait for their next try.
    package func waitingJobs(after id: Int64, limit: Int, at time: Timestamp = .now()) throws(S3Error) -> [Int64] {
        try all(
            """
            SELECT id FROM jobs WHERE state = 'ready' AND id > $1 AND not_before > $2 AND last_error IS NOT NULL
            ORDER BY id LIMIT $3
            """, .int(id), SQLValue(time), .int(Int64(limit))
        ) { $0.int(0) }
    }

    /// Forgets a job that nobody is doing; false when there is none or it is leased.
    package func dropJob(id: Int64) throws(S3Error) -> Bool {
        try run("DELETE FROM jobs WHERE id = $1 AND state <> 'leased'", .int(id)) == 1
    }

    /// Counts the jobs that are neither done nor dead.
    package func openJobCount() throws(S3Error) -> Int {
        Int(try first("SELECT COUNT(*) FROM jobs WHERE state <> 'dead'") { $0.int(0) } ?? 0)
    }

    /// Counts all jobs by kind and state; for people, as it reads the whole table.
    package func jobCounts() throws(S3Error) -> [(kind: JobKind, state: JobState, count: Int, oldest: Timestamp?)] {
        try all(
            "SELECT kind, state, COUNT(*), MIN(created_at) FROM jobs GROUP BY kind, state ORDER BY kind, state"
        ) { (row) throws(S3Error) in
            (kind: try row.word(0), state: try row.word(1), count: Int(row.int(2)), oldest: row.optionalTime(3))
        }
    }

    private func job(_ row: any SQLStatement) throws(S3Error) -> Job {
        Job(
            id: row.int(0), kind: try row.word(1), bucketID: row.int(2),
            versionID: row.isNull(3) ? nil : try row.versionID(3), backendID: row.int(4),
            sourceBackendID: row.optionalInt(13), state: try row.word(5), attempts: Int(row.int(6)),
            notBefore: row.time(7), leaseOwner: row.optionalText(8),
            leaseUntil: row.optionalTime(9), fence: row.int(10), lastError: row.optionalText(11),
            createdAt: row.time(12))
    }
}
