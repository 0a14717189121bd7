import Testing

@testable import Core

@Suite struct MultipartFormTests {
    static let type = "multipart/form-data; boundary=xYz"

    /// What a parser made of a body.
    struct Reading: Equatable {
        var fields: [[UInt8]: [UInt8]] = [:]
        var fileName: [UInt8]?
        var file: [UInt8]?
    }

    /// Feeds `body` in pieces that end at `cuts`.
    func read(_ body: [UInt8], cuts: [Int] = [], type: String = MultipartFormTests.type) throws -> Reading {
        var parser = try MultipartFormParser(contentType: Array(type.utf8))
        var start = 0
        for end in cuts + [body.count] {
            try unsafe Array(body[start..<end]).withUnsafeBytes { try unsafe parser.take($0) }
            start = end
        }
        try parser.finish()
        var reading = Reading()
        for field in parser.fields { reading.fields[field.name] = field.value }
        if let file = parser.file {
            let size = try #require(file.sizeBytes)
            reading.fileName = file.name
            reading.file = Array(body[Int(file.offset)..<Int(file.offset + size)])
        }
        return reading
    }

    static func part(_ disposition: String, _ content: [UInt8], _ more: String = "") -> [UInt8] {
        Array("--xYz\r\nContent-Disposition: form-data; \(disposition)\r\n\(more)\r\n".utf8) + content + [13, 10]
    }

    static let end = Array("--xYz--\r\n".utf8)
    /// Holds everything that looks like a delimiter and is none.
    static let content = Array("\r\n--xY\r\r\n-\r\n--xyz\n--xYz\r\n\r\n--xY".utf8) + [0, 255, 13, 10, 45] + [13]
    static let body =
        Array("preamble --xYz\r\n".utf8) + part("name=\"Key\"", Array("up/\r\n--xY ö\r".utf8))
        + part("name=empty", [], "Content-Type: text/plain\r\n")
        + part("name=\"file\"; filename=\"C:\\a\\\"b.txt\"", content, "Content-Type: image/png\r\n")
        + part("name=\"submit\"", Array("Upload".utf8)) + end + Array("epilogue".utf8)

    static let expected = Reading(
        fields: [Array("key".utf8): Array("up/\r\n--xY ö\r".utf8), Array("empty".utf8): []],
        fileName: Array("C:\\a\"b.txt".utf8), file: content)

    @Test func `every split in two and in three reads the same`() throws {
        let body = Self.body
        #expect(try read(body) == Self.expected)
        for first in 0...body.count {
            #expect(try read(body, cuts: [first]) == Self.expected)
            for length in [1, 2, 5] where first + length <= body.count {
                #expect(try read(body, cuts: [first, first + length]) == Self.expected)
            }
        }
        #expect(try read(body, cuts: Array(0..<body.count)) == Self.expected)
    }

    @Test func `a body cut short anywhere before its last boundary is refused`() throws {
        let whole = Self.body.count - "\r\nepilogue".utf8.count
        for count in 0..<whole {
            #expect(code { _ = try read(Array(Self.body[..<count])) } == .malformedPOSTRequest)
        }
        #expect(try read(Array(Self.body[..<whole])) == Self.expected)
    }

    @Test(arguments: [
        "multipart/form-data; boundary=\"xYz\"", "Multipart/Form-Data;BOUNDARY=xYz",
        "multipart/form-data; a=b; boundary=xYz;",
        "multipart/form-data; boundary=xYz" + (0..<31).map { "; p\($0)=1" }.joined(),
    ])
    func `the boundary stands in the content type`(type: String) throws {
        #expect(try read(Self.body, type: type) == Self.expected)
    }

    @Test(arguments: [
        "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"",
        "multipart/form-data; boundary=a; boundary=a", "multipart/form-dataX; boundary=a",
        "multipart/form-data, boundary=a",
        "multipart/form-data; boundary=xYz" + (0..<32).map { "; p\($0)=1" }.joined(),
        "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=" + String(repeating: "b", count: 71),
        "",
    ])
    func `a content type without a usable boundary is refused`(type: String) {
        #expect(code { _ = try read(Self.body, type: type) } == .malformedPOSTRequest)
    }

    @Test(arguments: [
        "--xYzz\r\n", "--xYz\n\n", "--xYz\r\nContent-Disposition: form-data\r\n\r\n\r\n--xYz--",
        "--xYz\r\n\r\nx\r\n--xYz--", "--xYz\r\nContent-Disposition form-data; name=a\r\n\r\nx\r\n--xYz--",
        "--xYz\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--xYz--",
        "--xYz\r\nContent-Disposition: form-data; name=a\r\n folded\r\n\r\nx\r\n--xYz--",
        "--xYz\r\nContent-Disposition: form-data; name=a\rX: y\r\n\r\nx\r\n--xYz--",
        "--xYz\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--xYz--",
        "--xYz\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--xYz--",
        "--xYz\r\nContent-Disposition: form-data; name=\r\n\r\nx\r\n--xYz--", "--xYz-", "--xYz-x", "",
        "--xYz\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nx\r\n--xYz--",
    ])
    func `what is no form data is refused`(body: String) {
        #expect(code { _ = try read(Array(body.utf8)) } == .malformedPOSTRequest)
    }

    @Test func `content in a transfer encoding is refused and not stored encoded`() {
        let body = Self.part("name=file", Array("eA==".utf8), "Content-Transfer-Encoding: base64\r\n") + Self.end
        #expect(code { _ = try read(body) } == .notImplemented)
        let binary = Self.part("name=file", [1], "Content-Transfer-Encoding: binary\r\n") + Self.end
        #expect(code { _ = try read(binary) } == nil)
    }

    @Test func `20 KB may stand before the file and no byte more`() throws {
        func body(_ filler: Int) -> [UInt8] {
            Self.part("name=a", [UInt8](repeating: 0x61, count: filler)) + Self.part("name=file", [1, 2, 3]) + Self.end
        }
        let overhead = try #require(
            { () -> Int? in
                var parser = try MultipartFormParser(contentType: Array(Self.type.utf8))
                try unsafe body(0).withUnsafeBytes { try unsafe parser.take($0) }
                return parser.file.map { Int($0.offset) }
            }())
        let room = Int(MultipartFormParser.maximumBytesBeforeFile) - overhead
        #expect(try read(body(room)).file == [1, 2, 3])
        #expect(code { _ = try read(body(room + 1)) } == .maxPostPreDataLengthExceeded)
        #expect(code { _ = try read([UInt8](repeating: 0x61, count: 30_000)) } == .maxPostPreDataLengthExceeded)
    }

    @Test func `a second file is refused, and heads behind the file have a limit`() {
        let file = Self.part("name=file", [1])
        #expect(code { _ = try read(file + file + Self.end) } == .incorrectNumberOfFiles)
        let many = (0..<2000).flatMap { Self.part("name=a\($0)", []) }
        #expect(code { _ = try read(file + many + Self.end) } == .malformedPOSTRequest)
    }

    @Test func `a form without a file is a form`() throws {
        #expect(try read(Self.part("name=a", [1]) + Self.end) == Reading(fields: [[0x61]: [1]]))
        #expect(try read(Self.end) == Reading())
    }
}
