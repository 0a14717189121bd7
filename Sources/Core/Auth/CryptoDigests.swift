private import COpenSSL

/// A running SHA-256 (FIPS 180-4).
///
/// A value: a copy continues on its own, and `finish` may be called more than once.
package struct SHA256Stream: Sendable {
    private var context = SHA256_CTX()

    package init() { unsafe SHA256_Init(&context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe SHA256_Update(&context, bytes.baseAddress, bytes.count)
    }

    package mutating func update(_ bytes: [UInt8]) { unsafe bytes.withUnsafeBytes { unsafe update($0) } }

    /// Returns the 32 bytes of the digest of everything so far.
    package func finish() -> [UInt8] {
        var last = context
        return unsafe Crypto.bytes(32) { unsafe SHA256_Final($0, &last) }
    }
}

/// A running SHA-1 (FIPS 180-4), for the checksum of that name only.
///
/// A value, like `SHA256Stream`.
package struct SHA1Stream: Sendable {
    private var context = SHA_CTX()

    package init() { unsafe SHA1_Init(&context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe SHA1_Update(&context, bytes.baseAddress, bytes.count)
    }

    /// Returns the 20 bytes of the digest of everything so far.
    package func finish() -> [UInt8] {
        var last = context
        return unsafe Crypto.bytes(20) { unsafe SHA1_Final($0, &last) }
    }
}

/// A running MD5 (RFC 1321), for ETags and Content-MD5 only.
///
/// A value, like `SHA256Stream`.
package struct MD5Stream: Sendable {
    private var context = MD5_CTX()

    package init() { unsafe MD5_Init(&context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe MD5_Update(&context, bytes.baseAddress, bytes.count)
    }

    package mutating func update(_ bytes: [UInt8]) { unsafe bytes.withUnsafeBytes { unsafe update($0) } }

    /// What has been hashed so far, so that another process can go on with it: the four words of RFC 1321, 3.3, then the
    /// length in bits, all little-endian; nil unless that length is a whole number of blocks of 64 bytes.
    package var savedState: [UInt8]? {
        guard context.num == 0 else { return nil }
        var state: [UInt8] = []
        let words: [UInt32] = [context.A, context.B, context.C, context.D, context.Nl, context.Nh]
        for word in words {
            for shift: UInt32 in [0, 8, 16, 24] { state.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        return state
    }

    /// Goes on where `savedState` was taken; nil for bytes that are no such state.
    package init?(savedState: [UInt8]) {
        guard savedState.count == 24 else { return nil }
        self.init()
        var words: [UInt32] = []
        for start in stride(from: 0, to: savedState.count, by: 4) {
            var word: UInt32 = 0
            for byte in savedState[start..<start + 4].reversed() { word = word << 8 | UInt32(byte) }
            words.append(word)
        }
        (context.A, context.B, context.C, context.D) = (words[0], words[1], words[2], words[3])
        (context.Nl, context.Nh) = (words[4], words[5])
    }

    /// Returns the 16 bytes of the digest of everything so far.
    package func finish() -> [UInt8] {
        var last = context
        return unsafe Crypto.bytes(16) { unsafe MD5_Final($0, &last) }
    }
}

/// HMAC-SHA256 under one key (RFC 2104), with the two key blocks hashed once and used for every message.
package struct HMACSHA256: Sendable {
    private let inner: SHA256Stream
    private let outer: SHA256Stream

    private static let blockSizeBytes = 64

    package init(key: [UInt8]) {
        var block = key.count > Self.blockSizeBytes ? Crypto.sha256(key) : key
        block.append(contentsOf: repeatElement(0, count: Self.blockSizeBytes - block.count))
        var inner = SHA256Stream()
        inner.update(block.map { $0 ^ 0x36 })
        self.inner = inner
        var outer = SHA256Stream()
        outer.update(block.map { $0 ^ 0x5C })
        self.outer = outer
    }

    /// Returns the 32 bytes of the code of `message`.
    package func code(for message: [UInt8]) -> [UInt8] {
        var stream = inner
        stream.update(message)
        let digest = stream.finish()
        stream = outer
        stream.update(digest)
        return stream.finish()
    }
}
