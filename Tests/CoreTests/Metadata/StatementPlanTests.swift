import Core
import Testing

@Suite struct StatementPlanTests {
    /// Calls every function that a request or the worker calls.
    static func useEverything(_ world: MetadataScenario) throws {
        let bucket = world.bucket
        let key = MetadataScenario.key("dir/a")
        let backend = world.backends[0]
        let time = MetadataScenario.start
        try world.write { db in
            try db.insertAccessKey(
                AccessKey(id: "AK", tenantID: world.tenant.id, sealedSecret: [1], isActive: true, createdAt: time))
            try db.setAccessKey(id: "AK", isActive: false)
            _ = try db.accessKey(id: "AK")
            _ = try db.accessKeys(tenantID: world.tenant.id)
            try db.deleteAccessKey(id: "AK")
            try db.setInstallationValue("namespace-key", [1])
            _ = try db.installationValue("namespace-key")
            _ = try db.configurationGeneration()
            _ = try db.tenant(named: "acme")
            _ = try db.tenant(id: world.tenant.id)
            _ = try db.backend(named: "b0")
            try db.setBackend(id: backend.id, state: .active)
            try db.setBackend(id: backend.id, abilities: "{}")
            try db.setPolicy(tenantID: world.tenant.id, json: [1], at: time)
            try db.setPolicy(bucketID: bucket.id, json: [1], at: time)
            try db.removePolicy(tenantID: world.tenant.id, at: time)
            try db.removePolicy(bucketID: bucket.id, at: time)
            _ = try db.bucket(tenantID: world.tenant.id, name: bucket.name)
            _ = try db.bucket(id: bucket.id)
            _ = try db.buckets(named: bucket.name)
            _ = try db.buckets(tenantID: world.tenant.id, prefix: [], after: nil, limit: 10)
            let mapping = BucketMapping(
                bucketID: bucket.id, backendID: backend.id, physicalName: "n", scheme: 1, counter: 0, state: .creating)
            _ = try db.insertMapping(mapping)
            try db.setMapping(bucketID: bucket.id, backendID: backend.id, counter: 0, state: .ready)
            _ = try db.mapping(bucketID: bucket.id, backendID: backend.id)
            _ = try db.mapping(backendID: backend.id, physicalName: "n")
            let old = try db.commitPut(world.newVersion(key, present: 1, pending: 1), unless: { _ in })
            _ = try db.commitPut(world.newVersion(key, present: 1), unless: { _ in })
            _ = try db.currentVersion(bucketID: bucket.id, key: key)
            _ = try db.currentVersionWithReplicas(bucketID: bucket.id, key: key)
            _ = try db.versions(bucketID: bucket.id, key: key, limit: 10)
            _ = try db.version(id: old.id)
            _ = try db.replicas(of: old.id)
            _ = try db.isLive(old.id)
            _ = try db.insertReplica(world.newVersion(key).present[0])
            _ = try db.setReplica(versionID: old.id, backendID: backend.id, physicalBucket: "elsewhere")
            _ = try db.hasReplicas(backendID: backend.id, physicalBucket: "elsewhere")
            _ = try db.hasOpenJob(kind: .replicate, versionID: old.id, backendID: backend.id)
            _ = try db.hasJob(kind: .replicate, versionID: old.id, backendID: backend.id)
            try db.requestReplan(bucketID: bucket.id, at: time)
            try db.requestReplan(tenantID: world.tenant.id, at: time)
            try db.beginCopy(versionID: old.id, backendID: backend.id, nativeID: "n", digest: [])
            try db.addCopyPart(
                versionID: old.id, backendID: backend.id, number: world.newPart(1).number,
                CopyProgress.Part(md5: [1], token: "t"), digest: [1])
            #expect(try db.copyProgress(versionID: old.id, backendID: backend.id)?.parts.count == 1)
            try db.setChecksum(
                versionID: old.id, ObjectChecksum(algorithm: .crc64nvme, value: [UInt8](repeating: 7, count: 8)))
            try db.endCopy(versionID: old.id, backendID: backend.id)
            try db.setLimit(backendID: backend.id, BackendLimit(jobs: 1))
            let replan = try #require(try db.dueReplan(at: time))
            _ = try db.liveVersions(bucketID: bucket.id, after: 0, limit: 10)
            #expect(try db.advance(replan, to: 1, looked: 1, short: 0, lookAt: time, doneAt: nil))
            try db.deleteReplan(replan)
            for state in [ReplicaState.pending, .present, .damaged, .removing] {
                try db.setReplica(versionID: old.id, backendID: backend.id, state: state)
            }
            _ = try db.commitDelete(bucketID: bucket.id, key: key, at: time, unless: { _ in })
            _ = try db.list(ListingQuery(bucketID: bucket.id, delimiter: [0x2F], limit: 10))
            _ = try db.endLeases(beyond: time, at: time)
            for job in try db.claimJobs(owner: "w", limit: 9, now: time.adding(seconds: 9), leaseUntil: time) {
                _ = try db.holdsLease(id: job.id, fence: job.fence)
                _ = try db.extendLease(id: job.id, fence: job.fence, until: time)
                _ = try db.retryJob(id: job.id, fence: job.fence, notBefore: time, error: "e")
                _ = try db.buryJob(id: job.id, fence: job.fence, error: "e")
                _ = try db.reviveJob(id: job.id, at: time)
                _ = try db.finishJob(id: job.id, fence: job.fence)
                _ = try db.dropJob(id: job.id)
                if let id = job.versionID { try db.deleteReplica(versionID: id, backendID: job.backendID) }
            }
            try useHealth(world, db)
            try useImports(world, db)
            try useUploads(world, db)
            try useLifecycles(world, db)
            try useLedger(world, db)
            try Self.useVersions(world, db, key)
            try Self.useShares(world, db)
            _ = try db.jobs(state: .ready, limit: 10)
            _ = try db.waitingJobs(after: 5, limit: 10)
            #expect(throws: S3Error.self) { try db.deleteBackend(id: backend.id) }
            try db.deleteBucket(id: bucket.id, at: time)
        }
    }

    static func useHealth(_ world: MetadataScenario, _ db: any SQLConnection) throws {
        let backend = world.backends[0].id
        let time = MetadataScenario.start
        try db.recordCheck(BackendCheck(backendID: backend, at: time, milliseconds: 1, failure: nil))
        let report = BackendReport(backendID: backend, breaker: "open", calls: 1, failures: 1, latencyMicroseconds: 9)
        try db.recordReport(report, of: "h:1", at: time)
        try db.dropOldReports(at: time.adding(seconds: 3600))
        try db.forgetChecks(backendID: backend)
    }

    static func useImports(_ world: MetadataScenario, _ db: any SQLConnection) throws {
        let backend = world.backends[1].id
        let begun = try db.beginImport(
            bucketID: world.bucket.id, backendID: backend, physicalBucket: "adopted", at: MetadataScenario.start)
        let version = world.newVersion(MetadataScenario.key("adopted/a")).version
        let replica = Replica(
            versionID: version.id, backendID: backend, physicalBucket: "adopted", physicalKey: [0x61], state: .present)
        #expect(try db.adopt(version, at: replica) != nil)
        #expect(try db.adopt(version, at: replica) == nil)
        #expect(try db.keyOfPlace(backendID: backend, "adopted", [0x61]) == version.key.bytes)
        #expect(try db.advanceImport(begun, to: [0x61], adopted: 1, bytes: 1, skipped: 0))
        _ = try db.commitDelete(
            bucketID: world.bucket.id, key: MetadataScenario.key("adopted/b"), at: MetadataScenario.start,
            unless: { _ in })
        try db.finishImport(begun, at: MetadataScenario.start)
        _ = try db.importsToSettle()
        try db.settleImport(id: begun.id, at: MetadataScenario.start)
        _ = try db.commitDelete(
            bucketID: world.bucket.id, key: version.key, at: MetadataScenario.start, unless: { _ in })
    }

    static func useUploads(_ world: MetadataScenario, _ db: any SQLConnection) throws {
        let time = MetadataScenario.start
        let upload = world.newUpload("dir/u")
        try db.insertUpload(upload, places: [world.place(of: upload)])
        _ = try db.openUpload(id: upload.id)
        _ = try db.upload(id: upload.id, bucketID: upload.bucketID, key: upload.key)
        try db.setNativeID("n", uploadID: upload.id, backendID: world.backends[0].id)
        _ = try db.putPart(world.newPart(1), of: upload.id)
        _ = try db.uploadParts(upload.id, limit: 10)
        _ = try db.uploadPlaces(upload.id)
        _ = try db.uploadPlace(upload.id, backendID: world.backends[0].id)
        _ = try db.hasUploadPlaces(backendID: world.backends[0].id, physicalBucket: "s3gw-x-b0")
        _ = try db.listUploads(UploadListingQuery(bucketID: world.bucket.id, delimiter: [0x2F], limit: 10))
        _ = try db.beginCompletion(id: upload.id, eTag: "e")
        _ = try db.isCompleting(id: upload.id, eTag: "e")
        try db.reopenUpload(id: upload.id, eTag: "e")
        let made = try db.commitPut(world.newVersion(upload.key), unless: { _ in })
        let part = VersionPart(number: world.newPart(1).number, offset: 0, sizeBytes: 5, md5: [1], checksum: nil)
        try db.insertVersionParts([part], of: made.sequence)
        _ = try db.versionParts(sequence: made.sequence)
        try db.endUpload(id: upload.id, at: time)
        try db.deletePlace(uploadID: upload.id, backendID: world.backends[0].id)
        _ = try db.endUploads(begunBefore: time, limit: 10, at: time)
        _ = try db.endUploads(creationCutShortBefore: time, limit: 10, at: time)
        _ = try db.commitDelete(bucketID: world.bucket.id, key: upload.key, at: time, unless: { _ in })
    }

    static func useLifecycles(_ world: MetadataScenario, _ db: any SQLConnection) throws {
        let bucketID = world.bucket.id
        let time = MetadataScenario.start
        try db.setLifecycle(bucketID: bucketID, StoredLifecycle(document: [1], transitionMinimum: "m"))
        #expect(try db.bucket(id: bucketID)?.lifecycleRevision == db.configurationGeneration())
        #expect(try db.lifecycle(bucketID: bucketID)?.document == [1])
        #expect(try db.bucketWithLifecycle(from: 0)?.id == bucketID)
        #expect(try db.bucketWithLifecycle(from: bucketID + 1) == nil)
        let key = MetadataScenario.key("dir/l")
        let old = try db.commitPut(world.newVersion(key), unless: { _ in })
        let row = try #require(
            try db.lifecycleVersions(bucketID: bucketID, from: key.bytes, prefix: Array("dir/".utf8), limit: 9).first)
        #expect(row.id == old.id)
        #expect(
            try db.lifecycleVersions(bucketID: bucketID, of: key.bytes, olderThan: row.sequence, limit: 9).isEmpty)
        #expect(try db.newerVersions(bucketID: bucketID, key: key.bytes, from: row.sequence, limit: 9).count == 1)
        #expect(try !db.hasOlderVersion(bucketID: bucketID, key: key.bytes, than: row.sequence))
        let upload = world.newUpload("dir/l")
        try db.insertUpload(upload, places: [])
        #expect(
            try db.lifecycleUploads(bucketID: bucketID, after: [], [], prefix: [], limit: 9).map(\.id) == [upload.id])
        #expect(try db.lifecycleUpload(id: upload.id)?.bucketID == bucketID)
        try db.endUpload(id: upload.id, at: time)
        for _ in 0..<2 { try db.insertExpireJob(bucketID: bucketID, versionID: old.id, at: time) }
        #expect(try db.waitingExpireJobs(limit: 9) == 1, "one job a version")
        let pass = try #require(
            try db.claimLifecyclePass(
                owner: "w", now: time, until: time.adding(seconds: 9), longestLease: time.adding(seconds: 99),
                intervalMilliseconds: 0))
        #expect(try db.saveLifecyclePass(pass))
        _ = try db.commitDelete(bucketID: bucketID, key: key, at: time, unless: { _ in })
        try db.setLifecycle(bucketID: bucketID, nil)
        #expect(try db.bucketWithLifecycle(from: 0) == nil)
    }

    private static func useLedger(_ world: MetadataScenario, _ db: any SQLConnection) throws {
        let head = try db.ledgerHead()
        let zero = [UInt8](repeating: 0, count: 16)
        _ = try db.ledgerHash(sequence: head.sequence)
        #expect(try db.ledgerEntries(after: 0, limit: 3).count == 3)
        #expect(try db.ledgerSettings(after: 0, upTo: head.sequence, limit: 3).count == 3)
        let replicas = try db.ledgerReplicas(
            bucketID: world.bucket.id, after: zero, 0, upTo: head.sequence, limit: 3)
        #expect(replicas.count == 3)
        let signed = SignedLedgerHead(head: head, signedAt: .now(), signature: [1])
        #expect(try db.insertSignedHead(signed))
        #expect(try db.signedHeads(after: 0, limit: 2) == [signed])
        _ = try db.progress(backendID: world.backends[0].id, minutes: 10, at: .now())
    }

    private static func useShares(_ world: MetadataScenario, _ db: any SQLConnection) throws {
        let reader = try db.insertTenant(
            name: "reader", canonicalID: "reader", displayName: "reader", email: nil, createdAt: .now())
        #expect(try db.share(bucketID: world.bucket.id, with: reader.id, at: .now()))
        #expect(try !db.share(bucketID: world.bucket.id, with: reader.id, at: .now()))
        #expect(try db.shares(bucketID: world.bucket.id) == [reader.id])
        #expect(try db.sharedBucket(world.bucket.name, of: world.tenant.name, with: reader.id)?.id == world.bucket.id)
        #expect(try db.sharedBucket(world.bucket.name, of: "reader", with: reader.id) == nil)
        #expect(try db.sharedBucket(world.bucket.name, of: world.tenant.name, with: world.tenant.id) == nil)
        let before = try db.configurationGeneration()
        #expect(try db.unshare(bucketID: world.bucket.id, with: reader.id))
        #expect(try db.configurationGeneration() > before)
        #expect(try !db.unshare(bucketID: world.bucket.id, with: reader.id))
        #expect(try db.sharedBucket(world.bucket.name, of: world.tenant.name, with: reader.id) == nil)
    }

    private static func useVersions(_ world: MetadataScenario, _ db: any SQLConnection, _ key: ObjectKey) throws {
        let bucketID = world.bucket.id
        for versioning in [BucketVersioning.enabled, .suspended] {
            try db.setVersioning(bucketID: bucketID, versioning)
            let version = try db.commitPut(world.newVersion(key), unless: { _ in })
            _ = try db.versionWithReplicas(bucketID: bucketID, key: key, .id(version.id))
            let tags = [Core.Tag(storedKey: [0x61], value: [])]
            #expect(try db.setTags(versionID: version.id, tags))
            #expect(try db.version(id: version.id)?.tags == tags)
            try db.setTags(bucketID: bucketID, tags)
            let marker = try db.commitDelete(bucketID: bucketID, key: key, unless: { _ in }).marker
            let query = ListingQuery(bucketID: bucketID, delimiter: [0x2D], after: key.bytes, limit: 10)
            for time in [nil, Timestamp(milliseconds: 1)] {
                _ = try db.listVersions(query, after: marker.map { VersionMarker(.id($0.id), lastModified: time) })
            }
            for reference in [VersionReference.null, .id(version.id), .id(try #require(marker).id)] {
                _ = try db.commitDelete(bucketID: bucketID, key: key, version: reference, unless: { _ in })
            }
        }
    }

    @Test func `no statement of a request or the worker scans or sorts`() throws {
        let world = try MetadataScenario()
        try Self.useEverything(world)
        let plans = try world.read { db in try #require(db as? SQLiteConnection).plans() }
        #expect(plans.count > 60)
        for plan in plans where !plan.sql.contains("sqlite_master") {
            // An INSERT into a parent table is planned with a scan of its children that only runs when a deferred
            // constraint is broken; the counters below tell that it did not.
            for step in plan.steps
            where !plan.sql.hasPrefix("INSERT") && (step.contains("SCAN") || step.contains("TEMP B-TREE")) {
                Issue.record("\(step) in \(plan.sql)")
            }
            #expect(plan.fullScanRows == 0 && plan.sorts == 0, "\(plan.sql)")
        }
    }

    @Test func `the check of plans sees a scan and a sort`() throws {
        let world = try MetadataScenario()
        let steps = try world.read { db -> [String] in
            _ = try db.jobCounts()
            let plans = try #require(db as? SQLiteConnection).plans()
            return plans.filter { $0.sql.contains("GROUP BY") }.flatMap(\.steps)
        }
        #expect(steps.contains { $0.contains("SCAN") } && steps.contains { $0.contains("TEMP B-TREE") })
    }

    /// Steps of SQLite's machine for one page of a bucket with `count` keys, most of them below one common prefix.
    static func steps(_ count: Int, _ delimiter: String) throws -> Int {
        let keys = (0..<count).map { Array("big/\($0 + 1_000_000)".utf8) } + [Array("a".utf8), Array("z".utf8)]
        let world = try ListingTests.world(keys: keys)
        let page = try world.read { db in
            try db.list(ListingQuery(bucketID: world.bucket.id, delimiter: Array(delimiter.utf8), limit: 50))
        }
        #expect(page.entries.count == (delimiter.isEmpty ? 50 : 3))
        return try world.read { db in
            try #require(db as? SQLiteConnection).plans().filter { $0.sql.contains("FROM objects\n") }
                .reduce(0) { $0 + $1.machineSteps }
        }
    }

    @Test(arguments: ["", "/"])
    func `a page costs the same in a small and in a large bucket`(delimiter: String) throws {
        let small = try Self.steps(100, delimiter)
        #expect(small > 0 && small < 1_500)
        #expect(try Self.steps(10_000, delimiter) == small)
    }
}
