/// DeleteObject and DeleteObjects.
///
/// Source: Amazon S3 API Reference, DeleteObject and DeleteObjects.
enum DeleteObjects {
    /// Deleting what is not there succeeds, as on AWS; without a version id, a bucket with versioning gets a delete marker.
    static func one(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let key = try call.key()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let conditions = Conditions(call.request.headers)
        let versionID = call.request.target.query("versionId")
        let reference = try versionID.map(VersionLookup.reference)
        let outcome = try call.database.write { sql throws(S3Error) in
            try delete(key, reference, in: bucket, sql) { eTag throws(S3Error) in
                try conditions.checkWrite(overETag: eTag)
            }
        }
        var head = call.head(204, contentLength: nil)
        if let id = outcome.versionID ?? versionID { head.add("x-amz-version-id", id) }
        if outcome.isMarker { head.add("x-amz-delete-marker", "true") }
        return Answer(head)
    }

    /// What one delete did, as clients are told.
    private struct Outcome {
        /// The marker that was made, or the version that was named; nil where clients know of no versions.
        var versionID: [UInt8]?
        /// Whether that is a delete marker.
        var isMarker = false
    }

    /// Deletes a key or one of its versions; `unless` sees the ETag of what goes, nil when that is no object.
    private static func delete(
        _ key: ObjectKey, _ reference: VersionReference?, in bucket: Bucket, _ sql: any SQLConnection,
        unless: (_ eTag: String?) throws(S3Error) -> Void
    ) throws(S3Error) -> Outcome {
        let check: (ObjectVersion?) throws(S3Error) -> Void = { version throws(S3Error) in
            try unless(version.flatMap { $0.isDeleteMarker ? nil : $0.eTag })
        }
        guard let reference else {
            let deletion = try sql.commitDelete(bucketID: bucket.id, key: key, unless: check)
            return Outcome(versionID: deletion.marker?.clientID, isMarker: deletion.marker != nil)
        }
        let removed = try sql.commitDelete(bucketID: bucket.id, key: key, version: reference, unless: check)
        return Outcome(versionID: removed?.clientID, isMarker: removed?.isDeleteMarker ?? false)
    }

    private typealias Entry = DeletionDocument.Entry

    /// Deletes up to 1,000 keys and says of each what became of it.
    static func many(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        try requireDigest(call.request)
        let document = try DeletionDocument(
            parsing: try call.document(limitBytes: DeletionDocument.maximumBytes))
        let entries = document.entries
        let results = try call.database.write { sql throws(S3Error) in
            var results: [Result<Outcome, S3Error>] = []
            for entry in entries { results.append(try result(of: entry, in: bucket, sql)) }
            return results
        }
        var xml = XMLWriter(reserving: 256 + entries.count * 96)
        xml.openRoot("DeleteResult")
        for (entry, result) in zip(entries, results) {
            switch result {
            case .failure(let failure): write(failure, of: entry, to: &xml)
            case .success(let outcome): if !document.isQuiet { write(outcome, of: entry, to: &xml) }
            }
        }
        xml.close("DeleteResult")
        return Answer(call, document: xml)
    }

    /// AWS refuses the request without Content-MD5 or a checksum of the document.
    private static func requireDigest(_ request: HTTPRequest) throws(S3Error) {
        let hasChecksum = request.headers.fields.contains { field in
            field.name == "content-md5" || field.name == "x-amz-trailer"
                || ChecksumAlgorithm.allCases.contains { $0.headerName == field.name }
        }
        guard hasChecksum else {
            throw S3Error(.invalidRequest, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
        }
    }

    /// Deletes one key or version, or says why not.
    ///
    /// A database that fails is thrown, and then nothing was deleted.
    private static func result(
        of entry: Entry, in bucket: Bucket, _ sql: any SQLConnection
    ) throws(S3Error) -> Result<Outcome, S3Error> {
        var reference: VersionReference?
        if let text = entry.versionID {
            reference = VersionReference(text: text)
            if reference == nil { return .failure(S3Error(.noSuchVersion)) }
        }
        let key: ObjectKey
        do throws(S3Error) { key = try ObjectKey(validating: entry.key) } catch { return .failure(error) }
        var refusal: S3Error?
        do throws(S3Error) {
            return .success(
                try delete(key, reference, in: bucket, sql) { eTag throws(S3Error) in
                    guard let wanted = entry.eTag else { return }
                    guard let eTag, Conditions.matches(Array(wanted.utf8), eTag) else {
                        refusal = S3Error(.preconditionFailed)
                        throw S3Error(.preconditionFailed)
                    }
                })
        } catch {
            guard let refusal else { throw error }
            return .failure(refusal)
        }
    }

    private static func write(_ outcome: Outcome, of entry: Entry, to xml: inout XMLWriter) {
        xml.open("Deleted")
        xml.element("Key", entry.key)
        if let versionID = entry.versionID { xml.element("VersionId", versionID) }
        if outcome.isMarker, let marker = outcome.versionID {
            xml.element("DeleteMarker", true)
            xml.element("DeleteMarkerVersionId", marker)
        }
        xml.close("Deleted")
    }

    private static func write(_ failure: S3Error, of entry: Entry, to xml: inout XMLWriter) {
        xml.open("Error")
        xml.element("Key", entry.key)
        if let versionID = entry.versionID { xml.element("VersionId", versionID) }
        xml.element("Code", failure.code.name)
        xml.element("Message", failure.message)
        xml.close("Error")
    }
}
