/// ListBuckets, paginated.
///
/// Source: Amazon S3 API Reference, ListBuckets (`max-buckets`, `continuation-token`, `prefix`, `bucket-region`).
enum ListBuckets {
    static let maximumPage = 10_000

    static func answer(_ call: Call) throws(S3Error) -> Answer {
        let target = call.request.target
        let limit = try page(target)
        let prefix = target.query("prefix") ?? []
        let after = try target.query("continuation-token").map(ContinuationToken.decode)
        var buckets = try call.database.read { sql throws(S3Error) in
            try sql.buckets(tenantID: call.tenant.id, prefix: prefix, after: after, limit: limit + 1)
        }
        let isTruncated = buckets.count > limit
        if isTruncated { buckets.removeLast() }
        let last = buckets.last
        if let region = target.queryText("bucket-region") { buckets.removeAll { $0.region != region } }
        var xml = XMLWriter(reserving: 256 + buckets.count * 128)
        xml.openRoot("ListAllMyBucketsResult")
        xml.open("Owner")
        xml.element("ID", call.tenant.canonicalID)
        xml.element("DisplayName", call.tenant.displayName)
        xml.close("Owner")
        xml.open("Buckets")
        for bucket in buckets {
            xml.open("Bucket")
            xml.element("Name", bucket.name.text)
            xml.element("CreationDate", bucket.createdAt.wholeSecond.iso8601)
            xml.element("BucketRegion", bucket.region)
            xml.close("Bucket")
        }
        xml.close("Buckets")
        if isTruncated, let last { xml.element("ContinuationToken", ContinuationToken.encode(last.name.bytes)) }
        if !prefix.isEmpty { xml.element("Prefix", prefix) }
        xml.close("ListAllMyBucketsResult")
        return Answer(call, document: xml)
    }

    private static func page(_ target: RequestTarget) throws(S3Error) -> Int {
        guard let text = target.query("max-buckets") else { return maximumPage }
        guard let number = DecimalNumber.parse(text), (1...maximumPage).contains(number) else {
            throw S3Error(.invalidArgument, "max-buckets must be an integer between 1 and \(maximumPage)")
                .detail("ArgumentName", "max-buckets").detail("ArgumentValue", String(decoding: text, as: UTF8.self))
        }
        return number
    }
}
