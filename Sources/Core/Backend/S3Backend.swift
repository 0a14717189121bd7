/// A store that speaks S3, over libcurl.
///
/// Bodies go out plain, with Content-Length, signed with the known SHA-256 or as `UNSIGNED-PAYLOAD`: over TLS the
/// transport protects them; over plain http a body whose SHA-256 is not known is protected by Content-MD5 and by the
/// comparison of ETags only. Never a transfer coding, never aws-chunked: several stores keep the framing as data.
package final class S3Backend: Backend {
    package let record: BackendRecord
    let endpoint: StoreEndpoint
    private let pathStyleHost: String
    let client: CurlClient
    let signer: RequestSigner
    /// What the last probe found; see `BackendAbilities.conditionalGet`.
    let checksIfMatch: Bool

    /// One request before it is signed.
    struct StoreCall {
        var method: TransferRequest.Method
        var bucket: String?
        /// Physical key, as bytes; empty for the bucket itself.
        var key: [UInt8] = []
        var query: [(name: String, value: [UInt8])] = []
        var headers: [(name: String, value: String)] = []
        /// Hex digits, or `UNSIGNED-PAYLOAD`.
        var payloadHash = S3Backend.emptyHash
        var bodySizeBytes: Int64 = 0
        var duration = Duration.small
        var patience = ReadPatience.usual

        enum Duration {
            /// Moves no object.
            case small
            /// Moves an object: bounded by its stalls only.
            case transfer
            /// The store works before it answers.
            case long
        }
    }

    static let emptyHash = Hex.text(Crypto.sha256([]))
    static let unsignedPayload = "UNSIGNED-PAYLOAD"
    private static let longestBucketName = 63
    private static let usualPathBytes = 128

    /// Throws `InvalidArgument` for an endpoint that may not be used, or without credentials.
    package init(
        _ record: BackendRecord, secret: [UInt8], deadlines: TransferDeadlines = TransferDeadlines()
    ) throws(S3Error) {
        guard let accessKeyID = record.accessKeyID, !accessKeyID.isEmpty, !secret.isEmpty,
            accessKeyID.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw S3Error(.invalidArgument, "An s3 backend needs an access key and its secret.") }
        self.record = record
        endpoint = try StoreEndpoint(parsing: record.endpoint)
        pathStyleHost = endpoint.authority(bucket: nil)
        client = CurlClient(isHTTPS: endpoint.isHTTPS, caFile: record.caFile, deadlines: deadlines)
        signer = RequestSigner(accessKeyID: accessKeyID, secret: secret, region: record.signingRegion)
        checksIfMatch = BackendAbilities.says("conditionalGet", record.abilities)
    }

    // MARK: Sending

    /// Signs and sends `call`; returns the head of the answer, whatever its status.
    func send(_ call: StoreCall, _ exchange: TransferExchange) throws(BackendError) -> TransferHead {
        if let bucket = call.bucket, !Self.isBucketName(bucket) { throw failure(.refused, "not a bucket name") }
        let deadlines = client.deadlines
        exchange.bodySizeBytes = call.bodySizeBytes
        if call.duration == .transfer, call.method == .get {
            let isLast = call.patience == .last
            exchange.answerMilliseconds = Int64(
                isLast ? deadlines.lastFirstByteMilliseconds : deadlines.firstByteMilliseconds)
        } else {
            exchange.answerMilliseconds += call.bodySizeBytes / deadlines.durableBytesPerMillisecond
        }
        do throws(TransferFailure) { return try client.perform(signed(call), exchange) } catch {
            let kind: BackendError.Kind =
                switch error.reason {
                case .unreachable, .hostile: .unavailable
                case .cut: .short
                case .stopped: .stopped
                }
            throw BackendError(
                kind, backend: record.name, "\(call.method.rawValue): \(error.text)", isHang: error.isHang)
        }
    }

    /// Sends a call without a body of interest; throws unless the answer is 2xx.
    func send(_ call: StoreCall) throws(BackendError) -> TransferHead {
        let exchange = client.exchange()
        let head = try send(call, exchange)
        guard head.isSuccess else { throw refusal(call, head, exchange.errorBody) }
        return head
    }

    func signed(_ call: StoreCall) -> TransferRequest {
        let host = host(call)
        let path = path(call)
        let query = call.query.map { (name: Array($0.name.utf8), value: $0.value) }
        let now = Timestamp.now()
        let authorization = signer.sign(
            method: call.method.rawValue, host: host, path: path, query: query,
            headers: call.headers.map { ($0.name, Array($0.value.utf8)) }, payloadHash: call.payloadHash, at: now)
        let headers =
            [
                ("Host", host), ("x-amz-date", now.iso8601Basic), ("x-amz-content-sha256", call.payloadHash),
                ("Authorization", authorization),
            ] + call.headers
        let deadlines = client.deadlines
        let totalMilliseconds =
            switch call.duration {
            case .small: deadlines.smallCallMilliseconds
            case .transfer: 0
            case .long: deadlines.longCallMilliseconds
            }
        return TransferRequest(
            method: call.method, origin: "\(endpoint.scheme)://\(host)", target: Self.target(path, query),
            headers: headers.map { (name: $0.0, value: $0.1) }, bodySizeBytes: call.bodySizeBytes,
            totalMilliseconds: totalMilliseconds)
    }

    /// What the `Host` header says.
    func host(_ call: StoreCall) -> String {
        record.addressing == .virtual ? endpoint.authority(bucket: call.bucket) : pathStyleHost
    }

    /// The percent-encoded path, with the bucket unless that stands in the host.
    func path(_ call: StoreCall) -> [UInt8] {
        var path: [UInt8] = []
        path.reserveCapacity(Self.usualPathBytes + call.key.count)
        path.append(UInt8(ascii: "/"))
        if let bucket = call.bucket, record.addressing != .virtual {
            path.append(contentsOf: bucket.utf8)
            if !call.key.isEmpty { path.append(UInt8(ascii: "/")) }
        }
        URIEncoding.append(call.key, keepingSlash: true, to: &path)
        return path
    }

    private static func target(_ path: [UInt8], _ query: [(name: [UInt8], value: [UInt8])]) -> String {
        var target = path
        for (index, pair) in query.enumerated() {
            target.append(index == 0 ? UInt8(ascii: "?") : UInt8(ascii: "&"))
            URIEncoding.append(pair.name, keepingSlash: false, to: &target)
            target.append(UInt8(ascii: "="))
            URIEncoding.append(pair.value, keepingSlash: false, to: &target)
        }
        return String(decoding: target, as: UTF8.self)
    }

    /// Adopted buckets may have upper case and underscores; what could change the host or the path may not pass.
    private static func isBucketName(_ name: String) -> Bool {
        (1...longestBucketName).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: ".")
            && name.utf8.allSatisfy {
                (0x61...0x7A).contains(ASCII.lower($0)) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x2E
                    || $0 == 0x5F
            }
    }

    // MARK: Errors

    func failure(_ kind: BackendError.Kind, _ cause: String) -> BackendError {
        BackendError(kind, backend: record.name, cause)
    }

    /// What an answer that is no success means; `body` is its error document, if it has one.
    func refusal(_ call: StoreCall, _ head: TransferHead, _ body: [UInt8]) -> BackendError {
        let code = StoreAnswer.errorCode(body)
        let kind: BackendError.Kind =
            switch (head.status, code) {
            case (507, _), (_, "QuotaExceeded"), (_, "XMinioStorageFull"): .full
            case (404, _): .missing
            case (501, _): .refused
            case (_, "RequestTimeout"), (_, "SlowDown"), (_, "ServiceUnavailable"), (408, _), (429, _), (500..., _):
                .unavailable
            #if S3GW_PLANTED_BUGS
                case (_, "RequestTimeTooSkewed") where PlantedBug.skewedIsMissing.isOn: .missing
            #endif
            // A clock that was set wrong is set right again: not a reason to give anything up.
            case (_, "RequestTimeTooSkewed"): .unavailable
            case (409, _): .conflict
            case (_, "BadDigest"), (_, "XAmzContentSHA256Mismatch"), (416, _): .damaged
            default: .refused
            }
        var cause = "\(call.method.rawValue) answered \(head.status)"
        if let code { cause += " \(code)" }
        if code == "RequestTimeTooSkewed" {
            cause += ": our clock (\(Timestamp.now().httpDate)) and the store's"
            cause += " (\(head.text("date") ?? "unknown")) differ too much"
        }
        if (300...399).contains(head.status) {
            cause += ": redirects are not followed; check the endpoint and the signing region"
            if let region = head.text("x-amz-bucket-region") { cause += " (the store says \(region))" }
        }
        if let id = head.text("x-amz-request-id") { cause += ", request id \(id.prefix(80))" }
        return failure(kind, cause)
    }
}
