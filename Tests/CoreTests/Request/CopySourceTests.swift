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

    @Test(arguments: ["alice:photos/a:b", "/alice:photos/a%3Ab", "alice%3Aphotos/a:b"])
    func `a bucket of another tenant has its owner in front`(value: String) throws {
        let source = try CopySource(parsing: Array(value.utf8))
        #expect(source.owner == "alice" && source.bucket.text == "photos" && source.key.text == "a:b")
        #expect(try CopySource(parsing: Array("photos/alice:photos/a".utf8)).owner == nil)
        let error = #expect(throws: S3Error.self) { try CopySource(parsing: Array("a:b:photos/k".utf8)) }
        #expect(error?.code == .invalidBucketName)
    }

    @Test(arguments: ["", "/", "photos", "/photos/", "photos/%zz", "photos/%00", "photos/a%", "?versionId=null"])
    func `what names no key is refused`(value: String) {
        let error = #expect(throws: S3Error.self) { try CopySource(parsing: Array(value.utf8)) }
        #expect(error?.code == .invalidArgument)
    }
}
