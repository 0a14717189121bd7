private import Synchronization

/// A key that signs for one access key, day, region and service.
///
/// Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header", task 3.
struct SigningKey: Sendable {
    private let code: HMACSHA256

    /// Derives the key; `date` is eight digits.
    init(secret: [UInt8], date: some Sequence<UInt8>, region: [UInt8], service: [UInt8] = CredentialScope.service) {
        code = HMACSHA256(key: Self.bytes(secret: secret, date: date, region: region, service: service))
    }

    /// The 32 bytes of the key.
    static func bytes(
        secret: [UInt8], date: some Sequence<UInt8>, region: [UInt8], service: [UInt8]
    ) -> [UInt8] {
        var key = Crypto.hmacSHA256(key: Array("AWS4".utf8) + secret, message: Array(date))
        for part in [region, service, CredentialScope.terminator] { key = Crypto.hmacSHA256(key: key, message: part) }
        return key
    }

    /// Returns the signature of `text` as 64 lower-case hex digits.
    ///
    /// `text` is a string to sign, or the base64 policy of a form upload (Amazon S3 API Reference, "Authenticating
    /// Requests in Browser-Based Uploads Using POST").
    func signature(of text: [UInt8]) -> [UInt8] { Hex.encode(code.code(for: text)) }
}

/// The signing keys in use, so that a request costs one HMAC and not five.
///
/// Shared by all threads of a process.
package final class SigningKeyCache: Sendable {
    private struct Name: Hashable {
        let accessKeyID: String
        let secret: [UInt8]
        let date: [UInt8]
        let region: [UInt8]

        func hash(into hasher: inout Hasher) {
            hasher.combine(accessKeyID)
            hasher.combine(date)
        }
    }

    private let keys = Mutex<[Name: SigningKey]>([:])
    private let capacity: Int

    /// More keys than are in use on one day: with 1 KiB for each, 4 MiB at most.
    package static let defaultCapacity = 4096

    package init(capacity: Int = SigningKeyCache.defaultCapacity) { self.capacity = capacity }

    /// Returns the key, deriving it outside the lock when it is not cached yet.
    func key(accessKeyID: String, secret: [UInt8], date: [UInt8], region: [UInt8]) -> SigningKey {
        let name = Name(accessKeyID: accessKeyID, secret: secret, date: date, region: region)
        if let key = keys.withLock({ $0[name] }) { return key }
        let key = SigningKey(secret: secret, date: date, region: region)
        keys.withLock { keys in
            if keys.count >= capacity { keys.removeAll(keepingCapacity: true) }
            keys[name] = key
        }
        return key
    }

    /// How many keys are held.
    package var count: Int { keys.withLock { $0.count } }
}
