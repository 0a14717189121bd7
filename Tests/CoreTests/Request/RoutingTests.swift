import Core
import Testing

@Suite struct RoutingTests {
    private func route(
        _ method: String, _ uri: String, host: String = "s3.example.com", headers: [(String, String)] = []
    ) throws(S3Error) -> S3Route {
        var fields = HeaderFields()
        try fields.add("host", Array(host.utf8))
        for (name, value) in headers { try fields.add(name, Array(value.utf8)) }
        return try S3Route(
            routing: HTTPRequest(
                id: RequestID(), method: HTTPMethod(method), target: try RequestTarget(parsing: Array(uri.utf8)),
                headers: fields, body: .empty, site: SiteSettings(domains: ["s3.example.com"]), isHTTPS: true,
                remoteAddress: "127.0.0.1", receivedAt: .now()))
    }

    @Test(arguments: [
        ("GET", "/", "ListBuckets"), ("PUT", "/bucket", "CreateBucket"), ("PUT", "/bucket/", "CreateBucket"),
        ("HEAD", "/bucket", "HeadBucket"), ("DELETE", "/bucket", "DeleteBucket"),
        ("GET", "/bucket?location", "GetBucketLocation"), ("GET", "/bucket", "ListObjects"),
        ("GET", "/bucket?list-type=2", "ListObjectsV2"), ("GET", "/bucket?list-type=3", "ListObjects"),
        ("POST", "/bucket?delete", "DeleteObjects"), ("GET", "/bucket?versions", "ListObjectVersions"),
        ("GET", "/bucket?uploads", "ListMultipartUploads"), ("POST", "/bucket", "PostObject"),
        ("GET", "/bucket?acl", "BucketSetting"), ("PUT", "/bucket?versioning", "PutBucketVersioning"),
        ("PUT", "/bucket?policy", "BucketSetting"), ("GET", "/bucket/k", "GetObject"),
        ("HEAD", "/bucket/k", "HeadObject"),
        ("PUT", "/bucket/k", "PutObject"), ("DELETE", "/bucket/k", "DeleteObject"),
        ("GET", "/bucket/k?attributes", "GetObjectAttributes"), ("PUT", "/bucket/k?tagging", "PutObjectTagging"),
        ("GET", "/bucket?lifecycle", "GetBucketLifecycleConfiguration"),
        ("PUT", "/bucket?lifecycle", "PutBucketLifecycleConfiguration"),
        ("DELETE", "/bucket?lifecycle", "DeleteBucketLifecycle"),
        ("DELETE", "/bucket?tagging", "DeleteBucketTagging"), ("PUT", "/bucket/k?acl", "ObjectSetting"),
        ("POST", "/bucket/k?uploads", "CreateMultipartUpload"),
        ("PUT", "/bucket/k?partNumber=1&uploadId=u", "UploadPart"),
        ("PUT", "/bucket/k?partNumber=1", "UploadPart"), ("POST", "/bucket/k?uploadId=u", "CompleteMultipartUpload"),
        ("DELETE", "/bucket/k?uploadId=u", "AbortMultipartUpload"), ("GET", "/bucket/k?uploadId=u", "ListParts"),
        ("POST", "/bucket/k?select&select-type=2", "SelectObjectContent"),
        ("POST", "/bucket/k?restore", "RestoreObject"),
    ])
    func `a request is one operation`(method: String, uri: String, operation: String) throws {
        #expect(try route(method, uri).operation.rawValue == operation)
    }

    @Test func `a copy source makes a copy of a write`() throws {
        let source = [("x-amz-copy-source", "/a/b")]
        #expect(try route("PUT", "/bucket/k", headers: source).operation == .copyObject)
        #expect(try route("PUT", "/bucket/k?partNumber=1&uploadId=u", headers: source).operation == .uploadPartCopy)
    }

    @Test(arguments: [("PATCH", "/bucket/k"), ("POST", "/"), ("PUT", "/"), ("TRACE", "/bucket"), ("POST", "/bucket/k")])
    func `a method S3 does not know is not allowed`(method: String, uri: String) {
        #expect(code { _ = try route(method, uri) } == .methodNotAllowed)
    }

    @Test(arguments: [
        ("DELETE", "/bucket?versions"), ("PUT", "/bucket?uploads"), ("DELETE", "/bucket?location"),
        ("PUT", "/bucket?delete"), ("PUT", "/bucket/k?attributes"), ("DELETE", "/bucket/k?uploads"),
        ("GET", "/bucket/k?restore"), ("DELETE", "/bucket/k?select"), ("HEAD", "/bucket/k?attributes"),
        ("DELETE", "/bucket/k?policy"), ("PUT", "/bucket/k?lifecycle"), ("DELETE", "/bucket/k?versions"),
    ])
    func `a sub-resource under another method is not the plain operation`(method: String, uri: String) {
        #expect(code { _ = try route(method, uri) } == .methodNotAllowed)
    }

    @Test(arguments: [
        ("PUT", "/", "GET"), ("DELETE", "/bucket?versions", "GET"), ("PATCH", "/bucket/k", "GET, HEAD, PUT, DELETE"),
        ("DELETE", "/bucket?versioning", "GET, PUT"), ("GET", "/bucket/k?uploads", "POST"),
    ])
    func `a method that is not allowed is told what is`(method: String, uri: String, allowed: String) {
        do throws(S3Error) { _ = try route(method, uri) } catch {
            #expect(error.headers.contains { $0.name == "Allow" && $0.value == allowed })
            return
        }
        Issue.record("\(method) \(uri) was routed")
    }

    @Test(arguments: [
        "/bucket?uploadId=u", "/bucket/?versionId=v", "/bucket?partNumber=1&uploadId=u", "/bucket?retention",
    ])
    func `a request that lost its key is not one about the bucket`(uri: String) {
        for method in ["GET", "PUT", "POST", "DELETE"] {
            #expect(code { _ = try route(method, uri) } == .invalidRequest)
        }
    }

    @Test(arguments: ["/bucket?acl&versioning", "/bucket/k?tagging&uploadId=u", "/bucket/k?uploads&uploadId=u"])
    func `two sub-resources are a conflict`(uri: String) {
        #expect(code { _ = try route("GET", uri) } == .invalidArgument)
    }

    @Test func `a write names no version but of tags`() throws {
        #expect(code { _ = try route("PUT", "/bucket/k?versionId=null") } == .invalidArgument)
        #expect(try route("PUT", "/bucket/k?tagging&versionId=null").operation == .putObjectTagging)
    }

    @Test(arguments: ["/UPPER", "/ab", "/a..b", "/-ab", "/192.168.1.1", "/xn--abc", "/under_score", "/abc-s3alias"])
    func `a name no bucket can have is invalid`(uri: String) {
        #expect(code { _ = try route("GET", uri) } == .invalidBucketName)
    }

    @Test(arguments: [
        ("photos.s3.example.com", "/k/l", "photos", "k/l"), ("Photos.S3.example.com:8443", "/k", "photos", "k"),
        ("a.b.s3.example.com", "/k", "a.b", "k"), ("s3.example.com", "/photos/k", "photos", "k"),
        ("evils3.example.com", "/photos/k", "photos", "k"), ("photos.s3.example.com", "//k", "photos", "/k"),
    ])
    func `the bucket stands in the host or in the path`(host: String, uri: String, bucket: String, key: String) throws {
        let route = try route("GET", uri, host: host)
        #expect(route.bucket?.text == bucket)
        #expect(route.key?.bytes == Array(key.utf8))
    }

    @Test func `keys keep every byte and end at 1,024`() throws {
        #expect(try route("GET", "/bucket/a//b/./../c/").key?.bytes == Array("a//b/./../c/".utf8))
        #expect(try route("GET", "/bucket/" + String(repeating: "k", count: 1024)).key?.bytes.count == 1024)
        #expect(code { _ = try route("GET", "/bucket/" + String(repeating: "k", count: 1025)) } == .keyTooLong)
    }
}
