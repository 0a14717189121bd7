package import Logging
private import Glibc

/// Writes each event as one line of JSON: `time`, `level`, `label`, `pid`, `message`, then the metadata.
///
/// Control bytes are escaped, so an event is always one line and cannot steer a terminal. Metadata named like a
/// secret is not written.
package struct JSONLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let output: LogOutput
    private var ownLevel: Logger.Level?

    /// Metadata names that are never written, whatever they hold.
    private static let secretNames: Set<String> = [
        "authorization", "cookie", "password", "secret", "secretaccesskey", "sessiontoken", "signature", "token",
        "x-amz-security-token", "x-amz-signature",
    ]
    private static let ownNames: Set<String> = ["time", "level", "label", "pid", "message"]

    package init(label: String, output: LogOutput) {
        self.label = label
        self.output = output
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? output.minimumLevel }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        line.append(contentsOf: #"{"time":""#.utf8)
        line.append(contentsOf: Timestamp.now().iso8601.utf8)
        line.append(contentsOf: #"","level":""#.utf8)
        line.append(contentsOf: event.level.rawValue.utf8)
        line.append(contentsOf: #"","label":"#.utf8)
        Self.appendQuoted(label, to: &line)
        line.append(contentsOf: #","pid":\#(getpid()),"message":"#.utf8)
        Self.appendQuoted(event.message.description, to: &line)
        var all = metadataProvider?.get() ?? [:]
        all.merge(metadata) { _, new in new }
        all.merge(event.metadata ?? [:]) { _, new in new }
        if let error = event.error { all["error"] = .string("\(error)") }
        for (name, value) in all.sorted(by: { $0.key < $1.key }) {
            line.append(UInt8(ascii: ","))
            Self.append(name: Self.ownNames.contains(name) ? "metadata-\(name)" : name, value, to: &line)
        }
        line.append(UInt8(ascii: "}"))
        line.append(0x0A)
        output.write(line)
    }

    private static func append(name: String, _ value: Logger.Metadata.Value, to line: inout [UInt8]) {
        appendQuoted(name, to: &line)
        line.append(UInt8(ascii: ":"))
        guard !secretNames.contains(name.lowercased()) else {
            appendQuoted("[not logged]", to: &line)
            return
        }
        append(value, to: &line)
    }

    private static func append(_ value: Logger.Metadata.Value, to line: inout [UInt8]) {
        switch value {
        case .string(let text): appendQuoted(text, to: &line)
        case .stringConvertible(let number as any FixedWidthInteger): line.append(contentsOf: "\(number)".utf8)
        case .stringConvertible(let flag as Bool): line.append(contentsOf: (flag ? "true" : "false").utf8)
        case .stringConvertible(let other): appendQuoted(other.description, to: &line)
        case .array(let items):
            line.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                append(item, to: &line)
            }
            line.append(UInt8(ascii: "]"))
        case .dictionary(let items):
            line.append(UInt8(ascii: "{"))
            for (index, item) in items.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                append(name: item.key, item.value, to: &line)
            }
            line.append(UInt8(ascii: "}"))
        }
    }

    /// Appends `text` as a JSON string (RFC 8259 section 7); control characters, C1 ones too, become `\u00XX`.
    static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22, 0x5C:
                line.append(UInt8(ascii: "\\"))
                line.append(UInt8(scalar.value))
            case 0x00..<0x20, 0x7F..<0xA0, 0x2028, 0x2029:
                let hex = String(scalar.value, radix: 16)
                line.append(contentsOf: #"\u"#.utf8)
                line.append(contentsOf: String(repeating: "0", count: 4 - hex.utf8.count).utf8)
                line.append(contentsOf: hex.utf8)
            case 0x20..<0x7F: line.append(UInt8(scalar.value))
            default: line.append(contentsOf: String(scalar).utf8)
            }
        }
        line.append(UInt8(ascii: "\""))
    }
}
