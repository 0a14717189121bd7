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
