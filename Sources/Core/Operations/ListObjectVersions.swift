/// ListObjectVersions.
///
/// Source: Amazon S3 API Reference, ListObjectVersions.
enum ListObjectVersions {
    static func list(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let target = call.request.target
        let parameters = try ListingParameters(target)
        let keyMarker = target.query("key-marker") ?? []
        let versionMarker = try marker(target, after: keyMarker)
        let query = parameters.query(bucket, after: keyMarker)
        let page = try call.database.read { sql throws(S3Error) in
            try sql.listVersions(query, after: versionMarker)
        }
        var xml = XMLWriter(reserving: 512 + page.entries.count * 480)
        xml.openRoot("ListVersionsResult")
        xml.element("Name", bucket.name.text)
        parameters.write("Prefix", parameters.prefix, to: &xml)
        parameters.write("KeyMarker", keyMarker, to: &xml)
        xml.element("VersionIdMarker", target.query("version-id-marker") ?? [])
        if page.isTruncated, let last = page.entries.last {
            parameters.write("NextKeyMarker", last.marker, to: &xml)
            if case .version(let version) = last {
                xml.element("NextVersionIdMarker", VersionMarker.text(version.clientID, version.lastModified))
            }
        }
        xml.element("MaxKeys", parameters.maxKeys)
        if !parameters.delimiter.isEmpty { parameters.write("Delimiter", parameters.delimiter, to: &xml) }
        if parameters.isURLEncoded { xml.element("EncodingType", "url") }
        xml.element("IsTruncated", page.isTruncated)
        for case .version(let version) in page.entries { write(version, call.tenant, parameters, to: &xml) }
        for case .commonPrefix(let prefix) in page.entries {
            xml.open("CommonPrefixes")
            parameters.write("Prefix", prefix, to: &xml)
            xml.close("CommonPrefixes")
        }
        xml.close("ListVersionsResult")
        return Answer(call, document: xml)
    }

    /// Throws `InvalidArgument` for a marker that is no version id, or one without a key.
    private static func marker(_ target: RequestTarget, after key: [UInt8]) throws(S3Error) -> VersionMarker? {
        guard let text = target.query("version-id-marker"), !text.isEmpty else { return nil }
        guard !key.isEmpty else {
            throw S3Error(.invalidArgument, "A version-id marker cannot be specified without a key marker.")
                .detail("ArgumentName", "version-id-marker")
                .detail("ArgumentValue", String(decoding: text, as: UTF8.self))
        }
        guard let marker = VersionMarker(text: text) else {
            throw S3Error(.invalidArgument, "Invalid version id specified").detail("ArgumentName", "version-id-marker")
                .detail("ArgumentValue", String(decoding: text, as: UTF8.self))
        }
        return marker
    }

    private static func write(
        _ version: ListedVersion, _ owner: Tenant, _ parameters: ListingParameters, to xml: inout XMLWriter
    ) {
        let name = version.isDeleteMarker ? "DeleteMarker" : "Version"
        xml.open(name)
        parameters.write("Key", version.key.bytes, to: &xml)
        xml.element("VersionId", version.clientID)
        xml.element("IsLatest", version.isLatest)
        xml.element("LastModified", version.lastModified.wholeSecond.iso8601)
        if !version.isDeleteMarker {
            xml.element("ETag", "\"\(version.eTag)\"")
            if let checksum = version.checksum {
                xml.element("ChecksumAlgorithm", checksum.algorithm.rawValue)
                xml.element("ChecksumType", checksum.type.rawValue)
            }
            xml.element("Size", Int(version.sizeBytes))
            xml.element("StorageClass", version.storageClass)
        }
        xml.open("Owner")
        xml.element("ID", owner.canonicalID)
        xml.element("DisplayName", owner.displayName)
        xml.close("Owner")
        xml.close(name)
    }
}
