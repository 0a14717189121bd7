/// Every operation of the Amazon S3 API on general purpose buckets, by its name in the API Reference.
///
/// What the gateway does not do yet is here too, so that a request for it is recognised and refused by name instead of
/// being taken for another operation.
package enum S3Operation: String, CaseIterable, Sendable {
    // The service
    case listBuckets = "ListBuckets"

    // Buckets
    case createBucket = "CreateBucket"
    case headBucket = "HeadBucket"
    case deleteBucket = "DeleteBucket"
    case getBucketLocation = "GetBucketLocation"
    case listObjects = "ListObjects"
    case listObjectsV2 = "ListObjectsV2"
    case deleteObjects = "DeleteObjects"
    case listObjectVersions = "ListObjectVersions"
    case listMultipartUploads = "ListMultipartUploads"
    case postObject = "PostObject"
    case createSession = "CreateSession"

    case getBucketVersioning = "GetBucketVersioning"
    case putBucketVersioning = "PutBucketVersioning"
    case getBucketTagging = "GetBucketTagging"
    case putBucketTagging = "PutBucketTagging"
    case deleteBucketTagging = "DeleteBucketTagging"

    case getBucketLifecycle = "GetBucketLifecycleConfiguration"
    case putBucketLifecycle = "PutBucketLifecycleConfiguration"
    case deleteBucketLifecycle = "DeleteBucketLifecycle"

    // Other settings of buckets: read, write, remove
    case bucketSetting = "BucketSetting"

    // Objects
    case getObject = "GetObject"
    case headObject = "HeadObject"
    case putObject = "PutObject"
    case copyObject = "CopyObject"
    case deleteObject = "DeleteObject"
    case getObjectAttributes = "GetObjectAttributes"
    case getObjectTagging = "GetObjectTagging"
    case putObjectTagging = "PutObjectTagging"
    case deleteObjectTagging = "DeleteObjectTagging"
    case selectObjectContent = "SelectObjectContent"
    case restoreObject = "RestoreObject"
    case renameObject = "RenameObject"
    case objectSetting = "ObjectSetting"
    case preflight = "OPTIONS"

    // Multipart
    case createMultipartUpload = "CreateMultipartUpload"
    case uploadPart = "UploadPart"
    case uploadPartCopy = "UploadPartCopy"
    case completeMultipartUpload = "CompleteMultipartUpload"
    case abortMultipartUpload = "AbortMultipartUpload"
    case listParts = "ListParts"
}

/// What a request asks for: one operation and the names it speaks of.
package struct S3Route: Sendable {
    package let operation: S3Operation
    package let bucket: BucketName?
    package let key: ObjectKey?

    package init(_ operation: S3Operation, _ bucket: BucketName?, _ key: ObjectKey?) {
        self.operation = operation
        self.bucket = bucket
        self.key = key
    }

    /// Sub-resources that hold a setting of a bucket.
    ///
    /// Source: Amazon S3 API Reference, actions `GetBucket...`.
    private static let bucketSettings: [StaticString] = [
        "accelerate", "acl", "abac", "analytics", "cors", "encryption", "intelligent-tiering", "inventory",
        "logging", "metadataConfiguration", "metadataTable", "metrics", "notification", "object-lock",
        "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment",
        "website", "metadataInventoryTable", "metadataJournalTable",
    ]
    /// Sub-resources that hold a setting of an object.
    private static let objectSettings: [StaticString] = [
        "acl", "legal-hold", "retention", "torrent", "encryption",
    ]

    /// Sub-resources of a bucket that one method has; with another method the request is none of S3's, and must not be
    /// taken for the plain one: `DELETE /bucket?versions` deletes no bucket.
    private static let bucketSubresources: [(name: StaticString, method: HTTPMethod)] = [
        ("location", .get), ("versions", .get), ("uploads", .get), ("session", .get), ("delete", .post),
    ]
    /// The same of an object.
    private static let objectSubresources: [(name: StaticString, method: HTTPMethod)] = [
        ("attributes", .get), ("uploads", .post), ("select", .post), ("restore", .post), ("renameObject", .put),
    ]

    private static let allBucketSubresources =
        bucketSettings + bucketSubresources.map(\.name) + ["versioning", "tagging", "lifecycle"]
    private static let allObjectSubresources =
        objectSettings + objectSubresources.map(\.name) + ["tagging", "uploadId"]
    /// Parameters that speak of an object: a request without a key lost it, and `DELETE /bucket?versionId=...` must not
    /// delete the bucket.
    private static let objectOnly: [StaticString] = [
        "uploadId", "partNumber", "versionId", "attributes", "legal-hold", "retention", "restore", "select", "torrent",
        "renameObject",
    ]
    /// Sub-resources that no object has: `DELETE /bucket/key?policy` must not delete the object.
    private static let bucketOnly: [StaticString] =
        ["versioning", "lifecycle", "location", "versions", "delete"]
        + bucketSettings.filter { name in !objectSettings.contains { "\($0)" == "\(name)" } }

    /// Routes by method, path or host, and sub-resource.
    ///
    /// Throws `MethodNotAllowed` for a method that S3 does not know at that level, `InvalidBucketName` and
    /// `KeyTooLongError` for names that cannot exist.
    package init(routing request: HTTPRequest) throws(S3Error) {
        let (bucketBytes, keyBytes) = Self.split(request)
        guard !bucketBytes.isEmpty else {
            guard request.method == .get, keyBytes.isEmpty else { throw Self.notAllowed(request.method, but: [.get]) }
            (operation, bucket, key) = (.listBuckets, nil, nil)
            return
        }
        bucket = try BucketName(validating: bucketBytes)
        if keyBytes.isEmpty {
            key = nil
            operation = try Self.bucketOperation(request)
        } else {
            key = try ObjectKey(validating: keyBytes)
            operation = try Self.objectOperation(request)
        }
    }

    /// The bucket from the host (virtual-host style) or from the path, and the rest of the path as the key.
    private static func split(_ request: HTTPRequest) -> (bucket: [UInt8], key: [UInt8]) {
        let path = request.target.path
        if let bucket = hostBucket(request) { return (bucket, Array(path.dropFirst())) }
        let rest = path.dropFirst()
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return (Array(rest), []) }
        return (Array(rest[..<slash]), Array(rest[(slash + 1)...]))
    }

    /// The labels before one of the site's domains.
    ///
    /// Source: Amazon S3 User Guide, "Virtual hosting of buckets".
    private static func hostBucket(_ request: HTTPRequest) -> [UInt8]? {
        guard !request.site.domains.isEmpty, let host = request.headers["host"] else { return nil }
        let name = host.prefix { $0 != UInt8(ascii: ":") }.map { byte in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
        }
        for domain in request.site.domains {
            let suffix = Array(domain.utf8)
            guard name.count > suffix.count + 1, name.suffix(suffix.count).elementsEqual(suffix),
                name[name.count - suffix.count - 1] == UInt8(ascii: ".")
            else { continue }
            return Array(name.prefix(name.count - suffix.count - 1))
        }
        return nil
    }

    /// Returns the sub-resource as clients write it, such as `?acl`; nil when the operation is no setting.
    package func settingName(in target: RequestTarget) -> String? {
        let names: [StaticString]
        switch operation {
        case .bucketSetting: names = Self.bucketSettings
        case .objectSetting: names = Self.objectSettings
        default: return nil
        }
        return names.first(where: target.has).map { "?\($0)" }
    }

    /// Throws `InvalidArgument` when two sub-resources are named: S3 does not choose between them.
    private static func checkOne(_ names: [StaticString], in target: RequestTarget) throws(S3Error) {
        let found = names.filter(target.has).map { "\($0)" }.sorted()
        guard found.count > 1 else { return }
        throw S3Error(.invalidArgument, "Conflicting query string parameters: \(found.joined(separator: ", "))")
            .detail("ArgumentName", "ResourceType").detail("ArgumentValue", found[0])
    }

    private static func bucketOperation(_ request: HTTPRequest) throws(S3Error) -> S3Operation {
        let target = request.target
        if request.method == .options { return .preflight }
        guard !objectOnly.contains(where: target.has) else { throw S3Error(.invalidRequest, "A key must be specified") }
        if target.query.count > 1 { try checkOne(allBucketSubresources, in: target) }
        if target.has("versioning") {
            return try setting(request.method, read: .getBucketVersioning, write: .putBucketVersioning)
        }
        if target.has("tagging") {
            return try setting(
                request.method, read: .getBucketTagging, write: .putBucketTagging, remove: .deleteBucketTagging)
        }
        if target.has("lifecycle") {
            return try setting(
                request.method, read: .getBucketLifecycle, write: .putBucketLifecycle, remove: .deleteBucketLifecycle)
        }
        if bucketSettings.contains(where: target.has) { return .bucketSetting }
        if let named = bucketSubresources.first(where: { target.has($0.name) && $0.method != request.method }) {
            throw notAllowed(request.method, but: [named.method])
        }
        switch request.method {
        case .get:
            if target.has("location") { return .getBucketLocation }
            if target.has("versions") { return .listObjectVersions }
            if target.has("uploads") { return .listMultipartUploads }
            if target.has("session") { return .createSession }
            return target.queryText("list-type") == "2" ? .listObjectsV2 : .listObjects
        case .head: return .headBucket
        case .put: return .createBucket
        case .delete: return .deleteBucket
        case .post: return target.has("delete") ? .deleteObjects : .postObject
        case .options, .other: throw notAllowed(request.method, but: [.get, .head, .put, .post, .delete])
        }
    }

    /// A 405 says what would do (RFC 9110 15.5.6).
    private static func notAllowed(_ method: HTTPMethod, but allowed: [HTTPMethod]) -> S3Error {
        S3Error(.methodNotAllowed).detail("Method", method.text)
            .header("Allow", allowed.map(\.text).joined(separator: ", "))
    }

    /// Throws `MethodNotAllowed` for a method that the setting does not have.
    private static func setting(
        _ method: HTTPMethod, read: S3Operation, write: S3Operation, remove: S3Operation? = nil
    ) throws(S3Error) -> S3Operation {
        switch method {
        case .get: return read
        case .put: return write
        case .delete: if let remove { return remove }
        default: break
        }
        throw notAllowed(method, but: remove == nil ? [.get, .put] : [.get, .put, .delete])
    }

    private static func objectOperation(_ request: HTTPRequest) throws(S3Error) -> S3Operation {
        let target = request.target
        if request.method == .options { return .preflight }
        if target.query.count > 1 { try checkOne(allObjectSubresources, in: target) }
        let isRead = request.method == .get || request.method == .head
        guard isRead || !bucketOnly.contains(where: target.has) else {
            throw notAllowed(request.method, but: [.get, .head])
        }
        if request.method == .put, target.has("versionId"), !target.has("tagging"),
            !objectSettings.contains(where: target.has)
        {
            throw S3Error(.invalidArgument, "This operation does not accept a version-id.")
                .detail("ArgumentName", "versionId")
                .detail("ArgumentValue", target.queryText("versionId") ?? "")
        }
        if target.has("tagging") {
            return try setting(
                request.method, read: .getObjectTagging, write: .putObjectTagging, remove: .deleteObjectTagging)
        }
        if objectSettings.contains(where: target.has) { return .objectSetting }
        if let named = objectSubresources.first(where: { target.has($0.name) && $0.method != request.method }) {
            throw notAllowed(request.method, but: [named.method])
        }
        let isPart = target.has("uploadId")
        let copies = request.headers["x-amz-copy-source"] != nil
        switch request.method {
        case .get:
            if isPart { return .listParts }
            return target.has("attributes") ? .getObjectAttributes : .getObject
        case .head: return .headObject
        case .put:
            if isPart || target.has("partNumber") { return copies ? .uploadPartCopy : .uploadPart }
            if target.has("renameObject") { return .renameObject }
            return copies ? .copyObject : .putObject
        case .post:
            if target.has("uploads") { return .createMultipartUpload }
            if isPart { return .completeMultipartUpload }
            if target.has("select") { return .selectObjectContent }
            if target.has("restore") { return .restoreObject }
            throw notAllowed(request.method, but: plainMethods)
        case .delete: return isPart ? .abortMultipartUpload : .deleteObject
        case .options, .other: throw notAllowed(request.method, but: plainMethods)
        }
    }

    /// Of an object without a sub-resource.
    private static let plainMethods: [HTTPMethod] = [.get, .head, .put, .delete]
}
