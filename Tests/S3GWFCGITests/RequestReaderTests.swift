import Core
import Foundation
import Testing

@testable import S3GWFCGI

@Suite struct RequestReaderTests {
    private static let line = [
        ("REQUEST_METHOD", "PUT"), ("REQUEST_URI", "/bucket/a%20key?x=1#part"), ("REMOTE_ADDR", "192.0.2.1"),
        ("HTTPS", "on"), ("S3GW_HOST", "s3.example.com"), ("HTTP_HOST", "S3.example.com:8443"),
    ]

    /// Reads one request and calls `look` while it lasts.
    private func read(
        _ parameters: [(String, String)], body: [UInt8] = [], isCut: Bool = false, spool: String = "/tmp",
        _ look: (RequestReader.Outcome) throws -> Void
    ) throws {
        let conversation = Conversation()
        conversation.request(parameters, body: body, isCut: isCut)
        var slot = FastCGISlot()
        var reader = RequestReader(
            sites: SiteParameters(defaults: .init(region: "us-east-1")), spool: BodySpool(directory: spool))
        let hasBegun = slot.begin(conversation.theirs)
        try #require(hasBegun)
        let outcome = reader.read(&slot)
        defer {
            slot.finish()
            reader.finish()
        }
        try look(outcome)
    }

    private func accepted(_ outcome: RequestReader.Outcome) throws -> HTTPRequest {
        guard case .request(let request) = outcome else {
            Issue.record("refused: \(outcome)")
            throw CancellationError()
        }
        return request
    }

    private func refusal(_ parameters: [(String, String)], body: [UInt8] = [], isCut: Bool = false) throws -> String {
        var code = "none"
        try read(parameters, body: body, isCut: isCut) { outcome in
            if case .refusal(let error, _, _) = outcome { code = error.code.name }
        }
        return code
    }

    @Test func `parameters become a request`() throws {
        let extra = [
            ("HTTP_X_AMZ_META_A", "1"), ("HTTP_X_AMZ_META_A", "2"), ("CONTENT_TYPE", "text/plain"),
            ("S3GW_REGION", "eu-north-1"), ("S3GW_DOMAIN", "S3.example.com, other.example"),
            ("S3GW_MAX_PUT_SIZE", "5m"), ("S3GW_SIGV2", "on"),
        ]
        try read(Self.line + extra) { outcome in
            let request = try accepted(outcome)
            #expect(request.method == .put)
            #expect(request.target.rawPath == Array("/bucket/a%20key".utf8))
            #expect(request.target.rawQuery == Array("x=1".utf8))
            #expect(request.headers["host"] == Array("S3.example.com:8443".utf8))
            #expect(request.headers["x-amz-meta-a"] == Array("1,2".utf8))
            #expect(request.headers["content-type"] == Array("text/plain".utf8))
            #expect(request.isHTTPS && request.remoteAddress == "192.0.2.1")
            let domains = ["s3.example.com", "other.example"]
            let site = SiteSettings(
                region: "eu-north-1", domains: domains, maximumPutSizeBytes: 5 << 20, allowsSignatureV2: true)
            #expect(request.site == site)
        }
    }

    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 131_072, 3_000_000])
    func `a body that comes over the connection arrives whole`(count: Int) throws {
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        for length in ["\(count)", ""] {
            try read(Self.line + [("CONTENT_LENGTH", length)], body: body) { outcome in
                let request = try accepted(outcome)
                #expect(request.body.sizeBytes == Int64(count))
                switch request.body {
                case .empty: #expect(count == 0)
                case .memory(let bytes): #expect(bytes == body && count < BodySpool.memoryBytes)
                case .file(let path, _):
                    #expect(FileManager.default.contents(atPath: path).map(Array.init) == body)
                case .filePart: Issue.record("a part of a file")
                }
            }
        }
    }

    @Test func `a body in nginx's file is passed on by name`() throws {
        let path = FileManager.default.temporaryDirectory.path + "/s3gw-test-\(UUID().uuidString)"
        try Data("hello".utf8).write(to: URL(fileURLWithPath: path))
        defer { unsafe unlink(path) }
        try read(Self.line + [("S3GW_BODY_FILE", path), ("CONTENT_LENGTH", "5")]) { outcome in
            guard case .file(path, sizeBytes: 5) = try accepted(outcome).body else {
                Issue.record("not the file")
                return
            }
        }
        #expect(try refusal(Self.line + [("S3GW_BODY_FILE", path), ("CONTENT_LENGTH", "6")]) == "IncompleteBody")
        #expect(try refusal(Self.line + [("S3GW_BODY_FILE", path + "x")]) == "InternalError")
    }

    @Test func `a body file that went with its client is nobody's fault`() throws {
        let conversation = Conversation()
        conversation.request(Self.line + [("S3GW_BODY_FILE", "/nonexistent/0000000001"), ("CONTENT_LENGTH", "5")])
        var slot = FastCGISlot()
        let hasBegun = slot.begin(conversation.theirs)
        try #require(hasBegun)
        let hadLeft = slot.hasPeerLeft()
        conversation.hangUp()
        let hasLeft = slot.hasPeerLeft()
        #expect(!hadLeft && hasLeft)
        var reader = RequestReader(
            sites: SiteParameters(defaults: .init(region: "us-east-1")), spool: BodySpool(directory: "/tmp"))
        guard case .refusal(let error, _, _) = reader.read(&slot) else {
            Issue.record("not refused")
            return
        }
        // Without a cause it is no entry for the operator.
        #expect(error.code == .incompleteBody && error.cause == nil)
        slot.finish()
    }

    @Test(arguments: [10, 200_000])
    func `a body that ends early is refused`(count: Int) throws {
        let body = [UInt8](repeating: 7, count: count)
        #expect(try refusal(Self.line + [("CONTENT_LENGTH", "\(count + 1)")], body: body) == "IncompleteBody")
        #expect(try refusal(Self.line + [("CONTENT_LENGTH", "")], body: body, isCut: true) == "IncompleteBody")
    }

    @Test func `a body longer than the site allows is refused while it comes`() throws {
        let limit = [("S3GW_MAX_PUT_SIZE", "1k"), ("CONTENT_LENGTH", "")]
        #expect(try refusal(Self.line + limit, body: [UInt8](repeating: 7, count: 2 << 20)) == "EntityTooLarge")
    }

    @Test func `a spool directory that is missing is our fault and not the client's`() throws {
        try read(Self.line, body: [UInt8](repeating: 7, count: 100_000), spool: "/nonexistent") { outcome in
            guard case .refusal(let error, let path, _) = outcome else {
                Issue.record("not refused")
                return
            }
            #expect(error.code == .internalError && path == Array("/bucket/a%20key".utf8))
        }
    }

    @Test(arguments: [
        ("S3GW_HOST", "other.example", "InvalidRequest"), ("REQUEST_URI", "/%zz", "InvalidURI"),
        ("CONTENT_LENGTH", "+1", "InvalidArgument"), ("S3GW_REGOIN", "x", "InternalError"),
        ("S3GW_REGION", "Helsinki", "InternalError"), ("S3GW_MAX_PUT_SIZE", "much", "InternalError"),
        ("S3GW_DOMAIN", "a:80", "InternalError"), ("S3GW_SIGV2", "yes", "InternalError"),
    ])
    func `what cannot be accepted is refused`(name: String, value: String, code: String) throws {
        #expect(try refusal(Self.line.filter { $0.0 != name } + [(name, value)]) == code)
    }

    @Test func `a header that may come once is refused twice`() throws {
        #expect(
            try refusal(Self.line + [("HTTP_AUTHORIZATION", "a"), ("HTTP_AUTHORIZATION", "a")]) == "InvalidRequest")
    }

    @Test(arguments: [
        ("[::1]:8080", "[::1]"), ("S3.Example.com.", "s3.example.com"), ("s3.example.com", "s3.example.com"),
    ])
    func `a host is compared as nginx reads it`(header: String, virtualHost: String) throws {
        let line = Self.line.filter { !$0.0.hasSuffix("HOST") }
        #expect(try refusal(line + [("HTTP_HOST", header), ("S3GW_HOST", virtualHost)]) == "none")
    }
}
