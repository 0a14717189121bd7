/// UploadPartCopy.
///
/// The bytes pass through a spool file here, proven right where they are a whole version or whole parts of one.
/// Source: Amazon S3 API Reference, UploadPartCopy.
enum UploadPartCopy {
    static func copy(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let number = try UploadPartOperation.number(call)
        let headers = call.request.headers
        try UnsupportedHeaders.refuse(in: headers)
        let upload = try UploadPartOperation.find(call, in: bucket)
        // A copy has no body; what is claimed of one is checked all the same.
        _ = try call.document()
        let source = try CopyObject.find(try CopySource(headers), call)
        let range = try range(headers["x-amz-copy-source-range"], of: source.version)
        let sizeBytes = range.map { $0.upperBound - $0.lowerBound + 1 } ?? source.version.sizeBytes
        try CopyObject.checkSize(sizeBytes)
        let writer = try UploadWriter(call, bucket, tags: upload.tags)
        // The target's policy applies before the first byte.
        _ = try writer.work.plan(sizeBytes)
        var head = Answer(call, document: XMLWriter()).head
        if source.bucket.versioning != .unversioned {
            head.add("x-amz-copy-source-version-id", source.version.clientID)
        }
        call.earlyHead?.allow(head)
        let content = try SpooledContent.fetch(
            source.version, from: source.replicas, range: range, algorithm: upload.checksumAlgorithm ?? .unnamed,
            call)
        let part = try writer.store(content.asPart, as: number, of: upload)
        var xml = XMLWriter()
        xml.openRoot("CopyPartResult")
        xml.element("LastModified", part.lastModified.wholeSecond.iso8601)
        xml.element("ETag", "\"\(part.eTag)\"")
        if let checksum = part.checksum { xml.element(checksum.algorithm.elementName, checksum.base64) }
        xml.close("CopyPartResult")
        return Answer(head, body: xml.bytes)
    }

    /// Reads `bytes=FIRST-LAST`; both ends must be there and inside of the source.
    private static func range(
        _ header: [UInt8]?, of version: ObjectVersion
    ) throws(S3Error) -> ClosedRange<Int64>? {
        guard let header else { return nil }
        let text = String(decoding: header, as: UTF8.self)
        let unit = Array("bytes=".utf8)
        let ends = header.dropFirst(unit.count).split(
            separator: UInt8(ascii: "-"), omittingEmptySubsequences: false
        ).map { DecimalNumber.parse(Array($0)) }
        guard header.starts(with: unit), ends.count == 2, let first = ends[0], let last = ends[1], first <= last else {
            throw S3Error(
                .invalidArgument,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                    + "zero-based offsets of the first and last bytes to copy"
            ).detail("ArgumentName", "x-amz-copy-source-range").detail("ArgumentValue", text)
        }
        guard Int64(last) < version.sizeBytes else {
            throw S3Error(
                .invalidArgument, "Range specified is not valid for source object of size: \(version.sizeBytes)"
            )
            .detail("ArgumentName", "x-amz-copy-source-range").detail("ArgumentValue", text)
        }
        return Int64(first)...Int64(last)
    }
}
