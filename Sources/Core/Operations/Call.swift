import Logging

/// One authenticated request on its way through an operation.
package struct Call: Sendable {
    package let request: HTTPRequest
    package let route: S3Route
    package let tenant: Tenant
    package let payload: PayloadMode
    package let snapshot: WorldSnapshot
    package let world: World
    /// What a form upload brought; nil for every other request.
    package var form: SignedForm?
    /// Where an operation that may take long puts the head with which its answer may begin; nil for the others.
    package var earlyHead: EarlyHead?
    /// Nobody has looked yet whether `snapshot` is still how things are: `VersionLookup` does.
    package var isWorldAssumed = false

    package var database: Database { world.database }

    /// Returns the bucket the request names; `NoSuchBucket` when this tenant has none of that name.
    func bucket() throws(S3Error) -> Bucket {
        guard let name = route.bucket else { throw S3Error(.internalError, cause: "the route names no bucket") }
        guard let bucket = try snapshot.bucket(name, of: tenant.id) else {
            throw S3Error(.noSuchBucket).detail("BucketName", name.text)
        }
        return bucket
    }

    func key() throws(S3Error) -> ObjectKey {
        guard let key = route.key else { throw S3Error(.internalError, cause: "the route names no key") }
        return key
    }

    /// Verifies the body and returns it decoded; for the XML documents that S3 takes.
    ///
    /// Throws `MaxMessageLengthExceeded` above `limitBytes`, and what `PayloadVerifier` throws.
    func document(limitBytes: Int = XMLReader.maximumBytes, claimsBody: Bool = true) throws(S3Error) -> [UInt8] {
        try PayloadVerifier.verify(request, mode: payload, wantMD5: false, claimsBody: claimsBody)
            .bytes(atMost: limitBytes)
    }

    /// A head with the headers every answer has.
    func head(_ status: Int, contentLength: Int64? = 0) -> ResponseHead {
        var head = ResponseHead(status: status, contentLength: contentLength)
        head.add("x-amz-request-id", request.id.description)
        head.add("x-amz-id-2", request.id.hostID)
        return head
    }
}

/// What an operation answers when it does not stream.
package struct Answer: Sendable {
    package var head: ResponseHead
    package var body: [UInt8]

    init(_ head: ResponseHead, body: [UInt8] = []) {
        self.head = head
        self.body = body
    }

    init(_ call: Call, document: XMLWriter) {
        head = call.head(200)
        head.add("Content-Type", "application/xml")
        body = document.bytes
    }
}

extension Call {
    /// The fields under which log lines of this request are found: never a header, never a query.
    var log: Logger { Self.logger }
    private static let logger = Logger(label: "s3gw.operation")

    var logMetadata: Logger.Metadata {
        ["request": "\(request.id)", "operation": "\(route.operation.rawValue)", "tenant": "\(tenant.name)"]
    }

    func logMetadata(cause: String) -> Logger.Metadata {
        var metadata = logMetadata
        metadata["cause"] = "\(cause)"
        return metadata
    }
}
