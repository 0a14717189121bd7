/// CopyObject.
///
/// Source: Amazon S3 API Reference, CopyObject.
enum CopyObject {
    /// AWS: 5 GiB in one copy; larger objects are copied in parts.
    static let maximumSourceBytes: Int64 = 5 << 30

    /// What the client wants of the copy, beside the bytes.
    private struct Wish {
        let replacesMetadata: Bool
        /// Nil to keep those of the source.
        let tags: [Tag]?
        let storageClass: String?
        let algorithm: ChecksumAlgorithm?

        /// Throws `InvalidArgument`, `InvalidRequest`, `InvalidStorageClass`, `InvalidTag`.
        init(_ headers: HeaderFields) throws(S3Error) {
            replacesMetadata = try CopyObject.replaces("x-amz-metadata-directive", headers)
            let replacesTags = try CopyObject.replaces("x-amz-tagging-directive", headers)
            tags = replacesTags ? try TaggingOperations.tags(from: headers) : nil
            storageClass =
                headers["x-amz-storage-class"] == nil ? nil : try ObjectHeaders.storageClass(from: headers)
            algorithm = try headers["x-amz-checksum-algorithm"].map { name throws(S3Error) in
                guard let algorithm = ChecksumAlgorithm(name: name) else {
                    throw S3Error(
                        .invalidRequest,
                        "Checksum algorithm provided is unsupported. Please try again with any of the "
                            + "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
                }
                return algorithm
            }
        }

        var changesNothing: Bool { !replacesMetadata && storageClass == nil && algorithm == nil }
    }

    static func copy(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let key = try call.key()
        let headers = call.request.headers
        try UnsupportedHeaders.refuse(in: headers)
        let conditions = Conditions(headers)
        try conditions.checkWriteForm()
        let wish = try Wish(headers)
        let source = try CopySource(headers)
        // A copy has no body; what is claimed of one is checked all the same.
        _ = try call.document()
        let (version, replicas, sourceBucket) = try find(source, call)
        try checkSize(version.sizeBytes)
        if sourceBucket.id == bucket.id, source.key == key, source.versionID == nil, wish.changesNothing {
            throw S3Error(
                .invalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                    + "object's metadata, storage class, website redirect location or encryption attributes.")
        }
        if conditions.concernWrites { try PutObject.checkEarly(conditions, call, bucket, key) }
        let writer = ObjectWriter(
            call: call, bucket: bucket, policy: try call.snapshot.policy(for: bucket, tags: wish.tags ?? version.tags))
        try writer.checkPlacement(sizeBytes: version.sizeBytes)
        let copied = try write(version, replicas, wish, writer, key) { draft in
            call.earlyHead?.allow(answer(draft, in: bucket, from: version, in: sourceBucket, call).head)
        }
        let committed = try writer.commit(copied.version, copied.stored, unless: conditions)
        return answer(committed, in: bucket, from: version, in: sourceBucket, call)
    }

    /// Finds what `x-amz-copy-source` names, and checks the conditions on it.
    ///
    /// Throws `NoSuchBucket`, `AccessDenied` for another tenant's bucket that is not shared with this one, whether it is
    /// there or not, what `VersionLookup` throws, `PreconditionFailed`.
    static func find(
        _ source: CopySource, _ call: Call
    ) throws(S3Error) -> (version: ObjectVersion, replicas: [Replica], bucket: Bucket) {
        let bucket = try sourceBucket(source, call)
        let version: ObjectVersion
        let replicas: [Replica]
        do throws(S3Error) {
            (version, replicas) = try VersionLookup.find(source.key, in: bucket, versionID: source.versionID, call)
        } catch {
            guard error.code == .methodNotAllowed else { throw error }
            throw S3Error(
                .invalidRequest,
                "The source of a copy request may not specifically refer to a delete marker by version id.")
        }
        try Conditions(copySource: call.request.headers).checkCopySource(
            eTag: version.eTag, lastModified: version.lastModified)
        return (version, replicas, bucket)
    }

    private static func sourceBucket(_ source: CopySource, _ call: Call) throws(S3Error) -> Bucket {
        let found: Bucket
        if let owner = source.owner, !owner.utf8.elementsEqual(call.tenant.name.utf8) {
            guard let shared = try call.snapshot.bucket(source.bucket, of: owner, sharedWith: call.tenant.id) else {
                throw S3Error(.accessDenied)
            }
            found = shared
        } else {
            guard let own = try call.snapshot.bucket(source.bucket, of: call.tenant.id) else {
                throw S3Error(.noSuchBucket).detail("BucketName", source.bucket.text)
            }
            found = own
        }
        let expected = call.request.headers["x-amz-source-expected-bucket-owner"]
        if let expected, let owner = try call.snapshot.tenant(found.tenantID),
            !expected.elementsEqual(owner.canonicalID.utf8)
        {
            throw S3Error(.accessDenied)
        }
        return found
    }

    /// Throws `InvalidRequest` above 5 GiB.
    static func checkSize(_ sizeBytes: Int64) throws(S3Error) {
        guard sizeBytes <= maximumSourceBytes else {
            throw S3Error(
                .invalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy source: "
                    + String(maximumSourceBytes))
        }
    }

    /// Reads a directive: true for `REPLACE`, false for `COPY` or none.
    ///
    /// Throws `InvalidArgument` for another word.
    static func replaces(_ directive: String, _ headers: HeaderFields) throws(S3Error) -> Bool {
        switch headers.text(directive) {
        case nil, "COPY": return false
        case "REPLACE": return true
        case let word?:
            throw S3Error(.invalidArgument, "Unknown \(directive.dropFirst("x-amz-".count)).")
                .detail("ArgumentName", directive).detail("ArgumentValue", word)
        }
    }

    // MARK: The bytes

    private static func write(
        _ source: ObjectVersion, _ replicas: [Replica], _ wish: Wish, _ writer: ObjectWriter, _ key: ObjectKey,
        takesTime: (ObjectVersion) -> Void
    ) throws(S3Error) -> (version: ObjectVersion, stored: ObjectWriter.Stored) {
        let call = writer.call
        let now = Timestamp.now()
        var version = ObjectVersion(
            id: VersionID(at: now), sequence: 0, bucketID: writer.bucket.id, key: key, isDeleteMarker: false,
            sizeBytes: source.sizeBytes, eTag: "", lastModified: now, storageClass: wish.storageClass ?? "STANDARD",
            checksum: source.checksum,
            headers: wish.replacesMetadata ? try ObjectHeaders.stored(from: call.request.headers) : source.headers,
            isNull: writer.bucket.versioning != .enabled, tags: wish.tags ?? source.tags)
        takesTime(version)
        // A copy of an object that has no checksum gets one, as every new object does.
        let wantsOtherChecksum =
            source.checksum == nil || wish.algorithm != nil && wish.algorithm != source.checksum?.algorithm
        let stored: ObjectWriter.Stored
        do throws(S3Error) {
            if let md5 = md5(of: source), !wantsOtherChecksum {
                let content = CopiedContent(source, replicas: replicas, md5: md5, call)
                do throws(S3Error) { stored = try writer.store(content, as: version) } catch {
                    throw content.failure ?? error
                }
            } else {
                // What the new version says of its bytes has to be computed, and so they have to pass here.
                let content = try SpooledContent.fetch(
                    source, from: replicas, algorithm: wish.algorithm ?? source.checksum?.algorithm ?? .unnamed, call)
                version.checksum = content.checksum
                stored = try writer.store(content, as: version)
            }
        } catch {
            // Its replicas may have been removed while we read them.
            guard error.code.status >= 500, try !isLive(source, call) else { throw error }
            throw S3Error(.noSuchKey).detail("Key", source.key.text)
        }
        version.eTag = Hex.text(stored.md5)
        return (version, stored)
    }

    private static func isLive(_ version: ObjectVersion, _ call: Call) throws(S3Error) -> Bool {
        try call.database.read { sql throws(S3Error) in try sql.isLive(version.id) }
    }

    /// The ETag of an object written in one piece is its MD5; others hold a `-`.
    private static func md5(of version: ObjectVersion) -> [UInt8]? {
        let md5LengthBytes = 16
        return Hex.decode(version.eTag.utf8).flatMap { $0.count == md5LengthBytes ? $0 : nil }
    }

    private static func answer(
        _ version: ObjectVersion, in bucket: Bucket, from source: ObjectVersion, in sourceBucket: Bucket, _ call: Call
    ) -> Answer {
        var xml = XMLWriter()
        xml.openRoot("CopyObjectResult")
        xml.element("LastModified", version.lastModified.wholeSecond.iso8601)
        xml.element("ETag", "\"\(version.eTag)\"")
        if let checksum = version.checksum {
            xml.element("Checksum\(checksum.algorithm.rawValue)", checksum.base64)
            xml.element("ChecksumType", checksum.type.rawValue)
        }
        xml.close("CopyObjectResult")
        var answer = Answer(call, document: xml)
        answer.head.addVersionID(of: version, in: bucket)
        answer.head.addExpiration(of: version, in: bucket, call)
        if sourceBucket.versioning != .unversioned { answer.head.add("x-amz-copy-source-version-id", source.clientID) }
        return answer
    }
}
