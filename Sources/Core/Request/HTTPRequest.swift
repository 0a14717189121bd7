/// One HTTP request as nginx handed it over, checked for form and not yet for meaning.
package struct HTTPRequest: Sendable {
    package let id: RequestID
    package let method: HTTPMethod
    package let target: RequestTarget
    package var headers: HeaderFields
    package var body: RequestBody
    package let site: SiteSettings
    package let isHTTPS: Bool
    package let remoteAddress: String
    package let receivedAt: Timestamp

    package init(
        id: RequestID, method: HTTPMethod, target: RequestTarget, headers: HeaderFields, body: RequestBody,
        site: SiteSettings, isHTTPS: Bool, remoteAddress: String, receivedAt: Timestamp
    ) {
        self.id = id
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.site = site
        self.isHTTPS = isHTTPS
        self.remoteAddress = remoteAddress
        self.receivedAt = receivedAt
    }
}

/// The request method; S3 uses six, everything else is kept as text for the refusal.
package enum HTTPMethod: Hashable, Sendable {
    case get, head, put, post, delete, options
    case other(String)

    package init(_ text: String) {
        self =
            switch text {
            case "GET": .get
            case "HEAD": .head
            case "PUT": .put
            case "POST": .post
            case "DELETE": .delete
            case "OPTIONS": .options
            default: .other(text)
            }
    }

    package var text: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .put: "PUT"
        case .post: "POST"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other(let text): text
        }
    }
}

/// The request body as it arrived, before any aws-chunked decoding.
///
/// It is complete: nginx or the adapter spooled it.
package enum RequestBody: Sendable {
    case empty
    case memory([UInt8])
    /// A file that stays readable until the request is finished; `sizeBytes` is its length when it was handed over.
    case file(path: String, sizeBytes: Int64)
    /// `sizeBytes` bytes of such a file from `offset` on: the file field of a form upload.
    case filePart(path: String, offset: Int64, sizeBytes: Int64)

    package var sizeBytes: Int64 {
        switch self {
        case .empty: 0
        case .memory(let bytes): Int64(bytes.count)
        case .file(_, let sizeBytes), .filePart(_, _, let sizeBytes): sizeBytes
        }
    }
}

/// What nginx's `fastcgi_param S3GW_*` lines say about the site a request came through.
package struct SiteSettings: Hashable, Sendable {
    /// The region that signatures must name, and that `GetBucketLocation` answers for buckets without a constraint.
    package var region: String
    /// Domains below which a host label names a bucket (virtual-host style), lower case, without port.
    package var domains: [String]
    /// Largest object accepted in one PUT, in bytes.
    ///
    /// AWS: 5 GiB ("Amazon S3 multipart upload limits").
    package var maximumPutSizeBytes: Int64

    /// Whether a form upload may be signed with Signature Version 2, which is HMAC-SHA1 without a scope.
    package var allowsSignatureV2: Bool
    /// Names of the backends whose small objects nginx fetches itself; see `HandOff`.
    package var handOffBackends: Set<String>

    /// What is near to the site, the nearest first: reads prefer replicas on backends that stand there.
    package var near: [LocationSelector]

    package static let defaultMaximumPutSizeBytes: Int64 = 5 << 30

    package init(
        region: String = "us-east-1", domains: [String] = [],
        maximumPutSizeBytes: Int64 = SiteSettings.defaultMaximumPutSizeBytes, allowsSignatureV2: Bool = false,
        near: [LocationSelector] = [],
        handOffBackends: Set<String> = []
    ) {
        self.region = region
        self.domains = domains
        self.maximumPutSizeBytes = maximumPutSizeBytes
        self.allowsSignatureV2 = allowsSignatureV2
        self.near = near
        self.handOffBackends = handOffBackends
    }
}
