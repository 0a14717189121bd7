private import COpenSSL

/// Signatures of Ed25519 (RFC 8032), for what is shown to third parties.
package enum Ed25519 {
    /// Of a private key, which is any 32 random bytes, and of a public one.
    package static let keySizeBytes = 32
    package static let signatureSizeBytes = 64
    /// What comes before the 32 bytes of a public key in its DER form (RFC 8410 4).
    private static let subjectPublicKeyInfo: [UInt8] = [
        0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
    ]

    /// Returns a fresh private key.
    package static func makePrivateKey() -> [UInt8] { Crypto.randomBytes(keySizeBytes) }

    /// Returns the 32 bytes that verify what `privateKey` signs; nil when that is no key.
    package static func publicKey(of privateKey: [UInt8]) -> [UInt8]? {
        guard let key = unsafe key(privateKey, isPrivate: true) else { return nil }
        defer { unsafe EVP_PKEY_free(key) }
        var bytes = [UInt8](repeating: 0, count: keySizeBytes)
        var count = bytes.count
        guard unsafe EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, count == keySizeBytes else { return nil }
        return bytes
    }

    /// Returns the 64 bytes of the signature; nil when `privateKey` is no key.
    package static func sign(_ message: [UInt8], privateKey: [UInt8]) -> [UInt8]? {
        guard let key = unsafe key(privateKey, isPrivate: true) else { return nil }
        defer { unsafe EVP_PKEY_free(key) }
        guard let context = unsafe EVP_MD_CTX_new() else { return nil }
        defer { unsafe EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: signatureSizeBytes)
        var count = signature.count
        guard unsafe EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
            unsafe EVP_DigestSign(context, &signature, &count, message, message.count) == 1,
            count == signatureSizeBytes
        else { return nil }
        return signature
    }

    package static func isValid(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
        guard signature.count == signatureSizeBytes, let key = unsafe key(publicKey, isPrivate: false) else {
            return false
        }
        defer { unsafe EVP_PKEY_free(key) }
        guard let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        guard unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return false }
        return unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    /// Returns a public key as openssl reads it, with a line feed at the end.
    package static func pem(_ publicKey: [UInt8]) -> String {
        let text = String(decoding: Base64.encode(subjectPublicKeyInfo + publicKey), as: UTF8.self)
        return "-----BEGIN PUBLIC KEY-----\n\(text)\n-----END PUBLIC KEY-----\n"
    }

    private static func key(_ bytes: [UInt8], isPrivate: Bool) -> OpaquePointer? {
        guard bytes.count == keySizeBytes else { return nil }
        return isPrivate
            ? unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
            : unsafe EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
    }
}
