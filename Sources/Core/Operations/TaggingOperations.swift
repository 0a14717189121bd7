/// Tags of objects and buckets: the operations `Get`, `Put` and `Delete` of `ObjectTagging` and `BucketTagging`.
///
/// Source: Amazon S3 API Reference, the actions of these names.
enum TaggingOperations {
    private static let headerName = "x-amz-tagging"

    // MARK: Objects

    static func getObject(_ call: Call) throws(S3Error) -> Answer {
        let (bucket, version) = try find(call)
        var answer = Answer(call, document: document(version.tags))
        answer.head.addVersionID(of: version, in: bucket)
        return answer
    }

    /// Throws `InvalidTag`, `BadRequest`, `MalformedXML`, and `PlacementPolicyViolation` for a `replica-count` that
    /// policy cannot give.
    static func putObject(_ call: Call) throws(S3Error) -> Answer {
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let tags = try TaggingDocument(parsing: try call.document(), for: .object).tags
        return try replace(tags, call, status: 200)
    }

    static func deleteObject(_ call: Call) throws(S3Error) -> Answer {
        try UnsupportedHeaders.refuse(in: call.request.headers)
        return try replace([], call, status: 204)
    }

    private static func replace(_ tags: [Tag], _ call: Call, status: Int) throws(S3Error) -> Answer {
        let (bucket, version) = try find(call)
        let policy = try newPolicy(for: version, in: bucket, tags, call)
        let candidates = call.snapshot.candidates()
        #if S3GW_PLANTED_BUGS
            if PlantedBug.lostTags.isOn { return Answer(call.head(status, contentLength: status == 204 ? nil : 0)) }
        #endif
        let isThere = try call.database.write { sql throws(S3Error) in
            // Another request may have replaced the tags since they were read.
            guard let replaced = try sql.version(id: version.id), try sql.setTags(versionID: version.id, tags) else {
                return false
            }
            if try tags.replicaCount() != replaced.tags.replicaCount() {
                try ReplicaChange(version, try sql.replicas(of: version.id), policy, candidates)
                    .apply(sql, at: .now(), renews: true)
            }
            return true
        }
        guard isThere else { throw S3Error(.noSuchKey).detail("Key", version.key.text) }
        var head = call.head(status, contentLength: status == 204 ? nil : 0)
        head.addVersionID(of: version, in: bucket)
        return Answer(head)
    }

    /// The policy of the version with the new tags.
    ///
    /// Throws the placement's refusal when they ask for another number of replicas, for which there are too few backends.
    private static func newPolicy(
        for version: ObjectVersion, in bucket: Bucket, _ tags: [Tag], _ call: Call
    ) throws(S3Error) -> EffectivePolicy {
        let policy = try call.snapshot.policy(for: bucket, tags: tags)
        guard try tags.replicaCount() != version.tags.replicaCount() else { return policy }
        let decision = Placement.decide(
            policy, candidates: call.snapshot.candidates(), sizeBytes: version.sizeBytes)
        if case .refuse(let refusal) = decision { throw refusal.s3Error }
        return policy
    }

    private static func find(_ call: Call) throws(S3Error) -> (Bucket, ObjectVersion) {
        let bucket = try call.bucket()
        let (version, _) = try VersionLookup.find(
            try call.key(), in: bucket, versionID: call.request.target.query("versionId"), call)
        return (bucket, version)
    }

    // MARK: Buckets

    /// Throws `NoSuchTagSet` for a bucket without tags.
    static func getBucket(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        guard !bucket.tags.isEmpty else { throw S3Error(.noSuchTagSet).detail("BucketName", bucket.name.text) }
        return Answer(call, document: document(bucket.tags))
    }

    /// A `replica-count` holds for what is written from now on, and the worker brings what is there already to it.
    static func putBucket(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let tags = try TaggingDocument(parsing: try call.document(), for: .bucket).tags
        var tagged = bucket
        tagged.tags = tags
        _ = try call.snapshot.policy(for: tagged)
        try setTags(of: bucket, tags, call)
        return Answer(call.head(204, contentLength: nil))
    }

    static func deleteBucket(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        try setTags(of: bucket, [], call)
        return Answer(call.head(204, contentLength: nil))
    }

    private static func setTags(of bucket: Bucket, _ tags: [Tag], _ call: Call) throws(S3Error) {
        let changesCount = try tags.replicaCount() != bucket.tags.replicaCount()
        try call.database.write { sql throws(S3Error) in
            try sql.setTags(bucketID: bucket.id, tags)
            if changesCount { try sql.requestReplan(bucketID: bucket.id, at: .now()) }
        }
    }

    // MARK: In and out

    /// The tags that a write names in `x-amz-tagging`, as `KEY=VALUE&...`, percent-encoded.
    ///
    /// Throws `InvalidArgument` for what is no such text, `InvalidTag` and `BadRequest` for what is no such tag.
    static func tags(from headers: HeaderFields) throws(S3Error) -> [Tag] {
        guard let value = headers[headerName], !value.isEmpty else { return [] }
        var tags: [Tag] = []
        for pair in value.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "="))
            let key = try decoded(pair[..<(equals ?? pair.endIndex)])
            let text = try equals.map { index throws(S3Error) in try decoded(pair[(index + 1)...]) } ?? []
            guard !tags.contains(where: { $0.key == key }) else { throw malformedHeader }
            tags.append(try Tag(validatingKey: key, value: text))
        }
        try Tag.check(tags, for: .object)
        _ = try tags.replicaCount()
        return tags
    }

    /// The `Tagging` document of a form's field, as the header of a PutObject says it.
    static func headerValue(ofDocument document: [UInt8]) throws(S3Error) -> [UInt8] {
        var value: [UInt8] = []
        for tag in try TaggingDocument(parsing: document, for: .object).tags {
            if !value.isEmpty { value.append(UInt8(ascii: "&")) }
            URIEncoding.append(tag.key, keepingSlash: false, to: &value)
            value.append(UInt8(ascii: "="))
            URIEncoding.append(tag.value, keepingSlash: false, to: &value)
        }
        return value
    }

    private static func decoded(_ text: ArraySlice<UInt8>) throws(S3Error) -> [UInt8] {
        do throws(S3Error) { return try RequestTarget.percentDecoded(text, plusIsSpace: true) } catch {
            throw malformedHeader
        }
    }

    private static var malformedHeader: S3Error {
        S3Error(
            .invalidArgument,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
                + "duplicates."
        ).detail("ArgumentName", headerName)
    }

    private static func document(_ tags: [Tag]) -> XMLWriter {
        var xml = XMLWriter()
        xml.openRoot("Tagging")
        xml.open("TagSet")
        for tag in tags {
            xml.open("Tag")
            xml.element("Key", tag.key)
            xml.element("Value", tag.value)
            xml.close("Tag")
        }
        xml.close("TagSet")
        xml.close("Tagging")
        return xml
    }
}
