private import COpenSSL

/// Hashes, codes, ciphers and randomness, from OpenSSL's libcrypto.
///
/// Every function is safe on any thread.
package enum Crypto {
    /// Returns the 32 bytes of SHA-256.
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var stream = SHA256Stream()
        stream.update(bytes)
        return stream.finish()
    }

    /// Returns the 16 bytes of MD5.
    package static func md5(_ bytes: [UInt8]) -> [UInt8] {
        var stream = MD5Stream()
        stream.update(bytes)
        return stream.finish()
    }

    /// Returns the 32 bytes of HMAC-SHA256; for many messages under one key keep an `HMACSHA256`.
    package static func hmacSHA256(key: [UInt8], message: [UInt8]) -> [UInt8] {
        HMACSHA256(key: key).code(for: message)
    }

    /// Returns the 20 bytes of HMAC-SHA1 (RFC 2104), for forms signed with Signature Version 2 only.
    package static func hmacSHA1(key: [UInt8], message: [UInt8]) -> [UInt8] {
        let blockSizeBytes = 64
        func sha1(_ bytes: [UInt8]) -> [UInt8] {
            var stream = SHA1Stream()
            unsafe bytes.withUnsafeBytes { unsafe stream.update($0) }
            return stream.finish()
        }
        var block = key.count > blockSizeBytes ? sha1(key) : key
        block.append(contentsOf: repeatElement(0, count: blockSizeBytes - block.count))
        return sha1(block.map { $0 ^ 0x5C } + sha1(block.map { $0 ^ 0x36 } + message))
    }

    /// Compares in a time that depends on the lengths only.
    package static func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        guard one.count == other.count else { return false }
        return unsafe one.withUnsafeBytes { first in
            unsafe other.withUnsafeBytes { second in
                unsafe first.isEmpty || CRYPTO_memcmp(first.baseAddress, second.baseAddress, first.count) == 0
            }
        }
    }

    /// Returns `count` bytes fit for keys and nonces.
    package static func randomBytes(_ count: Int) -> [UInt8] {
        unsafe bytes(count) { buffer in
            let done = unsafe RAND_bytes(buffer, Int32(count))
            // Without randomness every key and nonce made from here on would be guessable: better no process.
            precondition(done == 1, "the system gave no random bytes")
        }
    }

    /// Returns `count` bytes that `fill` writes, all of them.
    static func bytes(_ count: Int, fill: (UnsafeMutablePointer<UInt8>) -> Void) -> [UInt8] {
        guard count > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            guard let start = buffer.baseAddress else { return }
            unsafe fill(start)
            filled = count
        }
    }
}
