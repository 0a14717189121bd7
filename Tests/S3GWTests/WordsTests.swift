import Testing

@testable import S3GW

@Suite struct WordsTests {
    @Test(arguments: ["alice", "A.b-c_9", String(repeating: "a", count: 64)])
    func `a name is letters, digits and three signs`(name: String) { #expect(Words.isName(name)) }

    @Test(arguments: ["", "a b", "a/b", "ä", "a\n", "a,b", "a=b", String(repeating: "a", count: 65)])
    func `nothing else is a name`(name: String) { #expect(!Words.isName(name)) }

    @Test func `an access key id fits a credential scope`() {
        #expect(Words.isAccessKeyID("AKIAIOSFODNN7EXAMPLE") && Words.isAccessKeyID("0555b35654ad1656d804"))
        for bad in ["AK", "AKIA/1", "AKIA 1", "AKIA,1", "AKIA=1", String(repeating: "A", count: 129)] {
            #expect(!Words.isAccessKeyID(bad))
        }
    }

    @Test func `a canonical id is 64 hex digits in lower case`() {
        #expect(Words.isCanonicalID(String(repeating: "0f", count: 32)))
        for bad in [
            "", String(repeating: "0F", count: 32), String(repeating: "0", count: 63),
            String(repeating: "g", count: 64),
        ] {
            #expect(!Words.isCanonicalID(bad))
        }
    }

    @Test func `random words use the whole alphabet evenly and never repeat`() {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        let long = Words.random(36_000, of: alphabet)
        #expect(long.utf8.count == 36_000)
        let counts = Dictionary(grouping: long, by: \.self).mapValues(\.count)
        // 1,000 each are expected; 6 standard deviations are about 190.
        #expect(counts.count == 36 && counts.values.allSatisfy { (810...1190).contains($0) })
        #expect(Words.random(20, of: alphabet) != Words.random(20, of: alphabet))
    }
}
