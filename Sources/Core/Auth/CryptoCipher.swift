private import COpenSSL

/// AES-256 in Galois/Counter Mode (NIST SP 800-38D), for small secrets.
package enum AES256GCM {
    package static let keySizeBytes = 32
    package static let nonceSizeBytes = 12
    package static let tagSizeBytes = 16

    /// Returns the cipher text followed by the tag.
    ///
    /// A nonce must never be used twice with one key.
    package static func seal(_ plain: [UInt8], key: [UInt8], nonce: [UInt8], authenticating data: [UInt8]) -> [UInt8] {
        guard let sealed = run(plain, key: key, nonce: nonce, data: data, tag: nil) else {
            preconditionFailure("AES-256-GCM cannot encrypt")
        }
        return sealed
    }

    /// Returns the plain text, or nil when any bit of `sealed`, the key, the nonce or `data` differs.
    package static func open(
        _ sealed: [UInt8], key: [UInt8], nonce: [UInt8], authenticating data: [UInt8]
    ) -> [UInt8]? {
        guard sealed.count >= tagSizeBytes else { return nil }
        return run(
            Array(sealed.dropLast(tagSizeBytes)), key: key, nonce: nonce, data: data, tag: sealed.suffix(tagSizeBytes))
    }

    /// Encrypts and appends the tag when `tag` is nil, else decrypts and checks it.
    private static func run(
        _ input: [UInt8], key: [UInt8], nonce: [UInt8], data: [UInt8], tag: ArraySlice<UInt8>?
    ) -> [UInt8]? {
        precondition(key.count == keySizeBytes && nonce.count == nonceSizeBytes, "wrong key or nonce size")
        guard let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        let direction: Int32 = tag == nil ? 1 : 0
        guard unsafe EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce, direction) == 1 else { return nil }
        var written: Int32 = 0
        if !data.isEmpty {
            guard unsafe EVP_CipherUpdate(context, nil, &written, data, Int32(data.count)) == 1 else { return nil }
        }
        var output = [UInt8](repeating: 0, count: input.count + tagSizeBytes)
        var sizeBytes = 0
        if !input.isEmpty {
            guard unsafe EVP_CipherUpdate(context, &output, &written, input, Int32(input.count)) == 1 else {
                return nil
            }
            sizeBytes = Int(written)
        }
        var tagBytes = tag.map(Array.init) ?? [UInt8](repeating: 0, count: tagSizeBytes)
        if tag != nil {
            guard unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, Int32(tagSizeBytes), &tagBytes) == 1 else {
                return nil
            }
        }
        var rest = [UInt8](repeating: 0, count: tagSizeBytes)
        guard unsafe EVP_CipherFinal_ex(context, &rest, &written) == 1, written == 0 else { return nil }
        output.removeLast(output.count - sizeBytes)
        if tag == nil {
            guard unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, Int32(tagSizeBytes), &tagBytes) == 1 else {
                return nil
            }
            output.append(contentsOf: tagBytes)
        }
        return output
    }
}
