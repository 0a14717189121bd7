/// Turns what was found into versions: which of them live, and in which order they were written.
///
/// Within one key a later commit has a later time of last modification, so that time is the order. Of several null
/// versions of a key the newest lives: the others were being removed.
struct RebuildVersions {
    private let rebuild: Rebuild
    private let database: Database

    private static let batch = 500

    init(_ rebuild: Rebuild, _ database: Database) {
        self.rebuild = rebuild
        self.database = database
    }

    func run() throws(S3Error) {
        var last: FoundVersion?
        while true {
            try rebuild.checkGoingOn()
            let page = try database.write { sql throws(S3Error) in
                let page = try sql.foundVersions(after: last, limit: Self.batch)
                for found in page { try restore(found, sql) }
                return page
            }
            guard page.count == Self.batch else { return }
            last = page.last
        }
    }

    private func restore(_ found: FoundVersion, _ sql: any SQLConnection) throws(S3Error) {
        let now = Timestamp.now()
        let objects = try sql.foundObjects(of: found.id)
        var isLive = found.isLive
        if isLive, found.isNull { isLive = try !sql.hasNewerNull(found) }
        guard isLive else {
            // Without bytes nothing can come back: its record, if there is one, goes.
            if objects.isEmpty { return }
            try sql.restoreDead(
                id: found.id, bucketID: found.bucketID, key: found.key, objects: objects, at: now)
            rebuild.report.dead += 1
            if found.isLive { try sql.restoreNeedOfRecord(found, at: now) }
            return
        }
        guard var description = VersionDescription(found.fields) else {
            throw S3Error(.internalError, cause: "the description of \(found.id) does not read")
        }
        description.version.bucketID = found.bucketID
        let good = objects.filter { $0.sizeBytes == description.version.sizeBytes }
        try sql.restoreVersion(description.version, parts: description.parts, objects: good)
        if !found.isWhole { try sql.restoreNeedOfRecord(found, at: now) }
        rebuild.report.replicas += Set(good.map(\.backendID)).count
        if description.version.isDeleteMarker {
            rebuild.report.deleteMarkers += 1
        } else {
            rebuild.report.versions += 1
            if good.isEmpty { rebuild.report.lost += 1 }
        }
    }
}
