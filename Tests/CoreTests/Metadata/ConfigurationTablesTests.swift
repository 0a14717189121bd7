import Core
import Testing

@Suite struct ConfigurationTablesTests {
    let world: MetadataScenario
    let now = MetadataScenario.start

    init() throws { world = try MetadataScenario() }

    func refusal(_ body: (any SQLConnection) throws -> Void) -> S3Error.Code? {
        #expect(throws: S3Error.self) { try world.write(body) }?.code
    }

    /// Tells whether `body` changed the configuration's generation.
    func bumps(_ body: (any SQLConnection) throws -> Void) throws -> Bool {
        let before = try world.read { try $0.configurationGeneration() }
        try world.write(body)
        return try world.read { try $0.configurationGeneration() } > before
    }

    @Test func `everything is read back as it was written`() throws {
        let key = AccessKey(
            id: "AK", tenantID: world.tenant.id, sealedSecret: [0, 255], isActive: true, createdAt: now)
        try world.write { try $0.insertAccessKey(key) }
        try world.read { (db) throws in
            #expect(try db.tenants() == [world.tenant])
            #expect(try db.tenant(named: "acme") == world.tenant && db.tenant(id: world.tenant.id) == world.tenant)
            #expect(try db.backends() == world.backends && db.backend(named: "b1") == world.backends[1])
            #expect(try db.bucket(id: world.bucket.id) == world.bucket && db.allBuckets() == [world.bucket])
            #expect(try db.bucket(tenantID: world.tenant.id, name: world.bucket.name) == world.bucket)
            #expect(try db.accessKey(id: "AK") == key && db.accessKeys(tenantID: nil) == [key])
            #expect(try db.accessKey(id: "ak") == nil && db.accessKeys(tenantID: 999).isEmpty)
        }
    }

    @Test func `names are taken once, and free again after a deletion`() throws {
        let tenant = world.tenant
        func insert(_ db: any SQLConnection, _ name: String, _ canonicalID: String) throws -> Tenant {
            try db.insertTenant(name: name, canonicalID: canonicalID, displayName: "", email: "a@b.c", createdAt: now)
        }
        #expect(refusal { _ = try insert($0, "acme", "other") } == .invalidArgument)
        #expect(refusal { _ = try insert($0, "other", tenant.canonicalID) } == .invalidArgument)
        #expect(refusal { _ = try $0.insertBackend(MetadataScenario.backend("b0")) } == .invalidArgument)
        #expect(refusal { try $0.deleteTenant(id: tenant.id) } == .invalidRequest)
        try world.write { (db) throws in
            try db.deleteBucket(id: world.bucket.id, at: now)
            try db.deleteTenant(id: tenant.id)
            #expect(try db.tenant(id: tenant.id) == nil)
            #expect(try insert(db, "acme", tenant.canonicalID).id != tenant.id)
            try db.deleteBackend(id: world.backends[0].id)
            #expect(try db.insertBackend(MetadataScenario.backend("b0")).id != world.backends[0].id)
        }
    }

    @Test func `every change of the configuration moves the generation, and no change of objects does`() throws {
        let (tenant, bucket, backend) = (world.tenant.id, world.bucket.id, world.backends[0].id)
        let key = AccessKey(id: "AK", tenantID: tenant, sealedSecret: [1], isActive: true, createdAt: now)
        let mapping = BucketMapping(
            bucketID: bucket, backendID: backend, physicalName: "p", scheme: 1, counter: 0, state: .creating)
        #expect(try bumps { try $0.insertAccessKey(key) })
        #expect(try bumps { try $0.setAccessKey(id: "AK", isActive: false) })
        #expect(try bumps { try $0.deleteAccessKey(id: "AK") })
        #expect(try bumps { try $0.setBackend(id: backend, state: .draining) })
        #expect(try bumps { try $0.setBackend(id: backend, abilities: "{\"a\":1}") })
        #expect(try bumps { try $0.setPolicy(tenantID: tenant, json: [1], at: now) })
        #expect(try bumps { try $0.setPolicy(bucketID: bucket, json: [1], at: now) })
        #expect(try bumps { try $0.removePolicy(tenantID: tenant, at: now) })
        #expect(try bumps { _ = try $0.insertMapping(mapping) })
        #expect(try bumps { try $0.setMapping(bucketID: bucket, backendID: backend, counter: 0, state: .ready) })
        #expect(try !bumps { _ = try $0.commitPut(world.newVersion(MetadataScenario.key("a")), unless: { _ in }) })
        #expect(try !bumps { _ = try $0.claimJobs(owner: "o", limit: 1, now: now, leaseUntil: now) })
        try world.delete("a")
        #expect(try bumps { try $0.deleteBucket(id: bucket, at: now) })
        #expect(try bumps { try $0.deleteTenant(id: tenant) })
        #expect(try bumps { try $0.deleteBackend(id: world.backends[1].id) })
    }

    @Test func `a policy is replaced by a new version and its removal is one, too`() throws {
        let (tenant, bucket) = (world.tenant.id, world.bucket.id)
        try world.write { (db) throws in
            #expect(try db.policy(tenantID: tenant) == nil)
            #expect(try !db.removePolicy(tenantID: tenant, at: now))
            #expect(try db.setPolicy(tenantID: tenant, json: [1], at: now) == 1)
            #expect(try db.setPolicy(tenantID: tenant, json: [2], at: now) == 2)
            #expect(try db.setPolicy(bucketID: bucket, json: [9], at: now) == 1)
            #expect(try db.policy(tenantID: tenant)?.json == [2])
            #expect(try db.policy(bucketID: bucket)?.version == 1)
            #expect(try db.removePolicy(tenantID: tenant, at: now))
            #expect(try db.policy(tenantID: tenant) == nil)
            #expect(try db.setPolicy(tenantID: tenant, json: [4], at: now) == 4)
            #expect(try db.policy(bucketID: bucket)?.json == [9])
        }
    }

    @Test func `a physical name stands for one bucket for ever, and a bucket has one name on a backend`() throws {
        var one = BucketMapping(
            bucketID: world.bucket.id, backendID: world.backends[0].id, physicalName: "p0", scheme: 1, counter: 0,
            state: .ready)
        try world.write { (db) throws in
            let other = try db.insertBucket(
                tenantID: world.tenant.id, name: try BucketName(validating: Array("other".utf8)), region: "eu",
                locations: [], createdAt: now)
            #expect(other.locations == [])
            #expect(try db.insertMapping(one))
            var taken = one
            taken.bucketID = other.id
            #expect(try !db.insertMapping(taken))
            taken.backendID = world.backends[1].id
            #expect(try db.insertMapping(taken))
            var second = one
            (second.counter, second.physicalName) = (1, "p1")
            #expect(try !db.insertMapping(second))
            try db.setMapping(bucketID: one.bucketID, backendID: one.backendID, counter: 0, state: .removed)
            #expect(try db.mapping(bucketID: one.bucketID, backendID: one.backendID) == nil)
            #expect(try !db.insertMapping(one))
            #expect(try db.insertMapping(second))
            one.state = .removed
            #expect(try db.mappings(bucketID: one.bucketID) == [one, second])
            #expect(try db.mapping(backendID: one.backendID, physicalName: "p0") == one)
        }
    }

    @Test func `a bucket is deleted only when empty, at once, and its mappings become jobs`() throws {
        let mapping = BucketMapping(
            bucketID: world.bucket.id, backendID: world.backends[0].id, physicalName: "p", scheme: 1, counter: 0,
            state: .ready)
        try world.write { (db) throws in #expect(try db.insertMapping(mapping)) }
        try world.put("a")
        #expect(refusal { try $0.deleteBucket(id: world.bucket.id, at: now) } == .bucketNotEmpty)
        try world.delete("a")
        try world.write { (db) throws in
            try db.deleteBucket(id: world.bucket.id, at: now)
            #expect(try db.bucket(id: world.bucket.id) == nil && db.buckets(named: world.bucket.name).isEmpty)
            #expect(try db.mappings(bucketID: world.bucket.id).map(\.state) == [.removing])
            let jobs = try db.jobs(state: nil, limit: 10)
            #expect(jobs.map(\.kind) == [.removeReplica, .removeBucket])
            #expect(jobs.map(\.bucketID) == [world.bucket.id, world.bucket.id] && jobs[1].versionID == nil)
        }
        #expect(refusal { try $0.deleteBucket(id: world.bucket.id, at: now) } == .noSuchBucket)
        let again = try world.write {
            try $0.insertBucket(
                tenantID: world.tenant.id, name: world.bucket.name, region: "eu", locations: [], createdAt: now)
        }
        #expect(again.id != world.bucket.id)
        #expect(
            refusal {
                _ = try $0.insertBucket(
                    tenantID: world.tenant.id, name: world.bucket.name, region: "eu", locations: [], createdAt: now)
            } == .bucketAlreadyOwnedByYou)
    }

    @Test func `a backend stays while replicas, buckets or jobs name it`() throws {
        let backend = world.backends[0].id
        try world.put("a")
        #expect(refusal { try $0.deleteBackend(id: backend) } == .invalidRequest)
        let version = try #require(try world.delete("a"))
        try world.write { try $0.deleteReplica(versionID: version.id, backendID: backend) }
        #expect(refusal { try $0.deleteBackend(id: backend) } == .invalidRequest)
        try world.write { (db) throws in
            let job = try #require(try db.jobs(state: nil, limit: 1).first)
            #expect(try db.dropJob(id: job.id))
            try db.deleteBackend(id: backend)
            #expect(try db.backend(named: "b0") == nil && db.backends().count == 1)
        }
    }

    @Test func `values of the installation are bytes and can be replaced`() throws {
        try world.write { (db) throws in
            #expect(try db.installationValue("namespace-key") == nil)
            try db.setInstallationValue("namespace-key", [0, 1])
            try db.setInstallationValue("namespace-key", [])
            #expect(try db.installationValue("namespace-key") == [])
        }
    }

    @Test func `headers keep their bytes, whatever their number and length`() throws {
        var new = world.newVersion(MetadataScenario.key("a"))
        for headers in [
            [], [HeaderField(name: "", value: [])],
            (0..<100).map {
                HeaderField(name: "x-amz-meta-\($0)", value: [UInt8](repeating: UInt8($0), count: $0 * 7))
            },
            [HeaderField(name: "x", value: [UInt8](repeating: 255, count: 40_000))],
        ] {
            new.version.id = VersionID(at: now)
            new.version.headers = headers
            new.present = []
            let version = new
            let stored = try world.write { try $0.commitPut(version, unless: { _ in }) }
            #expect(try world.read { try $0.version(id: stored.id) }?.headers == headers)
        }
    }

    @Test(arguments: ["x'05'", "x'0161'", "x'01610561'", "x'FFFFFFFFFFFF'"])
    func `a damaged row is an error, never a trap`(headers: String) throws {
        let version = try world.put("a")
        try SQLiteConnection(path: world.path).script("UPDATE versions SET headers = \(headers)")
        let error = #expect(throws: S3Error.self) { try world.read { try $0.version(id: version.id) } }
        #expect(error?.code == .internalError)
        try SQLiteConnection(path: world.path).script("UPDATE versions SET headers = x'', id = x'00'")
        #expect(throws: S3Error.self) {
            try world.read { try $0.currentVersion(bucketID: world.bucket.id, key: version.key) }
        }
    }
}
