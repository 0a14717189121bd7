/// The head of a store's answer: its status, and those fields that the gateway has a use for.
///
/// Nothing else of what a backend says gets past here (SECURITY.md 8).
struct TransferHead: Equatable, Sendable {
    let status: Int
    /// Names in lower case, in order of arrival, repetitions kept.
    private(set) var fields: [HeaderField] = []

    /// Lines `name: value` of `x-amz-meta-s3gw-*`, each with a line feed: few have a use for them, so they are taken apart
    /// when somebody asks.
    private var metadataLines: [UInt8] = []

    private static let wanted = [
        "content-length", "content-range", "date", "etag", "server", "x-amz-bucket-region", "x-amz-request-id",
        "x-amz-server-side-encryption", "x-amz-server-side-encryption-customer-algorithm",
    ].map { (text: $0, bytes: Array($0.utf8)) }
    private static let metadataPrefix = Array("x-amz-meta-".utf8)
    private static let wantedPrefix = Array("x-amz-meta-s3gw-".utf8)
    private static let statusPrefix = Array("http/".utf8)

    init(status: Int) { self.status = status }

    var isSuccess: Bool { (200...299).contains(status) }
    var isInterim: Bool { (100...199).contains(status) }

    /// Returns the only value of the field, nil when it is missing or contradicts itself.
    subscript(name: String) -> [UInt8]? {
        var found: [UInt8]?
        for field in fields where field.name == name {
            if let found, found != field.value { return nil }
            found = field.value
        }
        return found
    }

    /// For comparison with ASCII words, and for the log.
    func text(_ name: String) -> String? { self[name].map { String(decoding: $0, as: UTF8.self) } }

    /// The entity tag without its quotes.
    var eTag: String? {
        guard var value = self["etag"] else { return nil }
        if value.starts(with: "W/".utf8) { value.removeFirst(2) }
        value.removeAll { $0 == UInt8(ascii: "\"") }
        return String(decoding: value, as: UTF8.self)
    }

    /// The fields that describe the object, without `x-amz-meta-`.
    var metadata: [HeaderField] {
        metadataLines.split(separator: 0x0A).map { line in
            let name = line.prefix { $0 != UInt8(ascii: ":") }
            return HeaderField(
                name: String(decoding: name.dropFirst(Self.metadataPrefix.count).map(ASCII.lower), as: UTF8.self),
                value: Array(Self.trimmed(line[name.endIndex...].dropFirst())))
        }
    }

    /// Tells whether a line begins as a status line does.
    static func isStatusLine(_ line: UnsafeRawBufferPointer) -> Bool { unsafe begins(line, with: statusPrefix) }

    /// Reads a status line such as `HTTP/1.1 200 OK`; nil for anything else.
    init?(statusLine line: UnsafeRawBufferPointer) {
        guard unsafe Self.isStatusLine(line), let blank = unsafe line.firstIndex(of: 0x20) else { return nil }
        let code = unsafe Array(line[blank...].drop { $0 == 0x20 }.prefix { $0 != 0x20 })
        guard code.count == 3, let status = DecimalNumber.parse(code), (100...599).contains(status) else { return nil }
        self.init(status: status)
    }

    /// Adds a line `Name: value` when it is one of those wanted; stores send a dozen that nobody wants.
    ///
    /// Returns false for a line that no honest server sends: without a colon, folded, or with control bytes in a value
    /// that is wanted.
    mutating func add(line: UnsafeRawBufferPointer) -> Bool {
        guard let colon = unsafe line.firstIndex(of: UInt8(ascii: ":")), unsafe !Self.isBlank(line[0]) else {
            return false
        }
        let isMetadata = unsafe Self.begins(line, with: Self.wantedPrefix) && colon > Self.wantedPrefix.count
        let known =
            isMetadata ? nil : Self.wanted.first { unsafe Self.begins(line, with: $0.bytes) && $0.bytes.count == colon }
        guard isMetadata || known != nil else { return true }
        let value = unsafe Self.trimmed(line[(colon + 1)...])
        guard unsafe value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return false }
        if let known {
            unsafe fields.append(HeaderField(name: known.text, value: Array(value)))
        } else {
            unsafe metadataLines.append(contentsOf: line)
            metadataLines.append(0x0A)
        }
        return true
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func trimmed<Bytes: BidirectionalCollection<UInt8>>(_ bytes: Bytes) -> Bytes.SubSequence {
        var rest = bytes.drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return rest
    }

    /// Compares without case; `prefix` is lower case.
    private static func begins(_ line: UnsafeRawBufferPointer, with prefix: [UInt8]) -> Bool {
        guard line.count >= prefix.count else { return false }
        for index in prefix.indices {
            guard unsafe ASCII.lower(line[index]) == prefix[index] else { return false }
        }
        return true
    }
}
