private import Glibc

/// The lines of a configuration file: `key = value`, with `#` comments.
///
/// A `#` begins a comment at the start of a line or after a blank. Values are taken as they stand, without quotes.
struct ConfigurationFile {
    struct Line {
        let number: Int
        let key: String
        let value: String
    }

    private static let maximumBytes = 1 << 20

    let path: String
    private(set) var lines: [Line] = []
    private(set) var problems: [ConfigurationError.Problem] = []

    init(path: String) throws(ConfigurationError) {
        self.init(path: path, bytes: try Self.read(path))
    }

    init(path: String, bytes: [UInt8]) {
        self.path = path
        var number = 0
        for raw in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            number += 1
            let text = Self.trimmed(Self.withoutComment(raw))
            guard !text.isEmpty else { continue }
            guard UTF8Text.isValid(Array(text)) else {
                problems.append(.init(at: "\(path):\(number)", "this line is not UTF-8 text"))
                continue
            }
            guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else {
                problems.append(.init(at: "\(path):\(number)", "this line is not `key = value`"))
                continue
            }
            add(key: Self.trimmed(text[..<equals]), value: Self.trimmed(text[(equals + 1)...]), number: number)
        }
    }

    private mutating func add(key: ArraySlice<UInt8>, value: ArraySlice<UInt8>, number: Int) {
        let key = String(decoding: key, as: UTF8.self)
        let place = "\(path):\(number)"
        guard ConfigurationKey.named(key) != nil else {
            problems.append(.init(at: place, "unknown key \(key); the nearest known key is \(Self.nearest(to: key))"))
            return
        }
        if let first = lines.first(where: { $0.key == key }) {
            problems.append(.init(at: place, "\(key) was already set on line \(first.number); keep one of the two"))
            return
        }
        lines.append(Line(number: number, key: key, value: String(decoding: value, as: UTF8.self)))
    }

    private static func withoutComment(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        for index in line.indices where line[index] == UInt8(ascii: "#") {
            if index == line.startIndex || isBlank(line[index - 1]) { return line[..<index] }
        }
        return line
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) })
        else { return [] }
        return text[first...last]
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    static func nearest(to name: String) -> String {
        NearestWord.nearest(to: name, among: ConfigurationKey.all.map(\.name)) ?? ""
    }

    private static func read(_ path: String) throws(ConfigurationError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path, errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw unreadable(path, errno)
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= maximumBytes else {
                throw ConfigurationError([.init(at: path, "longer than \(maximumBytes) bytes")])
            }
        }
    }

    private static func unreadable(_ path: String, _ code: Int32) -> ConfigurationError {
        ConfigurationError([.init(at: path, "cannot be read: \(SystemError.text(code))")])
    }
}
