import Core
import Testing

@Suite struct BackendVitalsTests {
    @Test func `latency is a mean that follows, and forgets while nobody reads`() {
        let vitals = BackendVitals()
        #expect(vitals.latencyMicroseconds == 0)
        vitals.noteFirstByte(microseconds: 800)
        #expect(vitals.latencyMicroseconds == 800)
        vitals.noteFirstByte(microseconds: 1600)
        #expect(vitals.latencyMicroseconds == 900)
        for _ in 0..<100 { vitals.noteFirstByte(microseconds: 1600) }
        #expect((1500...1600).contains(vitals.latencyMicroseconds))
        #expect(vitals.take().latencyMicroseconds == vitals.latencyMicroseconds)
        #expect(vitals.take().latencyMicroseconds == nil)
        #expect(vitals.latencyMicroseconds < 801)
    }

    @Test func `counts are taken once`() {
        let vitals = BackendVitals()
        vitals.begin()
        vitals.begin()
        vitals.begin()
        #expect(vitals.inFlight == 3)
        vitals.end(isFailure: false)
        vitals.end(isFailure: true)
        #expect(vitals.inFlight == 1)
        let counts = vitals.take()
        #expect(counts.calls == 2 && counts.failures == 1 && counts.latencyMicroseconds == nil)
        let again = vitals.take()
        #expect(again.calls == 0 && again.failures == 0)
    }

    @Test func `a full store gets no new objects for a while`() {
        let vitals = BackendVitals()
        let now = Timestamp(milliseconds: 5_000)
        #expect(!vitals.isFull(at: now))
        vitals.noteFull(at: now)
        #expect(vitals.isFull(at: now) && vitals.isFull(at: now.adding(seconds: 9)))
        #expect(!vitals.isFull(at: now.adding(seconds: 10)))
    }
}
