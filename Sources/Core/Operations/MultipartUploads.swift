/// CreateMultipartUpload, AbortMultipartUpload and ListMultipartUploads.
///
/// Source: Amazon S3 API Reference, the actions of these names.
enum MultipartUploads {
    static let maximumPage = 1000

    /// Begins an upload; what its object will carry is fixed here.
    static func create(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let key = try call.key()
        let headers = call.request.headers
        try UnsupportedHeaders.refuse(in: headers)
        let (algorithm, type) = try checksum(headers)
        _ = try call.document(claimsBody: false)
        let now = Timestamp.now()
        let upload = Upload(
            id: VersionID(at: now), bucketID: bucket.id, key: key, state: .creating,
            storageClass: try ObjectHeaders.storageClass(from: headers), checksumAlgorithm: algorithm,
            checksumType: type, headers: try ObjectHeaders.stored(from: headers), initiatedAt: now,
            tags: try TaggingOperations.tags(from: headers))
        try UploadWriter(call, bucket, tags: upload.tags).begin(upload)
        var xml = XMLWriter()
        xml.openRoot("InitiateMultipartUploadResult")
        xml.element("Bucket", bucket.name.text)
        xml.element("Key", key.bytes)
        xml.element("UploadId", upload.id.text)
        xml.close("InitiateMultipartUploadResult")
        var answer = Answer(call, document: xml)
        answer.head.addAbortion(of: upload, in: bucket, call)
        if let algorithm {
            answer.head.add("x-amz-checksum-algorithm", algorithm.rawValue)
            answer.head.add("x-amz-checksum-type", type.rawValue)
        }
        return answer
    }

    /// Reads what the parts' checksums are to be.
    ///
    /// SHA-1 and SHA-256 cannot be of the whole object, CRC64NVME cannot be anything else (Amazon S3 User Guide,
    /// "Checking object integrity for multipart uploads").
    private static func checksum(_ headers: HeaderFields) throws(S3Error) -> (ChecksumAlgorithm?, ChecksumType) {
        let wanted = headers.text("x-amz-checksum-type")
        guard let name = headers["x-amz-checksum-algorithm"] else {
            guard wanted == nil else {
                throw S3Error(
                    .invalidRequest,
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
            }
            return (nil, .fullObject)
        }
        guard let algorithm = ChecksumAlgorithm(name: name) else {
            throw S3Error(
                .invalidRequest,
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
                    + "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        }
        guard let wanted else { return (algorithm, algorithm == .crc64nvme ? .fullObject : .composite) }
        guard let type = ChecksumType(rawValue: wanted.uppercased()) else {
            throw S3Error(.invalidRequest, "Value for x-amz-checksum-type header is invalid.")
        }
        let isPossible =
            switch algorithm {
            case .crc32, .crc32c: true
            case .crc64nvme: type == .fullObject
            case .sha1, .sha256: type == .composite
            }
        guard isPossible else {
            throw S3Error(
                .invalidRequest,
                "The \(type.rawValue) checksum type cannot be used with the \(algorithm.rawValue.lowercased()) "
                    + "checksum algorithm.")
        }
        return (algorithm, type)
    }

    /// Ends an upload; the worker clears the backends.
    static func abort(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let upload = try find(call, in: bucket)
        let isEnded = try call.database.write { sql throws(S3Error) in
            try sql.endUpload(id: upload.id, at: .now())
        }
        guard isEnded else { throw S3Error(.noSuchUpload) }
        return Answer(call.head(204, contentLength: nil))
    }

    /// The id a request names; nil for one that we never gave.
    static func id(_ call: Call) -> VersionID? {
        call.request.target.query("uploadId").flatMap { VersionID(text: $0) }
    }

    /// Returns the upload the request names.
    ///
    /// Throws `NoSuchUpload` unless it is one of this bucket and key.
    static func find(_ call: Call, in bucket: Bucket) throws(S3Error) -> Upload {
        let key = try call.key()
        guard let id = id(call) else { throw noSuchUpload(call) }
        let upload = try call.database.read { sql throws(S3Error) in
            try sql.upload(id: id, bucketID: bucket.id, key: key)
        }
        guard let upload else { throw noSuchUpload(call) }
        return upload
    }

    static func noSuchUpload(_ call: Call) -> S3Error {
        S3Error(.noSuchUpload).detail("UploadId", call.request.target.queryText("uploadId") ?? "")
    }

    // MARK: ListMultipartUploads

    static func list(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let target = call.request.target
        let parameters = try ListingParameters(target, limitName: "max-uploads")
        let keyMarker = target.query("key-marker") ?? []
        let idMarker = target.query("upload-id-marker") ?? []
        var query = UploadListingQuery(
            bucketID: bucket.id, prefix: parameters.prefix, delimiter: parameters.delimiter, afterKey: keyMarker,
            limit: min(parameters.maxKeys, maximumPage))
        // Without a key the id is ignored, as on AWS.
        if !keyMarker.isEmpty, !idMarker.isEmpty {
            guard let id = VersionID(text: idMarker) else {
                throw S3Error(.invalidArgument, "Invalid uploadId marker").detail("ArgumentName", "upload-id-marker")
                    .detail("ArgumentValue", String(decoding: idMarker, as: UTF8.self))
            }
            query.afterID = id
        }
        let page = try call.database.read { [query] sql throws(S3Error) in try sql.listUploads(query) }
        var xml = XMLWriter(reserving: 512 + page.entries.count * 512)
        xml.openRoot("ListMultipartUploadsResult")
        xml.element("Bucket", bucket.name.text)
        parameters.write("KeyMarker", keyMarker, to: &xml)
        xml.element("UploadIdMarker", idMarker)
        if page.isTruncated, let last = page.entries.last {
            switch last {
            case .upload(let upload):
                parameters.write("NextKeyMarker", upload.key.bytes, to: &xml)
                xml.element("NextUploadIdMarker", upload.id.text)
            case .commonPrefix(let prefix):
                parameters.write("NextKeyMarker", prefix, to: &xml)
                xml.element("NextUploadIdMarker", "")
            }
        }
        parameters.write("Prefix", parameters.prefix, to: &xml)
        if !parameters.delimiter.isEmpty { parameters.write("Delimiter", parameters.delimiter, to: &xml) }
        if parameters.isURLEncoded { xml.element("EncodingType", "url") }
        xml.element("MaxUploads", query.limit)
        xml.element("IsTruncated", page.isTruncated)
        for case .upload(let upload) in page.entries { write(upload, call.tenant, parameters, to: &xml) }
        for case .commonPrefix(let prefix) in page.entries {
            xml.open("CommonPrefixes")
            parameters.write("Prefix", prefix, to: &xml)
            xml.close("CommonPrefixes")
        }
        xml.close("ListMultipartUploadsResult")
        return Answer(call, document: xml)
    }

    private static func write(
        _ upload: Upload, _ owner: Tenant, _ parameters: ListingParameters, to xml: inout XMLWriter
    ) {
        xml.open("Upload")
        parameters.write("Key", upload.key.bytes, to: &xml)
        xml.element("UploadId", upload.id.text)
        writePeople(owner, to: &xml)
        xml.element("StorageClass", upload.storageClass)
        xml.element("Initiated", upload.initiatedAt.iso8601)
        writeChecksum(of: upload, to: &xml)
        xml.close("Upload")
    }

    static func writeChecksum(of upload: Upload, to xml: inout XMLWriter) {
        guard let algorithm = upload.checksumAlgorithm else { return }
        xml.element("ChecksumAlgorithm", algorithm.rawValue)
        xml.element("ChecksumType", upload.checksumType.rawValue)
    }

    static func writePeople(_ tenant: Tenant, to xml: inout XMLWriter) {
        for name in ["Initiator", "Owner"] {
            xml.open(name)
            xml.element("ID", tenant.canonicalID)
            xml.element("DisplayName", tenant.displayName)
            xml.close(name)
        }
    }
}
