import Foundation
import Testing

@testable import S3GW

@Suite struct SecretInputTests {
    func secret(in text: String) throws -> [UInt8] {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("s3gw-\(UUID().uuidString)").path
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try SecretInput.read(file: path, variable: "S3GW_TEST_NOT_SET")
    }

    @Test(arguments: ["wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7MDENG\n", "wJalrXUtnFEMI/K7MDENG\r\n"])
    func `one line end is not part of the secret`(text: String) throws {
        #expect(try secret(in: text) == Array("wJalrXUtnFEMI/K7MDENG".utf8))
    }

    @Test(arguments: ["", "short", "two words long", "line\nline-line", "12345678\n\n", "umläut-long", "tab\ttab-tab"])
    func `what cannot be a secret is refused`(text: String) {
        #expect(throws: Outcome.self) { try secret(in: text) }
    }

    @Test func `a file that is too long is refused, and so is no file and no variable`() {
        #expect(throws: Outcome.self) { try secret(in: String(repeating: "x", count: 1025)) }
        #expect(throws: Outcome.self) { try secret(in: String(repeating: "x", count: 200_000)) }
        #expect(throws: Outcome.self) {
            try SecretInput.read(file: "/nonexistent/secret", variable: "S3GW_TEST_NOT_SET")
        }
        #expect(throws: Outcome.self) { try SecretInput.read(file: nil, variable: "S3GW_TEST_NOT_SET") }
    }
}
