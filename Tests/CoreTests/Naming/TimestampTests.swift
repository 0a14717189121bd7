import Core
import Testing

@Suite struct TimestampTests {
    @Test(arguments: [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    ])
    func `all three forms of an HTTP date are one moment`(text: String) {
        #expect(Timestamp(httpDate: Array(text.utf8))?.seconds == 784_111_777)
    }

    @Test(arguments: [
        "", "yesterday", "Sun, 06 Nov 1994 08:49:37 EST", "Sun, 31 Feb 1994 08:49:37 GMT", "1 2 3 4 5 6 7",
    ])
    func `anything else is no date`(text: String) {
        #expect(Timestamp(httpDate: Array(text.utf8)) == nil)
    }

    @Test func `written forms agree with the calendar`() {
        let time = Timestamp(milliseconds: 1_795_364_790_123)
        #expect(time.iso8601 == "2026-11-22T16:26:30.123Z")
        #expect(time.iso8601Basic == "20261122T162630Z")
        #expect(time.httpDate == "Sun, 22 Nov 2026 16:26:30 GMT")
        #expect(Timestamp(iso8601Basic: Array("20261122T162630Z".utf8))?.milliseconds == 1_795_364_790_000)
    }
}
