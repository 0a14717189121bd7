/// PutObject.
///
/// Source: Amazon S3 API Reference, PutObject.
enum PutObject {
    static func put(_ call: Call) throws(S3Error) -> Answer {
        let version = try write(call)
        var head = call.head(200)
        let bucket = try call.bucket()
        describe(version, in: bucket, on: &head)
        head.addExpiration(of: version, in: bucket, call)
        return Answer(head)
    }

    /// Writes the body of `call` as a new version of its key, and returns what was committed.
    ///
    /// Everything is read from the call: a form upload makes one whose headers are its fields.
    static func write(_ call: Call) throws(S3Error) -> ObjectVersion {
        let bucket = try call.bucket()
        let key = try call.key()
        let headers = call.request.headers
        try UnsupportedHeaders.refuse(in: headers)
        try requireLength(call.request)
        let conditions = Conditions(headers)
        try conditions.checkWriteForm()
        let stored = try ObjectHeaders.stored(from: headers)
        let storageClass = try ObjectHeaders.storageClass(from: headers)
        let tags = try TaggingOperations.tags(from: headers)
        let policy = try call.snapshot.policy(for: bucket, tags: tags)
        let payload = try verifiedPayload(call)
        if conditions.concernWrites { try checkEarly(conditions, call, bucket, key) }
        let now = Timestamp.now()
        var version = ObjectVersion(
            id: VersionID(at: now), sequence: 0, bucketID: bucket.id, key: key, isDeleteMarker: false,
            sizeBytes: payload.decodedSizeBytes, eTag: "", lastModified: now, storageClass: storageClass,
            checksum: payload.checksum, headers: stored, tags: tags)
        let writer = ObjectWriter(call: call, bucket: bucket, policy: policy)
        let replicas = try writer.store(payload, as: version)
        version.eTag = Hex.text(replicas.md5)
        version.checksum = payload.checksum ?? replicas.checksum
        return try writer.commit(version, replicas, unless: conditions)
    }

    /// Refuses a request that neither has a body nor says that it is empty: a broken client must not empty an object.
    private static func requireLength(_ request: HTTPRequest) throws(S3Error) {
        guard request.body.sizeBytes == 0, request.headers["content-length"] == nil,
            request.headers["transfer-encoding"] == nil
        else { return }
        throw S3Error(.missingContentLength)
    }

    /// Verifies everything the client claims of the body, and its size, before any backend sees a byte.
    private static func verifiedPayload(_ call: Call) throws(S3Error) -> VerifiedPayload {
        let limit = call.request.site.maximumPutSizeBytes
        // The framing of aws-chunked only adds bytes: a body below the limit may be checked before it is read.
        let payload = try PayloadVerifier.verify(call.request, mode: call.payload, wantMD5: false, incidental: .unnamed)
        guard payload.decodedSizeBytes <= limit else {
            throw S3Error(.entityTooLarge).detail("ProposedSize", String(payload.decodedSizeBytes))
                .detail("MaxSizeAllowed", String(limit))
        }
        return payload
    }

    /// Saves the work of a write that would lose anyway; the commit decides.
    static func checkEarly(
        _ conditions: Conditions, _ call: Call, _ bucket: Bucket, _ key: ObjectKey
    ) throws(S3Error) {
        let current = try call.database.read { sql throws(S3Error) in
            try sql.currentVersion(bucketID: bucket.id, key: key)
        }
        try conditions.checkWrite(overETag: current?.eTag)
    }

    /// Adds what every answer to a write tells of the new version.
    static func describe(_ committed: ObjectVersion, in bucket: Bucket, on head: inout ResponseHead) {
        head.addVersionID(of: committed, in: bucket)
        head.add("ETag", "\"\(committed.eTag)\"")
        if let checksum = committed.checksum {
            head.add(checksum.algorithm.headerName, Base64.encode(checksum.value))
            head.add("x-amz-checksum-type", "FULL_OBJECT")
        }
    }
}
