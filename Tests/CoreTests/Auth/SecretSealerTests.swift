import Core
import Foundation
import Testing

@Suite struct SecretSealerTests {
    let oldLine = "2026-01:" + String(repeating: "0a", count: 32)
    let newLine = "2026-11:" + Base64.text([UInt8](0..<32))
    let secret = Array("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".utf8)

    func keys(_ lines: String...) throws -> MasterKeys {
        try MasterKeys(parsing: Array(lines.joined(separator: "\n").utf8), origin: "test")
    }

    @Test func `what was sealed for a row opens for that row only`() throws {
        let keys = try keys(oldLine)
        let alice = keys.seal(secret, table: "access_keys", row: "AKIAALICE")
        let bob = keys.seal(Array("bob".utf8), table: "access_keys", row: "AKIABOB")
        #expect(try keys.open(alice, table: "access_keys", row: "AKIAALICE") == secret)
        #expect(throws: S3Error.self) { try keys.open(alice, table: "access_keys", row: "AKIABOB") }
        #expect(throws: S3Error.self) { try keys.open(bob, table: "access_keys", row: "AKIAALICE") }
        #expect(throws: S3Error.self) { try keys.open(alice, table: "backends", row: "AKIAALICE") }
        #expect(throws: S3Error.self) { try keys.open(alice, table: "access_key", row: "sAKIAALICE") }
    }

    @Test func `two seals of one secret share no cipher text`() throws {
        let keys = try keys(oldLine)
        #expect(keys.seal(secret, table: "t", row: "r") != keys.seal(secret, table: "t", row: "r"))
        #expect(try keys.open(keys.seal([], table: "t", row: "r"), table: "t", row: "r") == [])
    }

    @Test func `after a rotation old secrets still open and new ones use the new key`() throws {
        let sealed = try keys(oldLine).seal(secret, table: "t", row: "r")
        let rotated = try keys("# the new one", newLine, "", oldLine)
        #expect(try rotated.open(sealed, table: "t", row: "r") == secret)
        let again = rotated.seal(secret, table: "t", row: "r")
        #expect(MasterKeys.keyID(of: again) == "2026-11" && MasterKeys.keyID(of: sealed) == "2026-01")
        #expect(throws: S3Error.self) { try keys(oldLine).open(again, table: "t", row: "r") }
    }

    @Test func `any flipped bit closes it for ever`() throws {
        let keys = try keys(oldLine)
        let sealed = keys.seal(secret, table: "t", row: "r")
        for bit in 0..<(sealed.count * 8) {
            var broken = sealed
            broken[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: S3Error.self) { try keys.open(broken, table: "t", row: "r") }
        }
        for count in 0..<sealed.count {
            #expect(throws: S3Error.self) { try keys.open(Array(sealed[..<count]), table: "t", row: "r") }
        }
    }

    @Test(arguments: ["", "# nothing", "k1", ":00", "k1:zz", "k1:0a0a", "k 1:" + String(repeating: "0a", count: 32)])
    func `a text without a whole key is refused`(text: String) {
        #expect(throws: S3Error.self) { try MasterKeys(parsing: Array(text.utf8), origin: "test") }
    }

    @Test func `a key id given twice is refused`() {
        #expect(throws: S3Error.self) { try keys(oldLine, oldLine) }
    }

    @Test func `a generated file opens, is made once, and is refused when others can read it`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("s3gw-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/master.key"
        try MasterKeys.generateFile(at: path)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o400)
        let keys = try MasterKeys(contentsOfFile: path)
        let sealed = keys.seal(secret, table: "t", row: "r")
        #expect(try MasterKeys(contentsOfFile: path).open(sealed, table: "t", row: "r") == secret)
        #expect(throws: S3Error.self) { try MasterKeys.generateFile(at: path) }
        for mode in [0o440, 0o404, 0o644] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            #expect(throws: S3Error.self) { try MasterKeys(contentsOfFile: path) }
        }
        #expect(throws: S3Error.self) { try MasterKeys(contentsOfFile: folder + "/none") }
    }
}
