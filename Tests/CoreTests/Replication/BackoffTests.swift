import Core
import Testing

@Suite struct BackoffTests {
    private static let born = Timestamp(milliseconds: 1_800_000_000_000)

    private func job(attempts: Int) -> Job {
        Job(
            id: 1, kind: .replicate, bucketID: 1, versionID: nil, backendID: 1, state: .leased, attempts: attempts,
            notBefore: Self.born, leaseOwner: nil, leaseUntil: nil, fence: 1, lastError: nil, createdAt: Self.born)
    }

    private func delay(_ failure: Backoff.Failure, attempts: Int, age: Int64 = 0, chance: Double) -> Int64? {
        let now = Self.born.adding(seconds: age)
        let verdict = Backoff.verdict(after: failure, of: job(attempts: attempts), at: now, chance: chance)
        guard case .retry(let time) = verdict else { return nil }
        return time.milliseconds - now.milliseconds
    }

    @Test(arguments: [(1, 1000), (2, 2000), (3, 4000), (12, 2_048_000), (13, 3_600_000), (19, 3_600_000)])
    func `refusals are tried again after twice the time, up to an hour, within half of it`(attempts: Int, limit: Int64)
    {
        #expect(delay(.refused, attempts: attempts, chance: 0) == limit / 2)
        #expect(delay(.refused, attempts: attempts, chance: 1) == limit)
    }

    @Test func `the twentieth refusal is the last`() {
        #expect(delay(.refused, attempts: Backoff.maximumAttempts - 1, chance: 0) != nil)
        #expect(delay(.refused, attempts: Backoff.maximumAttempts, chance: 0) == nil)
        #expect(delay(.refused, attempts: .max, chance: 0) == nil)
    }

    @Test(arguments: [(0, 1000), (8, 1000), (80, 10_000), (480, 60_000), (86_400 * 365, 60_000), (-5, 1000)])
    func `a store that is away is asked again, less and less often, for ever`(age: Int64, limit: Int64) {
        #expect(delay(.unavailable, attempts: 10_000, age: age, chance: 1) == limit)
        #expect(delay(.unavailable, attempts: 10_000, age: age, chance: 0) == limit / 2)
    }

    @Test(arguments: [-1.0, 2.0, .infinity]) func `no chance leads outside of the bounds`(chance: Double) {
        let delay = delay(.refused, attempts: 3, chance: chance)
        #expect((2000...4000).contains(delay ?? 0))
    }
}
