/// PostObject: a browser's form writes one object.
///
/// Source: Amazon S3 API Reference, "POST Object".
enum PostObject {
    /// Form fields that are headers of the object, beside `x-amz-*`.
    private static let headerFields: Set<String> = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "content-type",
        "expires",
    ]
    /// Fields that sign the form; the rest of `x-amz-*` speaks of the object.
    private static let signingFields: Set<String> = [
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature",
    ]
    /// Fields with another name than their header.
    private static let renamed = ["acl": "x-amz-acl", "x-amz-checksum-algorithm": "x-amz-sdk-checksum-algorithm"]

    static func post(_ call: Call) throws(S3Error) -> Answer {
        guard let signed = call.form, let bucket = call.route.bucket else {
            throw S3Error(.preconditionFailed)
                .detail("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
        }
        try signed.authorize(bucket: bucket)
        _ = try call.bucket()
        let upload = try upload(signed, call)
        let version = try PutObject.write(upload)
        return try answer(version, signed.form, bucket, call)
    }

    /// The same request as a PutObject of the file: its headers are the form's fields.
    ///
    /// Throws `InvalidArgument`, `NotImplemented`, and what the policy says of the file's size.
    private static func upload(_ signed: SignedForm, _ call: Call) throws(S3Error) -> Call {
        guard let keyBytes = signed.form["key"], !keyBytes.isEmpty else {
            throw S3Error(.invalidArgument, "User key must have a length greater than 0.").detail("ArgumentName", "key")
        }
        let key = try ObjectKey(validating: keyBytes)
        guard signed.form["x-amz-copy-source"] == nil else {
            throw S3Error.unimplemented(.header, "x-amz-copy-source")
        }
        var request = call.request
        request.headers = try headers(signed.form, call.request.headers)
        if let document = signed.form["tagging"] {
            let tags = try TaggingOperations.headerValue(ofDocument: document)
            // A form with tags in both of its ways would have two sets of them.
            guard request.headers["x-amz-tagging"] == nil else {
                throw S3Error(.invalidArgument, "The tags of a form are given once.").detail("ArgumentName", "tagging")
            }
            if !tags.isEmpty { try request.headers.add("x-amz-tagging", tags) }
        }
        try Authorization.check(request, call.tenant)
        request.body = try signed.upload()
        try request.headers.add("content-length", Array(String(request.body.sizeBytes).utf8))
        return Call(
            request: request, route: S3Route(.postObject, call.route.bucket, key), tenant: call.tenant,
            payload: .unsigned, snapshot: call.snapshot, world: call.world)
    }

    /// The fields that are headers of the object, and the conditions of the request itself, which can only refuse.
    private static func headers(_ form: PostForm, _ sent: HeaderFields) throws(S3Error) -> HeaderFields {
        var headers = HeaderFields()
        for field in form.fields {
            let name = String(decoding: field.name, as: UTF8.self)
            guard headerFields.contains(name) || renamed[name] != nil || field.name.starts(with: "x-amz-".utf8),
                !signingFields.contains(name)
            else { continue }
            guard field.name.allSatisfy(isNameByte), field.value.allSatisfy(isValueByte) else {
                throw S3Error(.invalidArgument, "A form field that stands for a header has a byte that none may have.")
                    .detail("ArgumentName", name)
            }
            try headers.add(renamed[name] ?? name, trimmed(field.value))
        }
        for name in ["if-match", "if-none-match"] {
            if let value = sent[name] { try headers.add(name, value) }
        }
        return headers
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }

    private static func isValueByte(_ byte: UInt8) -> Bool { (byte >= 0x20 && byte != 0x7F) || byte == 0x09 }

    private static func trimmed(_ value: [UInt8]) -> [UInt8] {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        return Array(value.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }

    // MARK: The answer

    private static func answer(
        _ version: ObjectVersion, _ form: PostForm, _ bucket: BucketName, _ call: Call
    ) throws(S3Error) -> Answer {
        let eTag = "\"\(version.eTag)\""
        let redirect = (form["success_action_redirect"] ?? form["redirect"]).flatMap { url in
            redirection(url, bucket, version.key, eTag)
        }
        let status = form["success_action_status"].map { String(decoding: $0, as: UTF8.self) }
        // Another status than these three counts as none.
        var head = call.head(redirect != nil ? 303 : status == "200" ? 200 : status == "201" ? 201 : 204)
        let owned = try call.bucket()
        PutObject.describe(version, in: owned, on: &head)
        head.addExpiration(of: version, in: owned, call)
        let location = redirect ?? location(bucket, version.key, call.request)
        head.add("Location", location)
        guard head.status == 201 else {
            if head.status == 204 { head.contentLength = nil }
            return Answer(head)
        }
        var xml = XMLWriter()
        xml.open("PostResponse")
        xml.element("Location", location)
        xml.element("Bucket", bucket.text)
        xml.element("Key", version.key.bytes)
        xml.element("ETag", eTag)
        xml.close("PostResponse")
        head.add("Content-Type", "application/xml")
        return Answer(head, body: xml.bytes)
    }

    /// The client's URL with bucket, key and ETag in its query; nil when it is not a URL, as if it was not given.
    private static func redirection(
        _ url: [UInt8], _ bucket: BucketName, _ key: ObjectKey, _ eTag: String
    ) -> [UInt8]? {
        let folded = url.prefix(8).map(ASCII.lower)
        guard folded.starts(with: "http://".utf8) || folded.starts(with: "https://".utf8),
            url.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        let page = url.prefix { $0 != UInt8(ascii: "#") }
        var target = Array(page)
        target.append(page.contains(UInt8(ascii: "?")) ? UInt8(ascii: "&") : UInt8(ascii: "?"))
        for (name, value) in [("bucket=", bucket.bytes), ("&key=", key.bytes), ("&etag=", Array(eTag.utf8))] {
            target += name.utf8
            URIEncoding.append(value, keepingSlash: false, to: &target)
        }
        return target + url[page.endIndex...]
    }

    /// The object's URL as this client can reach it; AWS encodes the slashes of its key.
    private static func location(_ bucket: BucketName, _ key: ObjectKey, _ request: HTTPRequest) -> [UInt8] {
        var url = Array((request.isHTTPS ? "https://" : "http://").utf8)
        url += request.headers["host"] ?? []
        url.append(0x2F)
        // Path style, where the bucket is not in the host.
        if request.target.path.count > 1 { url += bucket.bytes + [0x2F] }
        URIEncoding.append(key.bytes, keepingSlash: false, to: &url)
        return url
    }
}
