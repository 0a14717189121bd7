/// GetBucketLifecycleConfiguration, PutBucketLifecycleConfiguration and DeleteBucketLifecycle.
///
/// Source: Amazon S3 API Reference, the actions of these names.
enum LifecycleOperations {
    /// Which objects AWS does not move to other storage classes; nothing is moved here, so it is kept and told only.
    private static let minimumHeader = "x-amz-transition-default-minimum-object-size"
    private static let minimums = ["all_storage_classes_128K", "varies_by_storage_class"]

    /// Throws `NoSuchLifecycleConfiguration` for a bucket without rules.
    static func get(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let found = try call.database.read { sql throws(S3Error) in
            (stored: try sql.lifecycle(bucketID: bucket.id), rules: try call.world.lifecycles.rules(of: bucket, sql))
        }
        guard let stored = found.stored, let rules = found.rules else {
            throw S3Error(.noSuchLifecycleConfiguration).detail("BucketName", bucket.name.text)
        }
        var answer = Answer(call, document: rules.document)
        answer.head.add(minimumHeader, stored.transitionMinimum)
        return answer
    }

    /// Replaces all rules; the worker acts by them from its next look on.
    ///
    /// A rule without an ID gets one. Throws what `Lifecycle(parsing:)` throws.
    static func put(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let minimum = call.request.headers.text(minimumHeader) ?? minimums[0]
        guard minimums.contains(minimum) else {
            throw S3Error(.invalidRequest, "The value of \(minimumHeader) is not valid")
        }
        var lifecycle = try Lifecycle(parsing: try call.document())
        for index in lifecycle.rules.indices where lifecycle.rules[index].id.isEmpty {
            lifecycle.rules[index].id = VersionID(at: .now()).text
        }
        let stored = StoredLifecycle(document: lifecycle.document.bytes, transitionMinimum: minimum)
        try call.database.write { sql throws(S3Error) in try sql.setLifecycle(bucketID: bucket.id, stored) }
        var head = call.head(200)
        head.add(minimumHeader, minimum)
        return Answer(head)
    }

    /// Removing what is not there succeeds, as on AWS; jobs that wait find no rule any more and do nothing.
    static func delete(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        if bucket.lifecycleRevision != nil {
            try call.database.write { sql throws(S3Error) in try sql.setLifecycle(bucketID: bucket.id, nil) }
        }
        return Answer(call.head(204, contentLength: nil))
    }
}

extension ResponseHead {
    /// Tells when the rules of the bucket end the object, where they do; nothing in answers about older versions.
    ///
    /// Source: Amazon S3 User Guide, "Expiring objects"; API Reference, `x-amz-expiration`: the rule's id is URL-encoded.
    mutating func addExpiration(of version: ObjectVersion, in bucket: Bucket, _ call: Call) {
        guard bucket.lifecycleRevision != nil, let rules = call.rules(of: bucket) else { return }
        let subject = LifecycleSubject(version)
        guard let due = rules.due(subject, .current(isOnly: false)), call.isCurrent(version) else { return }
        addDue("x-amz-expiration", due)
    }

    private mutating func addDue(_ name: String, _ due: LifecycleDue) {
        let id = String(decoding: URIEncoding.encode(due.ruleID, keepingSlash: false), as: UTF8.self)
        add(name, "expiry-date=\"\(due.at.httpDate)\", rule-id=\"\(id)\"")
    }

    /// Tells when the rules of the bucket end the upload, where they do.
    mutating func addAbortion(of upload: Upload, in bucket: Bucket, _ call: Call) {
        guard bucket.lifecycleRevision != nil, let rules = call.rules(of: bucket),
            let due = rules.due(uploadOf: upload.key.bytes, initiatedAt: upload.initiatedAt)
        else { return }
        add("x-amz-abort-date", due.at.httpDate)
        add("x-amz-abort-rule-id", URIEncoding.encode(due.ruleID, keepingSlash: false))
    }
}

extension LifecycleSubject {
    package init(_ version: ObjectVersion) {
        self.init(
            key: version.key.bytes, isDeleteMarker: version.isDeleteMarker, sizeBytes: version.sizeBytes,
            tags: version.tags, lastModified: version.lastModified)
    }

    package init(_ row: LifecycleVersionRow) {
        self.init(
            key: row.key.bytes, isDeleteMarker: row.isDeleteMarker, sizeBytes: row.sizeBytes, tags: row.tags,
            lastModified: row.lastModified)
    }
}

extension Call {
    /// The rules of a bucket that has some; nil when they cannot be read now: no answer fails for that.
    fileprivate func rules(of bucket: Bucket) -> Lifecycle? {
        if let known = world.lifecycles.known(bucket) { return known }
        do throws(S3Error) {
            return try database.read { sql throws(S3Error) in try world.lifecycles.rules(of: bucket, sql) }
        } catch {
            log.warning(
                "lifecycle rules not known", metadata: logMetadata(cause: error.cause ?? error.message))
            return nil
        }
    }

    /// Whether the version is what clients see without a version id; a request that names none was given just that.
    fileprivate func isCurrent(_ version: ObjectVersion) -> Bool {
        guard request.target.has("versionId") else { return true }
        do throws(S3Error) {
            return try database.read { sql throws(S3Error) in
                try sql.latestVersion(bucketID: version.bucketID, key: version.key)
            }?.id == version.id
        } catch {
            log.warning(
                "the current version is not known", metadata: logMetadata(cause: error.cause ?? error.message))
            return false
        }
    }
}
