import Foundation
import Testing

/// Replays what the fuzzers start from and what they once found.
@Suite struct FuzzCorpusTests {
    /// Changes made to each entry of a corpus, so that the replay is a small fuzz run of its own.
    static let changesPerEntry = 40

    static func entries(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.appendingPathComponent("Fuzz/corpus/\(target.rawValue)")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            .map { ($0.lastPathComponent, Array(try Data(contentsOf: $0))) }
    }

    @Test(arguments: FuzzTarget.allCases)
    func `every committed input holds, and so do its neighbours`(target: FuzzTarget) throws {
        let entries = try Self.entries(target)
        #expect(entries.count >= 3)
        var generator = SplitMix(state: 20_261_122)
        for (name, bytes) in entries {
            #expect(target.run(bytes) == nil, "\(name)")
            guard bytes.count <= 4096 else { continue }
            for _ in 0..<Self.changesPerEntry {
                let changed = Self.changed(bytes, with: &generator)
                if let fault = target.run(changed) { Issue.record("\(name), changed to \(changed): \(fault)") }
            }
        }
    }

    /// Flips, drops, doubles or cuts at a random place.
    static func changed(_ bytes: [UInt8], with generator: inout SplitMix) -> [UInt8] {
        var bytes = bytes
        for _ in 0...Int.random(in: 0..<4, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.remove(at: place)
            case 3: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 16)], at: place)
            default: bytes = Array(bytes[..<place])
            }
        }
        return bytes
    }

    /// The same numbers on every run (splitmix64).
    struct SplitMix: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return z ^ z >> 31
        }
    }
}
