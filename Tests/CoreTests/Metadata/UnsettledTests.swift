import Core
import Testing

@Suite struct UnsettledTests {
    /// A bucket with `settled` versions on two backends and three more that lack their second replica.
    private static func world(settled: Int) throws -> MetadataScenario {
        let world = try MetadataScenario()
        try world.write { db in
            for number in 0..<(settled + 3) {
                let isSettled = number < settled
                _ = try db.commitPut(
                    world.newVersion(
                        MetadataScenario.key("k\(number)"), size: 10, present: isSettled ? 2 : 1,
                        pending: isSettled ? 0 : 1), unless: { _ in })
            }
        }
        return world
    }

    @Test func `what is behind is counted per backend, and each version once`() throws {
        let world = try Self.world(settled: 5)
        let now = MetadataScenario.start.adding(seconds: 60)
        let status = try world.read { try ReplicationStatus($0, at: now) }
        #expect(status.versionsBehind == 3 && status.behind == ReplicaSum(replicas: 3, bytes: 30))
        #expect(status.backends.map(\.behind.replicas) == [0, 3])
        #expect(status.oldest == MetadataScenario.start && status.deadJobs == 0)
        #expect(status.secondsLeft == nil, "nothing has moved yet")
    }

    @Test func `the estimate follows from what became present lately`() throws {
        let world = try Self.world(settled: 0)
        let version = try world.put("more", size: 10, present: 1, pending: 1)
        try world.write { db in
            _ = try db.setReplica(versionID: version.id, backendID: world.backends[1].id, state: .present)
        }
        let status = try world.read { try ReplicationStatus($0, at: .now()) }
        // One in ten minutes, three to go.
        #expect(status.secondsLeft == 1800)
        #expect(status.backends[1].lately == ReplicaSum(replicas: 1, bytes: 10))
    }

    @Test func `a dead letter is counted`() throws {
        let world = try Self.world(settled: 0)
        try world.write { db in
            let now = MetadataScenario.start.adding(seconds: 5)
            for job in try db.claimJobs(owner: "w", limit: 9, now: now, leaseUntil: now).prefix(1) {
                _ = try db.buryJob(id: job.id, fence: job.fence, error: "e")
            }
        }
        let status = try world.read { try ReplicationStatus($0, at: .now()) }
        #expect(status.deadJobs == 1 && status.backends.map(\.deadJobs) == [0, 1])
    }

    @Test func `nothing is foretold where all that is behind waits for a person`() throws {
        let world = try Self.world(settled: 0)
        let version = try world.put("more", size: 10, present: 1, pending: 1)
        try world.write { db in
            _ = try db.setReplica(versionID: version.id, backendID: world.backends[1].id, state: .present)
            let now = MetadataScenario.start.adding(seconds: 5)
            for job in try db.claimJobs(owner: "w", limit: 9, now: now, leaseUntil: now) {
                _ = try db.buryJob(id: job.id, fence: job.fence, error: "e")
            }
        }
        let status = try world.read { try ReplicationStatus($0, at: .now()) }
        #expect(status.versionsBehind > 0 && status.backends[1].lately.replicas == 1)
        #expect(status.secondsLeft == nil && status.backends[1].secondsLeft == nil)
    }

    private static func steps(settled: Int) throws -> Int {
        let world = try world(settled: settled)
        return try world.read { db in
            let connection = try #require(db as? SQLiteConnection)
            _ = try connection.plans()
            _ = try ReplicationStatus(db, at: .now())
            let plans = try connection.plans()
            for plan in plans where plan.machineSteps > 0 {
                for step in plan.steps
                where step.hasPrefix("SCAN replicas") || step.hasPrefix("SCAN jobs") || step.hasPrefix("SCAN v") {
                    #expect(step.contains("replicas_unsettled"), "\(step) in \(plan.sql)")
                }
            }
            return plans.reduce(0) { $0 + $1.machineSteps }
        }
    }

    @Test func `settled versions cost the status nothing`() throws {
        let few = try Self.steps(settled: 10)
        #expect(few > 0)
        #expect(try Self.steps(settled: 3000) == few)
    }
}
