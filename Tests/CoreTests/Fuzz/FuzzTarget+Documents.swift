@testable import Core

extension FuzzTarget {
    /// A document that was read is the same after it was written and read again.
    static func xml(_ bytes: [UInt8]) -> String? {
        for root in ["Delete", "CreateBucketConfiguration", "CompleteMultipartUpload", "Tagging"] {
            guard let read = Outcome({ () throws(S3Error) in try XMLReader.parse(bytes, root: root) }).value else {
                continue
            }
            guard depth(read) <= XMLReader.maximumDepth else { return "deeper than the limit" }
            let written = written(read)
            let again = Outcome { () throws(S3Error) in
                try XMLReader.parse(written, root: root, maximumBytes: 16 * maximumBytes)
            }
            guard again.value == read else { return "reads differently after writing: \(again)" }
        }
        return nil
    }

    private static func depth(_ element: XMLElement) -> Int { 1 + (element.children.map(depth).max() ?? 0) }

    private static func written(_ element: XMLElement) -> [UInt8] {
        let head = XMLWriter().bytes.count
        var xml = XMLWriter()
        xml.element(element.name, element.text)
        let end = "</\(element.name)>".utf8.count
        return xml.bytes[head...].dropLast(end) + element.children.flatMap(written) + xml.bytes.suffix(end)
    }

    /// One line `METHOD target`, then `name: value` lines.
    static func request(_ bytes: [UInt8]) -> String? {
        let parts = lines(bytes, 2)
        let words = lines(parts[0].map { $0 == 0x20 ? 0x0A : $0 }, 2)
        guard let request = Outcome({ () throws(S3Error) in try Parsed(words, parts[1]) }).value?.request else {
            return nil
        }
        if request.target.path.first != 0x2F { return "a path that does not begin with /" }
        let canonical = CanonicalRequest.path(request.target.path)
        if canonical.count <= RequestTarget.maximumBytes {
            let again = Outcome { () throws(S3Error) in try RequestTarget(parsing: canonical).path }
            guard again == .value(request.target.path) else { return "the canonical path is another path" }
        }
        _ = Outcome { () throws(S3Error) in try S3Route(routing: request).operation }
        _ = Outcome { () throws(S3Error) in try AuthenticationMode(of: request) }
        _ = Outcome { () throws(S3Error) in
            try UnsupportedHeaders.refuse(in: request.headers)
            return true
        }
        let source = Outcome { () throws(S3Error) in try CopySource(request.headers) }.value
        if let source, source.key.bytes.isEmpty || source.bucket.text.contains("/") { return "a source that is no key" }
        let conditions = Conditions(request.headers)
        _ = Outcome { () throws(S3Error) in
            try conditions.checkWriteForm()
            try conditions.checkWrite(overETag: "e")
            try conditions.checkRead(eTag: "e", lastModified: Timestamp(milliseconds: 1_700_000_000_000))
            return true
        }
        for size: Int64 in [0, 1, 1000] {
            let range = Outcome { () throws(S3Error) in
                try ByteRange.resolve(request.headers["range"], sizeBytes: size)
            }
            if let range = range.value ?? nil, range.lowerBound < 0 || range.upperBound >= size {
                return "a range beyond the object"
            }
        }
        return nil
    }

    private struct Parsed: Equatable {
        let request: HTTPRequest

        init(_ words: [[UInt8]], _ headerLines: [UInt8]) throws(S3Error) {
            var headers = HeaderFields()
            for line in headerLines.split(separator: 0x0A) {
                let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
                let name = String(decoding: line[..<colon].map(ASCII.lower), as: UTF8.self)
                try headers.add(name, Array(line[colon...].dropFirst().drop { $0 == 0x20 }))
            }
            request = HTTPRequest(
                id: RequestID(), method: HTTPMethod(String(decoding: words[0], as: UTF8.self)),
                target: try RequestTarget(parsing: words[1]), headers: headers, body: .empty,
                site: SiteSettings(domains: ["s3.example.com"]), isHTTPS: true, remoteAddress: "",
                receivedAt: Timestamp(milliseconds: 1_700_000_000_000))
        }

        static func == (one: Parsed, other: Parsed) -> Bool { one.request.id == other.request.id }
    }
}
