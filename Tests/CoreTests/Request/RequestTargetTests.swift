import Core
import Glibc
import Testing

@Suite struct RequestTargetTests {
    private func parse(_ text: String) throws(S3Error) -> RequestTarget { try RequestTarget(parsing: Array(text.utf8)) }

    @Test(arguments: [
        ("/b/a%20b", "/b/a b"), ("/b//x/./../y", "/b//x/./../y"), ("/b/a+b", "/b/a+b"), ("/b/%25", "/b/%"),
        ("/b/%C3%A9", "/b/é"), ("/b/a%2Fb", "/b/a/b"), ("/b/%01", "/b/\u{1}"),
    ])
    func `a path is decoded once and never normalised`(raw: String, path: String) throws {
        let target = try parse(raw)
        #expect(target.path == Array(path.utf8))
        #expect(target.rawPath == Array(raw.utf8))
    }

    @Test(arguments: [
        "", "b", "/%", "/%4", "/%zz", "/%00", "/%FF", "/a b", "/é", "/a#b", "/a?x=%", "/a?x=%00", "/\u{7F}",
    ])
    func `what is no target is an invalid URI`(raw: String) { #expect(code { _ = try parse(raw) } == .invalidURI) }

    @Test func `query parameters are decoded, may be empty and must be unique`() throws {
        let target = try parse("/b?acl&prefix=a%2Fb+c&x=")
        #expect(target.query("acl") == [])
        #expect(target.query("prefix") == Array("a/b c".utf8))
        #expect(target.query("x") == [])
        #expect(target.query("y") == nil)
        #expect(code { _ = try parse("/b?x=1&x=2") } == .invalidArgument)
        #expect(code { _ = try parse("/b?a%78=1&ax=2") } == .invalidArgument)
    }

    private func names(_ count: Int) -> [String] { (0..<count).map { String($0, radix: 36) } }

    @Test(arguments: [2, 16, 17, 5000]) func `a name given twice is found among few and many`(count: Int) throws {
        let names = names(count)
        #expect(try parse("/b?" + names.joined(separator: "&")).query.count == count)
        for twin in [0, count / 2, count - 1] {
            #expect(code { _ = try parse("/b?" + (names + [names[twin]]).joined(separator: "&")) } == .invalidArgument)
        }
    }

    @Test func `a target full of names costs no square of their number`() throws {
        let few = "/b?" + names(80).joined(separator: "&")
        let many = "/b?" + names(8000).joined(separator: "&")
        let small = try processorSeconds { for _ in 0..<100 { _ = try parse(few) } }
        let large = try processorSeconds { _ = try parse(many) }
        // As many names either way; with each compared with each it was seconds.
        #expect(large < small * 5 + 0.3)
    }

    /// What this thread computes for, whatever else the machine does.
    private func processorSeconds(_ body: () throws -> Void) rethrows -> Double {
        func now() -> Double {
            var time = timespec()
            unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        try body()
        return now() - start
    }
}
