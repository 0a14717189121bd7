import Core
import Testing

@Suite struct FileKeyPathTests {
    private func path(_ key: String) -> String {
        String(decoding: FileKeyPath(key: Array(key.utf8)).relativePath, as: UTF8.self)
    }

    @Test(arguments: [
        ("cat.jpg", "cat.jpg%data"), ("a/b/c", "a/b/c%data"), ("a/", "a/%data"), ("/", "%/%data"),
        ("a//b", "a/%/b%data"), (".", "%2E%data"), ("../x", "%2E./x%data"), ("...", "...%data"),
        (".hidden", ".hidden%data"), ("100%", "100%25%data"), ("a\nb", "a%0Ab%data"), ("%data", "%25data%data"),
        ("hyvää/yötä", "hyvää/yötä%data"),
    ]) func `a key reads like a path`(key: String, expected: String) { #expect(path(key) == expected) }

    @Test func `no name passes 255 bytes and no path passes 4096`() {
        for byte in [UInt8(ascii: "a"), UInt8(ascii: "/"), UInt8(ascii: "%"), 0x01] {
            let path = FileKeyPath(key: [UInt8](repeating: byte, count: ObjectKey.maximumBytes))
            for name in path.directories + [path.data, path.meta] {
                #expect((1...255).contains(name.bytes.count))
                #expect(!name.bytes.contains(UInt8(ascii: "/")) && name.bytes != [0x2E] && name.bytes != [0x2E, 0x2E])
            }
            #expect(path.relativePath.count < 4096 - 512 - 64)
        }
    }

    @Test func `different keys have different paths`() {
        var generator = SeededGenerator(seed: 11)
        var seen: [[UInt8]: [UInt8]] = [:]
        for _ in 0..<20_000 {
            let key = AwkwardKeys.make(using: &generator)
            let path = FileKeyPath(key: key).relativePath
            #expect(seen[path] == nil || seen[path] == key)
            seen[path] = key
        }
    }
}

/// Keys of the kinds that break stores built on directories.
enum AwkwardKeys {
    private static let pieces: [[UInt8]] =
        ["a", "b", "ab", ".", "..", "/", "//", "%", "%2E", "%data", "%meta", "%more", "0", "!", "~", "\u{1}", "\u{7F}"]
        .map { Array($0.utf8) }
        + ["ä", "\u{301}", "\r\n", " ", "\\", "*", "a/b", "A"].map { Array($0.utf8) }
        + [245, 246, 247, 255, 256].map { [UInt8](repeating: UInt8(ascii: "x"), count: $0) }

    static func make(using generator: inout SeededGenerator) -> [UInt8] {
        var key: [UInt8] = []
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            key.append(contentsOf: pieces[Int.random(in: 0..<pieces.count, using: &generator)])
        }
        return Array(key.prefix(ObjectKey.maximumBytes))
    }
}
