import Foundation
import Logging
import Testing

@testable import Core

@Suite struct LogTests {
    /// Logs through a handler that writes to a file, and returns the file's lines.
    private func lines(_ body: (Logger) throws -> Void) throws -> [String] {
        let path = FileManager.default.temporaryDirectory.path + "/s3gw-test-\(UUID().uuidString).log"
        defer { unsafe unlink(path) }
        let output = LogOutput()
        try output.open(path)
        let handler = JSONLogHandler(label: "test", output: output)
        try body(Logger(label: "test") { _ in handler })
        return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test func `a key with CR, LF, ESC and a quote is one valid line of JSON`() throws {
        let key = "a\r\nb\u{1B}[31m\"\\\u{9B}\u{2028}é"
        let written = try lines {
            $0.error("cannot read \(key)", metadata: ["key": "\(key)", "count": .stringConvertible(7)])
        }
        #expect(written.count == 1)
        let line = try #require(written.first)
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
        let event = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(event["key"] as? String == key)
        #expect(event["message"] as? String == "cannot read \(key)")
        #expect(event["count"] as? Int == 7)
        #expect(event["level"] as? String == "error")
    }

    @Test func `metadata that is named like a secret is not written`() throws {
        let written = try lines {
            $0.error("refused", metadata: ["Authorization": "AWS4-SECRET", "request": ["signature": "AWS4-SECRET"]])
        }
        #expect(written.count == 1)
        #expect(!written.joined().contains("AWS4-SECRET"))
    }

    @Test func `metadata cannot replace the fields of the event`() throws {
        let line = try #require(try lines { $0.error("refused", metadata: ["level": "info"]) }.first)
        #expect(line.contains(#""level":"error""#) && line.contains(#""metadata-level":"info""#))
    }

    @Test func `events below the level are not written, and the level can change`() throws {
        let path = FileManager.default.temporaryDirectory.path + "/s3gw-test-\(UUID().uuidString).log"
        defer { unsafe unlink(path) }
        let output = LogOutput()
        try output.open(path)
        let handler = JSONLogHandler(label: "test", output: output)
        let logger = Logger(label: "test") { _ in handler }
        logger.debug("one")
        output.set(level: "debug")
        logger.debug("two")
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        defer { unsafe unlink(path + ".1") }
        try output.reopen()
        logger.debug("three")
        #expect(try String(contentsOfFile: path + ".1", encoding: .utf8).contains("two"))
        #expect(try !String(contentsOfFile: path + ".1", encoding: .utf8).contains("one"))
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains("three"))
    }
}
