/// The head of a store's answer: its status, and those fields that the gateway has a use for.
///
/// Nothing else of what a backend says gets past here (SECURITY.md 8).
struct TransferHead: Equatable, Sendable {
    let status: Int
    /// The lines `name: value` that are wanted, in order of arrival, each with a line feed.
    ///
    /// Most answers are asked for one or two fields, so lines are taken apart when somebody asks.
    private var lines: [UInt8] = []

    /// Bytes of the wanted lines of most answers.
    private static let usualLineBytes = 640
    private static let statusPrefix: StaticString = "http/"

    init(status: Int) { self.status = status }

    var isSuccess: Bool { (200...299).contains(status) }
    var isInterim: Bool { (100...199).contains(status) }

    /// Returns the only value of the field, nil when it is missing or contradicts itself; `name` is lower case.
    subscript(name: StaticString) -> [UInt8]? {
        unsafe lines.withUnsafeBytes { lines in
            var found: Range<Int>?
            var start = 0
            while start < lines.count {
                var end = start
                while unsafe lines[end] != 0x0A { end += 1 }
                let line = unsafe UnsafeRawBufferPointer(rebasing: lines[start..<end])
                start = end + 1
                let colon = name.utf8CodeUnitCount
                guard line.count > colon, unsafe line[colon] == UInt8(ascii: ":"),
                    unsafe Self.begins(line, with: name)
                else { continue }
                let value = unsafe Self.trimmed(line, from: colon + 1)
                let offset = end - line.count
                let place = (value.lowerBound + offset)..<(value.upperBound + offset)
                if let found, unsafe !lines[found].elementsEqual(lines[place]) { return nil }
                found = place
            }
            return found.map { unsafe Array(lines[$0]) }
        }
    }

    /// For comparison with ASCII words, and for the log.
    func text(_ name: StaticString) -> String? { self[name].map { String(decoding: $0, as: UTF8.self) } }

    /// The entity tag without its quotes.
    var eTag: String? {
        guard var value = self["etag"] else { return nil }
        if value.starts(with: "W/".utf8) { value.removeFirst(2) }
        value.removeAll { $0 == UInt8(ascii: "\"") }
        return String(decoding: value, as: UTF8.self)
    }

    /// The fields that describe the object; see `ObjectDescription.packed`.
    var metadata: [HeaderField] { self["x-amz-meta-s3gw"].map(ObjectDescription.unpack) ?? [] }

    /// Tells whether a line begins as a status line does.
    static func isStatusLine(_ line: UnsafeRawBufferPointer) -> Bool { unsafe begins(line, with: statusPrefix) }

    /// Reads a status line such as `HTTP/1.1 200 OK`; nil for anything else.
    init?(statusLine line: UnsafeRawBufferPointer) {
        guard unsafe Self.isStatusLine(line), let blank = unsafe line.firstIndex(of: 0x20) else { return nil }
        let code = unsafe Array(line[blank...].drop { $0 == 0x20 }.prefix { $0 != 0x20 })
        guard code.count == 3, let status = DecimalNumber.parse(code), (100...599).contains(status) else { return nil }
        self.init(status: status)
    }

    // hot: a store sends a dozen lines or two with every answer.
    /// Adds a line `Name: value` when it is one of those wanted.
    ///
    /// Returns false for a line that no honest server sends: without a colon, folded, or with control bytes in a value
    /// that is wanted.
    mutating func add(line: UnsafeRawBufferPointer) -> Bool {
        var colon = 0
        while colon < line.count, unsafe line[colon] != UInt8(ascii: ":") { colon += 1 }
        guard colon < line.count, unsafe !Self.isBlank(line[0]) else { return false }
        guard unsafe Self.isWanted(line, nameBytes: colon) else { return true }
        for index in (colon + 1)..<line.count {
            let byte = unsafe line[index]
            guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else { return false }
        }
        if lines.isEmpty { lines.reserveCapacity(Self.usualLineBytes) }
        unsafe lines.append(contentsOf: line)
        lines.append(0x0A)
        return true
    }

    private static func isWanted(_ line: UnsafeRawBufferPointer, nameBytes: Int) -> Bool {
        switch nameBytes {
        case 4: unsafe begins(line, with: "etag") || begins(line, with: "date")
        case 6: unsafe begins(line, with: "server")
        case 13: unsafe begins(line, with: "content-range")
        case 14: unsafe begins(line, with: "content-length")
        case 15: unsafe begins(line, with: "x-amz-meta-s3gw")
        case 16: unsafe begins(line, with: "x-amz-request-id")
        case 19: unsafe begins(line, with: "x-amz-bucket-region")
        case 28: unsafe begins(line, with: "x-amz-server-side-encryption")
        case 47: unsafe begins(line, with: "x-amz-server-side-encryption-customer-algorithm")
        default: false
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// Where the line from `start` on has something between its outer blanks.
    private static func trimmed(_ line: UnsafeRawBufferPointer, from start: Int) -> Range<Int> {
        var first = start
        var end = line.count
        while first < end, unsafe isBlank(line[first]) { first += 1 }
        while end > first, unsafe isBlank(line[end - 1]) { end -= 1 }
        return first..<end
    }

    /// Compares without case; `prefix` is lower case.
    private static func begins(_ line: UnsafeRawBufferPointer, with prefix: StaticString) -> Bool {
        guard line.count >= prefix.utf8CodeUnitCount else { return false }
        let wanted = unsafe prefix.utf8Start
        for index in 0..<prefix.utf8CodeUnitCount {
            guard unsafe ASCII.lower(line[index]) == wanted[index] else { return false }
        }
        return true
    }
}
