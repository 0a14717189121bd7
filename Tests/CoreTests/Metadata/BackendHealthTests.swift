import Core
import Testing

@Suite struct BackendHealthTests {
    let world: MetadataScenario
    static let start = MetadataScenario.start

    init() throws { world = try MetadataScenario() }

    /// Records checks a second apart, from `second` on; true is a good one.
    ///
    /// Returns the times at which health changed.
    func check(_ results: [Bool], from second: Int64 = 0) throws -> [Int64] {
        try world.write { db in
            try results.enumerated().compactMap { index, isGood in
                let at = second + Int64(index)
                let check = BackendCheck(
                    backendID: world.backends[0].id, at: Self.start.adding(seconds: at), milliseconds: isGood ? 3 : nil,
                    failure: isGood ? nil : "refused")
                return try db.recordCheck(check) ? at : nil
            }
        }
    }

    func health(at second: Int64 = 0) throws -> BackendHealth {
        try #require(
            try world.read { db in try db.backendHealth(at: Self.start.adding(seconds: second)) }
                .first { $0.backendID == world.backends[0].id })
    }

    func pastGrace(at second: Int64, grace seconds: Int64) throws -> Bool {
        let now = Self.start.adding(seconds: second)
        let all = try world.read { db in try db.backendsPastGrace(at: now, graceMilliseconds: seconds * 1000) }
        return all == [world.backends[0].id]
    }

    @Test func `a backend nobody has asked is not unhealthy`() throws {
        #expect(try health().isHealthy)
        #expect(try health().checkedAt == nil)
        #expect(try !pastGrace(at: 1_000_000, grace: 0))
    }

    @Test func `one failed check is a hiccup, two in a row count from the first`() throws {
        #expect(try check([true, false, true, false]) == [])
        #expect(try health().isHealthy)
        #expect(try health().failure == "refused")
        #expect(try check([false], from: 4) == [4])
        #expect(try health().unhealthySince == Self.start.adding(seconds: 3))
        #expect(try check([false, false], from: 5) == [])
        #expect(try health().unhealthySince == Self.start.adding(seconds: 3))
    }

    @Test func `the grace begins with the first failure and ends with the first answer`() throws {
        _ = try check([false, false])
        #expect(try !pastGrace(at: 900, grace: 900))
        #expect(try pastGrace(at: 901, grace: 900))
        #expect(try check([true], from: 902) == [902])
        #expect(try !pastGrace(at: 10_000, grace: 900))
    }

    @Test func `a flapping backend is never past the grace`() throws {
        for round in 0..<20 {
            _ = try check([false, false, false, false, true], from: Int64(round) * 60)
            #expect(try !pastGrace(at: Int64(round) * 60 + 59, grace: 60))
        }
    }

    @Test func `what processes report is summed up while it is fresh`() throws {
        let backend = world.backends[0].id
        let reports = [
            (
                "h:1",
                BackendReport(backendID: backend, breaker: "closed", calls: 90, failures: 0, latencyMicroseconds: 100)
            ),
            (
                "h:2",
                BackendReport(backendID: backend, breaker: "open", calls: 10, failures: 9, latencyMicroseconds: 1100)
            ),
            (
                "h:2",
                BackendReport(
                    backendID: backend, breaker: "half-open", calls: 10, failures: 8, latencyMicroseconds: 1100)
            ),
        ]
        try world.write { db in
            for (reporter, report) in reports { try db.recordReport(report, of: reporter, at: Self.start) }
        }
        let seen = try health(at: 60)
        #expect(seen.processes == 2 && seen.openBreakers == 1)
        #expect(seen.calls == 100 && seen.failures == 8)
        #expect(seen.latencyMicroseconds == 200)
        let later = try health(at: 61)
        #expect(later.processes == 0 && later.latencyMicroseconds == nil)
    }

    @Test func `a removed backend has no health`() throws {
        _ = try check([false, false])
        try world.write { db in try db.deleteBackend(id: world.backends[0].id) }
        #expect(try world.read { db in try db.backendHealth() }.map(\.backendID) == [world.backends[1].id])
        #expect(
            try world.read { db in try db.backendsPastGrace(at: Self.start.adding(seconds: 99), graceMilliseconds: 0) }
                == [])
    }
}
