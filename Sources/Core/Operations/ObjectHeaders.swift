/// The headers that are stored with an object and come back when it is read.
enum ObjectHeaders {
    /// Names and values of all `x-amz-meta-*` together.
    ///
    /// Source: Amazon S3 User Guide, "Working with object metadata".
    static let maximumUserMetadataBytes = 2048
    static let userMetadataPrefix = "x-amz-meta-"
    private static let defaultContentType = Array("binary/octet-stream".utf8)
    private static let system = ["cache-control", "content-disposition", "content-language", "expires"]

    /// Classes whose objects are read at once; the archive classes would have to be restored first.
    private static let storageClasses: Set<String> = [
        "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR",
    ]

    /// Picks what a write stores.
    ///
    /// Throws `MetadataTooLarge`, and `InvalidArgument` for a control character, which no answer could give back.
    static func stored(from headers: HeaderFields) throws(S3Error) -> [HeaderField] {
        var stored = [
            HeaderField(
                name: "content-type",
                value: headers["content-type"].flatMap { $0.isEmpty ? nil : $0 } ?? defaultContentType)
        ]
        for name in system {
            if let value = headers[name], !value.isEmpty { stored.append(HeaderField(name: name, value: value)) }
        }
        if let encoding = contentEncoding(headers) { stored.append(encoding) }
        var userBytes = 0
        for field in headers.fields where field.name.hasPrefix(userMetadataPrefix) {
            userBytes += field.name.utf8.count - userMetadataPrefix.utf8.count + field.value.count
            stored.append(field)
        }
        guard userBytes <= maximumUserMetadataBytes else {
            throw S3Error(.metadataTooLarge).detail("Size", String(userBytes))
                .detail("MaxSizeAllowed", String(maximumUserMetadataBytes))
        }
        for field in stored where !field.value.allSatisfy(isValueByte) {
            throw S3Error(.invalidArgument, "A header has a byte that none may have.").detail(
                "ArgumentName", field.name)
        }
        return stored
    }

    /// Throws `InvalidStorageClass`.
    static func storageClass(from headers: HeaderFields) throws(S3Error) -> String {
        guard let value = headers.text("x-amz-storage-class") else { return "STANDARD" }
        guard storageClasses.contains(value) else {
            throw S3Error(.invalidStorageClass).detail("StorageClassRequested", value)
        }
        return value
    }

    /// RFC 9110 5.5: a field's value has no control character but the tab.
    private static func isValueByte(_ byte: UInt8) -> Bool { (byte >= 0x20 && byte != 0x7F) || byte == 0x09 }

    /// Content-Encoding without `aws-chunked`, which belongs to the transfer and not to the object.
    private static func contentEncoding(_ headers: HeaderFields) -> HeaderField? {
        guard let value = headers["content-encoding"] else { return nil }
        let codings = value.split(separator: UInt8(ascii: ",")).map(trimmed)
            .filter { !$0.isEmpty && !$0.elementsEqual("aws-chunked".utf8) }
        guard !codings.isEmpty else { return nil }
        return HeaderField(name: "content-encoding", value: Array(codings.joined(separator: ", ".utf8)))
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let rest = bytes.drop(while: isBlank)
        guard let last = rest.lastIndex(where: { !isBlank($0) }) else { return rest }
        return rest[...last]
    }

    // MARK: Reading

    /// `response-*` parameters and the header each one replaces.
    ///
    /// Source: Amazon S3 API Reference, GetObject.
    private static let overrides: [(parameter: StaticString, header: String)] = [
        ("response-cache-control", "cache-control"), ("response-content-disposition", "content-disposition"),
        ("response-content-encoding", "content-encoding"), ("response-content-language", "content-language"),
        ("response-content-type", "content-type"), ("response-expires", "expires"),
    ]

    /// Adds everything a GET or HEAD of `version` tells, but for the length and range.
    static func describe(_ version: ObjectVersion, for request: HTTPRequest, on head: inout ResponseHead) {
        head.add("ETag", "\"\(version.eTag)\"")
        head.add("Last-Modified", version.lastModified.httpDate)
        head.add("Accept-Ranges", "bytes")
        if version.storageClass != "STANDARD" { head.add("x-amz-storage-class", version.storageClass) }
        let hasQuery = !request.target.query.isEmpty
        for field in version.headers where !hasQuery || !isOverridden(field.name, request) {
            head.add(field.name, field.value)
        }
        guard hasQuery else { return }
        for override in overrides {
            if let value = request.target.query(override.parameter) { head.add(override.header, value) }
        }
    }

    /// Adds the stored checksum when the client asked for it with `x-amz-checksum-mode: ENABLED`.
    static func addChecksum(of version: ObjectVersion, for request: HTTPRequest, on head: inout ResponseHead) {
        guard let checksum = version.checksum, wantsChecksum(request) else { return }
        head.add(checksum.algorithm.headerName, checksum.base64)
        head.add("x-amz-checksum-type", checksum.type.rawValue)
    }

    /// Adds the checksum of one part of an object whose own checksum is made of those of its parts.
    ///
    /// Source: Amazon S3 User Guide, "Checking object integrity": a GetObject or HeadObject by part number tells it.
    static func addChecksum(
        of part: VersionPart, of version: ObjectVersion, for request: HTTPRequest, on head: inout ResponseHead
    ) {
        guard let whole = version.checksum, let value = part.checksum, wantsChecksum(request) else { return }
        let checksum = ObjectChecksum(algorithm: whole.algorithm, value: value)
        head.add(checksum.algorithm.headerName, checksum.base64)
        head.add("x-amz-checksum-type", whole.type.rawValue)
    }

    private static let modeHeader = "x-amz-checksum-mode"

    private static func wantsChecksum(_ request: HTTPRequest) -> Bool { request.headers[modeHeader] != nil }

    /// Throws `InvalidRequest` for a mode that there is not.
    static func checkMode(_ headers: HeaderFields) throws(S3Error) {
        guard let mode = headers[modeHeader], !ASCII.areEqual(mode, "enabled") else { return }
        throw S3Error(.invalidRequest, "Value for \(modeHeader) header is invalid.")
    }

    private static func isOverridden(_ name: String, _ request: HTTPRequest) -> Bool {
        overrides.contains { $0.header == name && request.target.has($0.parameter) }
    }
}
