import Core
import Testing

@Suite struct CryptoTests {
    @Test func `digests agree with the published test values`() {
        #expect(Hex.text(Crypto.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            Hex.text(Crypto.sha256(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Hex.text(Crypto.md5(Array("message digest".utf8))) == "f96b697d7cb7938d525a2f31aaf161d0")
        var sha1 = SHA1Stream()
        unsafe Array("abc".utf8).withUnsafeBytes { unsafe sha1.update($0) }
        #expect(Hex.text(sha1.finish()) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    }

    @Test func `a stream gives the same digest however it is cut`() {
        let message = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var sha = SHA256Stream()
        var md5 = MD5Stream()
        var start = 0
        for size in [0, 1, 63, 64, 65, 127, 300] {
            sha.update(Array(message[start..<(start + size)]))
            md5.update(Array(message[start..<(start + size)]))
            start += size
            #expect(sha.finish() == Crypto.sha256(Array(message[..<start])))
            #expect(md5.finish() == Crypto.md5(Array(message[..<start])))
        }
    }

    @Test func `an MD5 goes on in another process where it was left, at whole blocks only`() throws {
        let message = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 11) }
        for blocks in [0, 1, 2, 15] {
            var first = MD5Stream()
            first.update(Array(message[..<(blocks * 64)]))
            let state = try #require(first.savedState)
            var second = try #require(MD5Stream(savedState: state))
            second.update(Array(message[(blocks * 64)...]))
            #expect(second.finish() == Crypto.md5(message))
            first.update([1])
            #expect(first.savedState == nil)
        }
        #expect(MD5Stream(savedState: [1, 2, 3]) == nil)
    }

    /// RFC 4231, test cases 2, 3 and 6.
    @Test func `HMAC agrees with RFC 4231`() {
        #expect(
            Hex.text(Crypto.hmacSHA256(key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let same = HMACSHA256(key: [UInt8](repeating: 0xAA, count: 20))
        for _ in 0..<2 {
            #expect(
                Hex.text(same.code(for: [UInt8](repeating: 0xDD, count: 50)))
                    == "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe")
        }
        #expect(
            Hex.text(
                Crypto.hmacSHA256(
                    key: [UInt8](repeating: 0xAA, count: 131),
                    message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test func `equality looks at every byte`() {
        let bytes = Crypto.randomBytes(32)
        #expect(bytes.count == 32 && bytes != Crypto.randomBytes(32))
        #expect(Crypto.areEqual(bytes, bytes) && Crypto.areEqual([], []))
        #expect(!Crypto.areEqual(bytes, Array(bytes.dropLast())))
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 1
            #expect(!Crypto.areEqual(bytes, other))
        }
    }

    @Test func `base64 has one spelling for each value`() {
        for count in 0..<40 {
            let bytes = Crypto.randomBytes(count)
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
        #expect(Base64.text(Array("foobar".utf8)) == "Zm9vYmFy" && Base64.text(Array("f".utf8)) == "Zg==")
        for wrong in ["Zg", "Zg=", "Zh==", "Zm9=", "====", "=", "Z===", "Zm 9", "Zm9v\n", "Zg==Zg==", "Zm9_"] {
            #expect(Base64.decode(Array(wrong.utf8)) == nil, "\(wrong)")
        }
    }
}
