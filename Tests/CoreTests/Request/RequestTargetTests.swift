import Core
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
}
