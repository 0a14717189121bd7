import Testing

@testable import Core

@Suite struct FailureLimitTests {
    /// Counts `count` failures and returns how many were within the limit.
    private func within(
        _ limit: FailureLimit, _ count: Int, address: String = "192.0.2.1", key: String = "", at now: Int64 = 0
    ) -> Int {
        (0..<count).count { _ in limit.count(address: address, accessKeyID: key, now: now) == .within }
    }

    @Test func `so many failures of one address are told, and what is above them is not`() {
        let limit = FailureLimit(maximum: 10)
        #expect(within(limit, 25) == 10)
        #expect(limit.count(address: "192.0.2.1", accessKeyID: "", now: 100) == .above(retryAfterSeconds: 60))
        #expect(limit.count(address: "192.0.2.1", accessKeyID: "", now: 59_999) == .above(retryAfterSeconds: 1))
        #expect(limit.count(address: "192.0.2.1", accessKeyID: "", now: 60_000) == .within)
    }

    @Test func `one key is counted over all addresses`() {
        let limit = FailureLimit(maximum: 10)
        let told = (0..<25).count { number in
            limit.count(address: "192.0.2.\(number)", accessKeyID: "AKIATEST", now: 0) == .within
        }
        #expect(told == 10)
    }

    @Test func `what is above the limit of its address does not count for the key that it names`() {
        let limit = FailureLimit(maximum: 10)
        #expect(within(limit, 1000, key: "AKIAONE") == 10)
        #expect(within(limit, 1000, key: "AKIATWO") == 0)
        #expect(within(limit, 10, address: "198.51.100.1", key: "AKIATWO") == 10)
    }

    @Test func `made-up key ids from one address neither grow the table nor get more than the address has`() {
        let limit = FailureLimit(maximum: 10)
        let told = (0..<100_000).count { number in
            limit.count(address: "192.0.2.1", accessKeyID: "AKIA\(number)", now: 0) == .within
        }
        #expect(told == 10)
    }

    @Test func `made-up addresses do not empty the counter of another one`() {
        let limit = FailureLimit(maximum: 10)
        #expect(within(limit, 11) == 10)
        for number in 0..<100_000 { _ = limit.count(address: "10.\(number)", accessKeyID: "", now: 0) }
        #expect(within(limit, 1) == 0)
    }

    @Test func `0 is no limit`() {
        let limit = FailureLimit(maximum: 0)
        #expect(within(limit, 5000, key: "AKIATEST") == 5000)
        #expect(limit.summary(now: .max) == nil)
    }

    @Test func `a window that is over is told once, with the first that was not`() {
        let limit = FailureLimit(maximum: 10)
        _ = within(limit, 15, key: "AKIATEST")
        #expect(limit.summary(now: 59_999) == nil)
        #expect(limit.summary(now: 60_000) == .init(count: 5, address: "192.0.2.1", accessKeyID: "AKIATEST"))
        #expect(limit.summary(now: 60_000) == nil)
        #expect(within(limit, 10, at: 60_000) == 10)
        #expect(limit.summary(now: .max) == nil)
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.2", false), ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false), ("2001:db8:0:1::1", "2001:db8::1:ffff:0:0:2", true),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", false), ("unix:", "unix:", true), ("unix:", "", false),
    ])
    func `a client is an address of IPv4, or 64 bits of one of IPv6`(one: String, other: String, isSame: Bool) {
        #expect((FailureLimit.network(one) == FailureLimit.network(other)) == isSame)
    }
}
