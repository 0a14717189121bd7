/// Ends one version, or one upload in parts, that a lifecycle rule ends.
///
/// The rules, the version and how it stands to the others of its key are read in the transaction that acts: what was
/// overwritten, deleted, tagged or freed from its rule since the job was made stays. What then happens is what a
/// DeleteObject does, with its delete marker, jobs and ledger rows.
struct ExpireJob {
    let context: JobContext
    let versionID: VersionID

    func run() throws(JobFailure) -> JobOutcome {
        // Read once for all jobs of a bucket, and not within the transaction.
        try context.read { sql throws(S3Error) in
            guard let bucket = try sql.bucket(id: context.job.bucketID) else { return }
            _ = try context.world.lifecycles.rules(of: bucket, sql)
        }
        return try context.finish { sql throws(S3Error) in
            let now = Timestamp.now()
            guard let bucket = try sql.bucket(id: context.job.bucketID),
                let rules = try context.world.lifecycles.rules(of: bucket, sql, isWriting: true)
            else { return .obsolete }
            if let upload = try sql.lifecycleUpload(id: versionID), upload.bucketID == bucket.id {
                return try end(upload.row, rules, sql, now)
            }
            return try end(in: bucket, rules, sql, now)
        }
    }

    private func end(
        _ upload: LifecycleUploadRow, _ rules: Lifecycle, _ sql: any SQLConnection, _ now: Timestamp
    ) throws(S3Error) -> JobOutcome.Done {
        guard let due = rules.due(uploadOf: upload.key.bytes, initiatedAt: upload.initiatedAt), due.at <= now else {
            return .obsolete
        }
        return try sql.endUpload(id: upload.id, at: now) ? .expired : .obsolete
    }

    private func end(
        in bucket: Bucket, _ rules: Lifecycle, _ sql: any SQLConnection, _ now: Timestamp
    ) throws(S3Error) -> JobOutcome.Done {
        guard try sql.isLive(versionID), let version = try sql.version(id: versionID), version.bucketID == bucket.id
        else { return .obsolete }
        let standing = try LifecycleSweeper.standing(of: version, sql)
        guard let due = rules.due(LifecycleSubject(version), standing), due.at <= now else { return .obsolete }
        if case .current = standing, !version.isDeleteMarker {
            _ = try sql.commitDelete(bucketID: bucket.id, key: version.key, at: now, unless: { _ in })
        } else {
            _ = try sql.commitDelete(
                bucketID: bucket.id, key: version.key, version: version.isNull ? .null : .id(version.id), at: now,
                unless: { _ in })
        }
        return .expired
    }
}
