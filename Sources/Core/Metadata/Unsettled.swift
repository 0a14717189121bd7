/// What is not as it should be yet: found by an index that holds nothing else, so that a million settled versions cost
/// nothing.
extension SQLConnection {
    /// Sums the replicas that are still to be made there, or to be made anew.
    package func pendingReplicas(backendID: Int64) throws(S3Error) -> ReplicaSum {
        try first(
            """
            SELECT COUNT(*), CAST(COALESCE(SUM(v.size_bytes), 0) AS BIGINT)
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE r.backend_id = $1 AND r.state IN ('pending', 'damaged') AND r.state <> 'present'
            """, .int(backendID), row: sum) ?? ReplicaSum()
    }

    package func removingReplicas(backendID: Int64) throws(S3Error) -> ReplicaSum {
        try first(
            """
            SELECT COUNT(*), CAST(COALESCE(SUM(v.size_bytes), 0) AS BIGINT)
            FROM replicas r JOIN versions v ON v.sequence = r.version_sequence
            WHERE r.backend_id = $1 AND r.state = 'removing' AND r.state <> 'present'
            """, .int(backendID), row: sum) ?? ReplicaSum()
    }

    private func sum(_ row: any SQLStatement) -> ReplicaSum { ReplicaSum(replicas: row.int(0), bytes: row.int(1)) }

    /// Counts the versions that lack a replica, each once.
    package func versionsBehind() throws(S3Error) -> Int64 {
        try first(
            """
            SELECT COUNT(DISTINCT version_sequence) FROM replicas
            WHERE state IN ('pending', 'damaged') AND state <> 'present'
            """
        ) { $0.int(0) } ?? 0
    }

    /// Counts the moves to that backend that are neither done nor dead.
    package func openMoves(backendID: Int64) throws(S3Error) -> Int64 {
        var count: Int64 = 0
        for state in [JobState.ready, .leased] {
            count +=
                try first(
                    "SELECT COUNT(*) FROM jobs WHERE backend_id = $1 AND kind = 'move' AND state = $2", .int(backendID),
                    .text(state.rawValue)
                ) { $0.int(0) } ?? 0
        }
        return count
    }

    /// When the oldest copy to that backend, neither done nor dead, was asked for.
    package func oldestCopy(backendID: Int64) throws(S3Error) -> Timestamp? {
        let times = try JobKind.copies.map { kind throws(S3Error) in
            try oldestJob(kind: kind, backendID: backendID)
        }
        return times.compactMap { $0 }.min()
    }

    private func oldestJob(kind: JobKind, backendID: Int64) throws(S3Error) -> Timestamp? {
        var oldest: Timestamp?
        for state in [JobState.ready, .leased] {
            let time = try first(
                """
                SELECT created_at FROM jobs WHERE backend_id = $1 AND kind = $2 AND state = $3
                ORDER BY created_at LIMIT 1
                """, .int(backendID), .text(kind.rawValue), .text(state.rawValue)
            ) { $0.time(0) }
            if let time { oldest = min(oldest ?? time, time) }
        }
        return oldest
    }

    package func deadJobs(backendID: Int64) throws(S3Error) -> Int64 {
        var count: Int64 = 0
        for kind in JobKind.allCases {
            count +=
                try first(
                    "SELECT COUNT(*) FROM jobs WHERE backend_id = $1 AND kind = $2 AND state = 'dead'", .int(backendID),
                    .text(kind.rawValue)
                ) { $0.int(0) } ?? 0
        }
        return count
    }
}
