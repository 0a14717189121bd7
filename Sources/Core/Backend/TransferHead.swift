/// The head of a store's answer: its status, and those fields that the gateway has a use for.
///
/// Nothing else of what a backend says gets past here (SECURITY.md 8).
struct TransferHead: Equatable, Sendable {
    let status: Int
    /// Names in lower case, in order of arrival, repetitions kept.
    private(set) var fields: [HeaderField] = []

    private static let wanted: Set<String> = [
        "content-length", "content-range", "date", "etag", "server", "x-amz-bucket-region", "x-amz-request-id",
        "x-amz-server-side-encryption", "x-amz-server-side-encryption-customer-algorithm",
    ]
    private static let wantedPrefix = "x-amz-meta-s3gw-"

    /// False for the first byte of a header line that `add(line:)` would only pass over.
    static func isInitialOfWanted(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): initials[Int(byte | 0x20)]
        default: true
        }
    }

    private static let initials: [Bool] = {
        var initials = [Bool](repeating: false, count: 128)
        for name in wanted + [wantedPrefix] { if let first = name.utf8.first { initials[Int(first)] = true } }
        return initials
    }()

    init(status: Int) { self.status = status }

    var isSuccess: Bool { (200...299).contains(status) }
    var isInterim: Bool { (100...199).contains(status) }

    /// Returns the only value of the field, nil when it is missing or contradicts itself.
    subscript(name: String) -> [UInt8]? {
        let values = fields.filter { $0.name == name }.map(\.value)
        guard let first = values.first, values.allSatisfy({ $0 == first }) else { return nil }
        return first
    }

    /// For comparison with ASCII words, and for the log.
    func text(_ name: String) -> String? { self[name].map { String(decoding: $0, as: UTF8.self) } }

    /// The entity tag without its quotes.
    var eTag: String? {
        guard var value = text("etag") else { return nil }
        if value.hasPrefix("W/") { value.removeFirst(2) }
        return value.filter { $0 != "\"" }
    }

    /// The fields that describe the object, without `x-amz-meta-`.
    var metadata: [HeaderField] {
        fields.filter { $0.name.hasPrefix(Self.wantedPrefix) }.map {
            HeaderField(name: String($0.name.dropFirst("x-amz-meta-".count)), value: $0.value)
        }
    }

    /// Reads a status line such as `HTTP/1.1 200 OK`; nil for anything else.
    init?(statusLine line: some Collection<UInt8>) {
        let words = line.split(separator: 0x20, maxSplits: 2)
        guard words.count >= 2, words[0].starts(with: "HTTP/".utf8), words[1].count == 3,
            let status = DecimalNumber.parse(words[1].prefix { $0 > 0x20 }.map { $0 }), (100...599).contains(status)
        else { return nil }
        self.init(status: status)
    }

    /// Adds a line `Name: value` when it is one of those wanted.
    ///
    /// Returns false for a line that no honest server sends: without a colon, folded, or with control bytes in a value
    /// that is wanted.
    mutating func add(line: some Collection<UInt8>) -> Bool {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), line.first != 0x20, line.first != 0x09 else {
            return false
        }
        let name = String(decoding: line[..<colon].map(ASCII.lower), as: UTF8.self)
        guard Self.wanted.contains(name) || name.hasPrefix(Self.wantedPrefix) else { return true }
        let blanks: Set<UInt8> = [0x20, 0x09]
        var value = Array(line[line.index(after: colon)...].drop(while: blanks.contains))
        while let last = value.last, blanks.contains(last) { value.removeLast() }
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return false }
        fields.append(HeaderField(name: name, value: value))
        return true
    }
}
