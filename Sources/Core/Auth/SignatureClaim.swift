/// What a request claims about its signature, wherever it stood.
///
/// Nothing in it is verified yet.
struct SignatureClaim {
    let scope: CredentialScope
    /// The names as sent: lower case, separated by `;`.
    let signedHeaders: [UInt8]
    /// 64 lower-case hex digits when it is any good.
    let signature: [UInt8]
    /// The moment of signing, as `20130524T000000Z`.
    let date: [UInt8]
    let moment: Timestamp
}
