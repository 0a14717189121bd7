/// GetObjectAttributes.
///
/// Source: Amazon S3 API Reference, GetObjectAttributes.
enum GetObjectAttributes {
    private static let headerName = "x-amz-object-attributes"
    static let maximumParts = 1000

    private enum Attribute: String, CaseIterable {
        case eTag = "ETag"
        case checksum = "Checksum"
        case parts = "ObjectParts"
        case storageClass = "StorageClass"
        case size = "ObjectSize"
    }

    /// Throws `InvalidRequest` when no attribute is named, `InvalidArgument` for one that there is not, and what a read
    /// throws.
    static func get(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let key = try call.key()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let wanted = try attributes(call.request.headers)
        let limit = try number("x-amz-max-parts", call.request.headers) ?? maximumParts
        let marker = try number("x-amz-part-number-marker", call.request.headers) ?? 0
        let (version, _) = try VersionLookup.find(
            key, in: bucket, versionID: call.request.target.query("versionId"), call)
        try GetObject.check(Conditions(call.request.headers), version)
        var xml = XMLWriter()
        xml.openRoot("GetObjectAttributesResponse")
        for attribute in Attribute.allCases where wanted.contains(attribute) {
            switch attribute {
            case .eTag: xml.element("ETag", version.eTag)
            case .checksum: write(version.checksum, to: &xml)
            case .parts: try writeParts(of: version, after: marker, limit: min(limit, maximumParts), call, to: &xml)
            case .storageClass: xml.element("StorageClass", version.storageClass)
            case .size: xml.element("ObjectSize", Int(version.sizeBytes))
            }
        }
        xml.close("GetObjectAttributesResponse")
        var answer = Answer(call, document: xml)
        answer.head.add("Last-Modified", version.lastModified.httpDate)
        answer.head.addVersionID(of: version, in: bucket)
        return answer
    }

    private static func attributes(_ headers: HeaderFields) throws(S3Error) -> Set<Attribute> {
        let words = (headers.text(headerName) ?? "").split(separator: ",").map { word in
            String(word.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        guard !words.isEmpty else {
            throw S3Error(
                .invalidRequest,
                "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty"
            )
        }
        var attributes: Set<Attribute> = []
        for word in words {
            guard let attribute = Attribute(rawValue: word) else {
                throw S3Error(.invalidArgument, "Invalid attribute name specified.")
                    .detail("ArgumentName", headerName).detail("ArgumentValue", word)
            }
            attributes.insert(attribute)
        }
        return attributes
    }

    private static func number(_ name: String, _ headers: HeaderFields) throws(S3Error) -> Int? {
        guard let text = headers[name] else { return nil }
        guard let number = DecimalNumber.parse(text), number <= Int(Int32.max) else {
            throw S3Error(.invalidArgument, "Provided \(name) not an integer or within integer range")
                .detail("ArgumentName", name).detail("ArgumentValue", String(decoding: text, as: UTF8.self))
        }
        return number
    }

    private static func write(_ checksum: ObjectChecksum?, to xml: inout XMLWriter) {
        guard let checksum else { return }
        xml.open("Checksum")
        xml.element(checksum.algorithm.elementName, checksum.base64)
        xml.element("ChecksumType", checksum.type.rawValue)
        xml.close("Checksum")
    }

    /// Tells of the parts of an object that was uploaded in parts; of each one by itself only when the object's checksum is
    /// `COMPOSITE`, as on AWS.
    private static func writeParts(
        of version: ObjectVersion, after marker: Int, limit: Int, _ call: Call, to xml: inout XMLWriter
    ) throws(S3Error) {
        guard let partCount = MultipartETag.split(version.eTag)?.partCount else { return }
        xml.open("ObjectParts")
        xml.element("PartsCount", partCount)
        if let checksum = version.checksum, checksum.type == .composite {
            let algorithm = checksum.algorithm
            let found = try call.database.read { sql throws(S3Error) in
                try sql.versionParts(sequence: version.sequence, after: marker, limit: limit + 1)
            }
            let page = found.prefix(limit)
            xml.element("PartNumberMarker", marker)
            xml.element("NextPartNumberMarker", page.last?.number.value ?? 0)
            xml.element("MaxParts", limit)
            xml.element("IsTruncated", limit > 0 && found.count > limit)
            for part in page {
                xml.open("Part")
                if let checksum = part.checksum {
                    xml.element(algorithm.elementName, ObjectChecksum(algorithm: algorithm, value: checksum).base64)
                }
                xml.element("PartNumber", part.number.value)
                xml.element("Size", Int(part.sizeBytes))
                xml.close("Part")
            }
        }
        xml.close("ObjectParts")
    }
}
