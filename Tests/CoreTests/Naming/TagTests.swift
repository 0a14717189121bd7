import Core
import Testing

@Suite struct TagTests {
    private func code(_ key: String, _ value: String) -> S3Error.Code? {
        do throws(S3Error) {
            _ = try Core.Tag(validatingKey: Array(key.utf8), value: Array(value.utf8))
            return nil
        } catch {
            return error.code
        }
    }

    @Test(arguments: [
        ("key", ""), ("k", "v"), ("+-=._:/@", "+-=._:/@"), ("with blank", "a b"), ("\u{e4}\u{65e5}\u{672c}", "\u{663}"),
        (String(repeating: "k", count: 128), String(repeating: "v", count: 256)),
        (String(repeating: "\u{65e5}", count: 128), String(repeating: "\u{65e5}", count: 256)), ("awsome", "aws:x"),
    ]) func `letters, digits, blanks and some marks make a tag`(key: String, value: String) {
        #expect(code(key, value) == nil)
    }

    @Test(arguments: [
        ("", "v"), ("a?", "v"), ("a", "<b>"), ("a\n", "v"), ("a", "\u{1F98A}"), ("aws:x", "v"), ("AWS:x", "v"),
        (String(repeating: "k", count: 129), "v"), ("k", String(repeating: "v", count: 257)), ("a&b", "c"),
    ]) func `anything else is no tag`(key: String, value: String) {
        #expect(code(key, value) == .invalidTag)
    }

    @Test func `bytes that are no text are no tag`() {
        #expect(throws: S3Error.self) { try Core.Tag(validatingKey: [0x61, 0xFF], value: []) }
    }

    @Test func `sets have limits, and a key stands once`() throws {
        let tags = try (0..<51).map { try Core.Tag(validatingKey: Array("k\($0)".utf8), value: []) }
        try Core.Tag.check(Array(tags.prefix(10)), for: .object)
        try Core.Tag.check(Array(tags.prefix(50)), for: .bucket)
        for (count, place) in [(11, Core.Tag.Place.object), (51, .bucket)] {
            let error = #expect(throws: S3Error.self) { try Core.Tag.check(Array(tags.prefix(count)), for: place) }
            #expect(error?.code == .badRequest)
        }
        let error = #expect(throws: S3Error.self) { try Core.Tag.check([tags[0], tags[0]], for: .bucket) }
        #expect(error?.code == .invalidTag)
    }

    @Test(arguments: ["0", "-1", "two", "", "1.5", "+2"]) func `replica-count is a number above 0`(value: String) {
        let tags = [Core.Tag(storedKey: [Core.Tag].replicaCountKey, value: Array(value.utf8))]
        let error = #expect(throws: S3Error.self) { try tags.replicaCount() }
        #expect(error?.code == .invalidTag)
    }

    @Test func `without the tag there is no replica-count`() throws {
        #expect(try [Core.Tag]().replicaCount() == nil)
        #expect(try [Core.Tag(storedKey: [Core.Tag].replicaCountKey, value: Array("3".utf8))].replicaCount() == 3)
    }
}
