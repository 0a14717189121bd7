import Core
import Glibc

/// Makes an `HTTPRequest` from the parameters and the body that nginx sent.
struct RequestReader {
    enum Outcome {
        case request(HTTPRequest)
        case refusal(S3Error, rawPath: [UInt8], id: RequestID)
    }

    /// How much longer than the object an aws-chunked body may be: its framing and its trailers.
    private static let framingShare: Int64 = 64
    private static let framingBytes: Int64 = 1 << 20

    private var sites: SiteParameters
    private var spool: BodySpool

    init(sites: SiteParameters, spool: BodySpool) {
        self.sites = sites
        self.spool = spool
    }

    /// Reads one request; the caller answers either outcome, and then calls `finish`.
    mutating func read(_ slot: inout FastCGISlot) -> Outcome {
        let id = RequestID()
        let receivedAt = Timestamp.now()
        var parameters = RequestParameters()
        unsafe slot.forEachParameter { unsafe parameters.add($0) }
        parameters.complete()
        slot.isHEAD = parameters.method == .head
        let rawTarget = parameters.rawTarget
        do throws(S3Error) {
            if let error = parameters.error { throw error }
            try parameters.requireOneHost()
            let site = try sites.settings(raw: parameters.siteParameters)
            let target = try RequestTarget(parsing: rawTarget)
            let body = try body(parameters, site, slot)
            return .request(
                HTTPRequest(
                    id: id, method: parameters.method, target: target, headers: parameters.headers, body: body,
                    site: site, isHTTPS: parameters.isHTTPS, remoteAddress: parameters.remoteAddress,
                    receivedAt: receivedAt))
        } catch {
            return .refusal(error, rawPath: Array(rawTarget.prefix { $0 != UInt8(ascii: "?") }), id: id)
        }
    }

    mutating func finish() { spool.finish() }

    private mutating func body(
        _ parameters: RequestParameters, _ site: SiteSettings, _ slot: borrowing FastCGISlot
    ) throws(S3Error) -> RequestBody {
        let expected = try parameters.contentLength()
        if !parameters.bodyFile.isEmpty {
            try spool.requireEmpty(slot)
            return try Self.file(parameters.bodyFile, expectedBytes: expected, slot)
        }
        let limit = site.maximumPutSizeBytes
        return try spool.read(
            slot, expectedBytes: expected, maximumBytes: limit + limit / Self.framingShare + Self.framingBytes)
    }

    /// nginx's own spool file (`client_body_in_file_only clean`): it is complete and stays until the request ends.
    ///
    /// Throws `InternalError` when it cannot be read, and `IncompleteBody`, which nobody gets, when the client has left.
    private static func file(
        _ path: String, expectedBytes: Int64?, _ slot: borrowing FastCGISlot
    ) throws(S3Error) -> RequestBody {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            let code = errno
            guard code != ENOENT || !slot.hasPeerLeft() else { throw S3Error.clientLeft }
            let cause = "nginx's body file cannot be read: \(SystemError.text(code)); see docs/nginx.md"
            throw S3Error(.internalError, cause: cause)
        }
        let size = Int64(status.st_size)
        guard expectedBytes == nil || expectedBytes == size else {
            throw S3Error(
                .incompleteBody, cause: "nginx's body file has \(size) bytes instead of \(expectedBytes ?? 0)")
        }
        return size == 0 ? .empty : .file(path: path, sizeBytes: size)
    }
}
