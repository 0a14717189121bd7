/// ListObjectsV2 and its predecessor ListObjects.
///
/// Source: Amazon S3 API Reference, ListObjectsV2 and ListObjects.
enum ListObjects {
    static let maximumPage = 1000

    /// ListObjectsV2.
    static func version2(_ call: Call) throws(S3Error) -> Answer {
        try refuse(["marker"], in: call.request.target, "Marker unsupported with REST.GET.BUCKET in list-type=2")
        let bucket = try call.bucket()
        let target = call.request.target
        let parameters = try ListingParameters(target)
        let token = target.query("continuation-token")
        let startAfter = target.query("start-after") ?? []
        let page = try parameters.page(call, bucket, after: try token.map(ContinuationToken.decode) ?? startAfter)
        var xml = XMLWriter(reserving: 512 + page.entries.count * 320)
        xml.openRoot("ListBucketResult")
        xml.element("Name", bucket.name.text)
        parameters.write("Prefix", parameters.prefix, to: &xml)
        if !startAfter.isEmpty { parameters.write("StartAfter", startAfter, to: &xml) }
        xml.element("KeyCount", page.entries.count)
        xml.element("MaxKeys", parameters.maxKeys)
        if !parameters.delimiter.isEmpty { parameters.write("Delimiter", parameters.delimiter, to: &xml) }
        if parameters.isURLEncoded { xml.element("EncodingType", "url") }
        xml.element("IsTruncated", page.isTruncated)
        if let token { xml.element("ContinuationToken", token) }
        if page.isTruncated, let marker = page.nextMarker {
            xml.element("NextContinuationToken", ContinuationToken.encode(marker))
        }
        let owner = target.queryText("fetch-owner") == "true" ? call.tenant : nil
        writeEntries(page, owner, parameters, to: &xml)
        xml.close("ListBucketResult")
        return Answer(call, document: xml)
    }

    /// ListObjects: a marker in place of a token, and always the owner.
    static func version1(_ call: Call) throws(S3Error) -> Answer {
        try refuse(
            ["continuation-token", "start-after"], in: call.request.target,
            "continuation-token and start-after are only supported in REST.GET.BUCKET with list-type=2")
        let bucket = try call.bucket()
        let parameters = try ListingParameters(call.request.target)
        let marker = call.request.target.query("marker") ?? []
        let page = try parameters.page(call, bucket, after: marker)
        var xml = XMLWriter(reserving: 512 + page.entries.count * 480)
        xml.openRoot("ListBucketResult")
        xml.element("Name", bucket.name.text)
        parameters.write("Prefix", parameters.prefix, to: &xml)
        parameters.write("Marker", marker, to: &xml)
        // Only listings with a delimiter name the next marker: otherwise it is the last key.
        if page.isTruncated, !parameters.delimiter.isEmpty, let next = page.nextMarker {
            parameters.write("NextMarker", next, to: &xml)
        }
        xml.element("MaxKeys", parameters.maxKeys)
        if !parameters.delimiter.isEmpty { parameters.write("Delimiter", parameters.delimiter, to: &xml) }
        if parameters.isURLEncoded { xml.element("EncodingType", "url") }
        xml.element("IsTruncated", page.isTruncated)
        writeEntries(page, call.tenant, parameters, to: &xml)
        xml.close("ListBucketResult")
        return Answer(call, document: xml)
    }

    /// Throws `InvalidArgument` for a parameter of the other listing: who relied on it would get the same page for ever.
    private static func refuse(_ names: [StaticString], in target: RequestTarget, _ text: String) throws(S3Error) {
        guard let name = names.first(where: target.has) else { return }
        throw S3Error(.invalidArgument, text).detail("ArgumentName", "\(name)")
    }

    private static func writeEntries(
        _ page: ListingPage, _ owner: Tenant?, _ parameters: ListingParameters, to xml: inout XMLWriter
    ) {
        for case .object(let object) in page.entries {
            xml.open("Contents")
            parameters.write("Key", object.key.bytes, to: &xml)
            xml.element("LastModified", object.lastModified.wholeSecond.iso8601)
            xml.element("ETag", "\"\(object.eTag)\"")
            if let algorithm = object.checksumAlgorithm {
                xml.element("ChecksumAlgorithm", algorithm.rawValue)
                xml.element("ChecksumType", object.checksumType.rawValue)
            }
            xml.element("Size", Int(object.sizeBytes))
            if let owner {
                xml.open("Owner")
                xml.element("ID", owner.canonicalID)
                xml.element("DisplayName", owner.displayName)
                xml.close("Owner")
            }
            xml.element("StorageClass", object.storageClass)
            xml.close("Contents")
        }
        for case .commonPrefix(let prefix) in page.entries {
            xml.open("CommonPrefixes")
            parameters.write("Prefix", prefix, to: &xml)
            xml.close("CommonPrefixes")
        }
    }
}

extension ListingParameters {
    fileprivate func page(_ call: Call, _ bucket: Bucket, after marker: [UInt8]) throws(S3Error) -> ListingPage {
        let query = query(bucket, after: marker)
        guard query.limit > 0 else { return ListingPage(entries: [], isTruncated: false, nextMarker: nil) }
        return try call.database.read { sql throws(S3Error) in try sql.list(query) }
    }
}
