import Core
import Testing

@Suite struct CircuitBreakerTests {
    private let start = Timestamp(milliseconds: 1_000_000)
    private let pause = CircuitBreaker.shortestPauseSeconds
    /// When a client's request may be the trial, after a pause of `seconds`.
    private func trialTime(after seconds: Int64) -> Timestamp {
        Timestamp(milliseconds: start.milliseconds + seconds * 1000 + CircuitBreaker.checkLeadMilliseconds)
    }

    private func opened() -> CircuitBreaker {
        let breaker = CircuitBreaker()
        for _ in 0..<CircuitBreaker.failuresToOpen { breaker.recordFailure(at: start) }
        return breaker
    }

    @Test func `it opens after failures in a row only`() {
        let breaker = CircuitBreaker()
        for _ in 0..<3 {
            for _ in 1..<CircuitBreaker.failuresToOpen { breaker.recordFailure(at: start) }
            #expect(breaker.isClosed && breaker.admit(at: start))
            breaker.recordSuccess()
        }
        #expect(breaker.state(at: start) == .closed && breaker.admit(at: start))
        #expect(opened().state(at: start) == .open && !opened().admit(at: start) && !opened().isClosed)
    }

    @Test func `one call that hangs opens it at once`() {
        let breaker = CircuitBreaker()
        breaker.recordFailure(at: start, isHang: true)
        #expect(breaker.state(at: start) == .open && !breaker.admit(at: start))
    }

    @Test func `half-open admits one, whose outcome decides`() {
        let breaker = opened()
        let later = trialTime(after: pause)
        #expect(breaker.state(at: later) == .halfOpen)
        #expect(breaker.admit(at: later) && !breaker.admit(at: later) && !breaker.admit(at: later, isCheck: true))
        breaker.recordFailure(at: start.adding(seconds: pause))
        // The pause is twice as long now.
        #expect(!breaker.admit(at: trialTime(after: 2 * pause)))
        #expect(breaker.admit(at: trialTime(after: 3 * pause)))
        breaker.recordSuccess()
        #expect(breaker.state(at: later) == .closed && breaker.admit(at: later))
    }

    @Test func `whoever only looks does not take the trial`() {
        let breaker = opened()
        let later = trialTime(after: pause)
        for _ in 0..<10 { #expect(breaker.admits(at: later)) }
        #expect(breaker.admit(at: later))
        #expect(!breaker.admits(at: later))
    }

    @Test func `a check may be the trial before any client has to be`() {
        let breaker = opened()
        let over = start.adding(seconds: pause)
        #expect(breaker.state(at: over) == .halfOpen)
        #expect(!breaker.admits(at: over) && !breaker.admit(at: over))
        #expect(breaker.admits(at: over, isCheck: true) && breaker.admit(at: over, isCheck: true))
        #expect(!breaker.admit(at: over, isCheck: true))
    }

    @Test func `a trial that nobody reports on, or that said nothing, does not lock the store out`() {
        let breaker = opened()
        let later = trialTime(after: pause)
        #expect(breaker.admit(at: later))
        #expect(breaker.admit(at: later.adding(seconds: CircuitBreaker.trialSeconds)))
        breaker.recordNothing()
        #expect(breaker.admit(at: later))
    }

    @Test func `calls that began before it opened do not make the pause longer`() {
        let breaker = opened()
        for _ in 0..<50 { breaker.recordFailure(at: start.adding(seconds: pause), isHang: true) }
        #expect(breaker.admit(at: trialTime(after: pause)))
    }

    @Test func `the pause has a bound`() {
        let breaker = opened()
        var now = start
        for _ in 0..<20 {
            now = now.adding(seconds: CircuitBreaker.longestPauseSeconds)
            #expect(breaker.admit(at: now, isCheck: true))
            breaker.recordFailure(at: now)
        }
        #expect(breaker.admit(at: now.adding(seconds: CircuitBreaker.longestPauseSeconds), isCheck: true))
    }
}
