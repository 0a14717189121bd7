import Core

/// Verifying one request's signature, with the signing key already cached.
struct SignatureBenchmark {
    private let authenticator = Authenticator(signingKeys: SigningKeyCache())
    private let client = SigningClient()

    func run() throws -> [Measurement] {
        let path = "/bench/read/small-0001"
        let inHeader = try client.signedInHeader(
            "GET", path: path, payloadHash: String(decoding: Hex.encode(Crypto.sha256([])), as: UTF8.self))
        let inQuery = try client.presigned(path: path)
        return [
            try Measurement("SigV4 in the header, cached key") { try verify(inHeader) },
            try Measurement("SigV4 in a presigned URL, cached key") { try verify(inQuery) },
        ]
    }

    /// Returns how the body of a signed request is to be verified.
    @discardableResult
    func verify(_ request: HTTPRequest) throws -> PayloadMode {
        var request = request
        let answer = try authenticator.authenticate(&request, now: request.receivedAt) { accessKeyID in
            accessKeyID == SigningClient.credential.accessKeyID ? SigningClient.credential : nil
        }
        guard case .signed(_, let payload) = answer else { fatalError("the benchmark's request is not signed") }
        return payload
    }
}
