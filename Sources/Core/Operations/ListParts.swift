/// ListParts.
///
/// Source: Amazon S3 API Reference, ListParts.
enum ListParts {
    static func answer(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let upload = try MultipartUploads.find(call, in: bucket)
        let parameters = try ListingParameters(call.request.target, limitName: "max-parts")
        let marker = try marker(call.request.target)
        let limit = min(parameters.maxKeys, MultipartUploads.maximumPage)
        var parts = try call.database.read { sql throws(S3Error) in
            try sql.uploadParts(upload.id, after: marker, limit: limit + 1)
        }
        let isTruncated = limit > 0 && parts.count > limit
        parts = Array(parts.prefix(limit))
        var xml = XMLWriter(reserving: 512 + parts.count * 256)
        xml.openRoot("ListPartsResult")
        xml.element("Bucket", bucket.name.text)
        parameters.write("Key", upload.key.bytes, to: &xml)
        xml.element("UploadId", upload.id.text)
        MultipartUploads.writePeople(call.tenant, to: &xml)
        xml.element("StorageClass", upload.storageClass)
        xml.element("PartNumberMarker", marker)
        if let last = parts.last { xml.element("NextPartNumberMarker", last.number.value) }
        xml.element("MaxParts", limit)
        if parameters.isURLEncoded { xml.element("EncodingType", "url") }
        xml.element("IsTruncated", isTruncated)
        for part in parts {
            xml.open("Part")
            xml.element("PartNumber", part.number.value)
            xml.element("LastModified", part.lastModified.iso8601)
            xml.element("ETag", "\"\(part.eTag)\"")
            xml.element("Size", Int(part.sizeBytes))
            if let checksum = part.checksum { xml.element(checksum.algorithm.elementName, checksum.base64) }
            xml.close("Part")
        }
        MultipartUploads.writeChecksum(of: upload, to: &xml)
        xml.close("ListPartsResult")
        var answer = Answer(call, document: xml)
        answer.head.addAbortion(of: upload, in: bucket, call)
        return answer
    }

    private static func marker(_ target: RequestTarget) throws(S3Error) -> Int {
        guard let text = target.query("part-number-marker"), !text.isEmpty else { return 0 }
        guard let number = DecimalNumber.parse(text), number <= Int(Int32.max) else {
            throw S3Error(.invalidArgument, "Provided part-number-marker not an integer or within integer range")
                .detail("ArgumentName", "part-number-marker")
                .detail("ArgumentValue", String(decoding: text, as: UTF8.self))
        }
        return number
    }
}
