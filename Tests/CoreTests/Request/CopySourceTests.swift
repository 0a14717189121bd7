import Core
import Testing

@Suite struct CopySourceTests {
    struct Row: Sendable {
        var value: String
        var key: String
        var versionID: String?
    }

    @Test(arguments: [
        Row(value: "/photos/cat.jpg", key: "cat.jpg"),
        Row(value: "photos/cat.jpg", key: "cat.jpg"),
        Row(value: "%2Fphotos%2Fa%2Fb", key: "a/b"),
        Row(value: "photos/a%20b%2Bc", key: "a b+c"),
        Row(value: "photos/a+b", key: "a b"),
        Row(value: "photos//double//", key: "/double//"),
        Row(value: "photos/a%3Fb", key: "a?b"),
        Row(value: "photos/a?b", key: "a?b"),
        Row(value: "photos/\u{e4}", key: "\u{e4}"),
        Row(value: "photos/a?versionId=null", key: "a", versionID: "null"),
        Row(value: "photos/a?versionId=x?versionId=y", key: "a?versionId=x", versionID: "y"),
        Row(value: "photos/a?versionId=", key: "a", versionID: ""),
    ]) func `a source is a bucket, a key and perhaps a version`(row: Row) throws {
        let source = try CopySource(parsing: Array(row.value.utf8))
        #expect(source.bucket.text == "photos")
        #expect(source.key.bytes == Array(row.key.utf8))
        #expect(source.versionID == row.versionID.map { Array($0.utf8) })
    }

    @Test(arguments: ["", "/", "photos", "/photos/", "photos/%zz", "photos/%00", "photos/a%", "?versionId=null"])
    func `what names no key is refused`(value: String) {
        let error = #expect(throws: S3Error.self) { try CopySource(parsing: Array(value.utf8)) }
        #expect(error?.code == .invalidArgument)
    }
}
