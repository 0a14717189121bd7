/// DeleteObject and DeleteObjects.
///
/// Source: Amazon S3 API Reference, DeleteObject and DeleteObjects.
enum DeleteObjects {
    static let maximumKeys = 1000
    /// A thousand keys of 1,024 bytes, each written as numeric references at worst, in a document of 2 MB.
    static let maximumDocumentBytes = 2 << 20

    /// Deleting what is not there succeeds, as on AWS.
    static func one(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let key = try call.key()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        // Only `null` names a version that can be deleted; another one is not there, which is no error.
        if let versionID = call.request.target.query("versionId"), !versionID.elementsEqual("null".utf8) {
            guard VersionID(text: versionID) != nil else {
                throw S3Error(.invalidArgument, "Invalid version id specified").detail("ArgumentName", "versionId")
            }
            return Answer(call.head(204, contentLength: nil))
        }
        let conditions = Conditions(call.request.headers)
        _ = try call.database.write { sql throws(S3Error) in
            try sql.commitDelete(bucketID: bucket.id, key: key) { current throws(S3Error) in
                try conditions.checkWrite(overETag: current?.eTag)
            }
        }
        return Answer(call.head(204, contentLength: nil))
    }

    private struct Entry {
        let key: [UInt8]
        let versionID: [UInt8]?
        let eTag: String?
    }

    /// Deletes up to 1,000 keys and says of each what became of it.
    static func many(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        try requireDigest(call.request)
        let document = try call.document(limitBytes: maximumDocumentBytes)
        let root = try XMLReader.parse(document, root: "Delete", maximumBytes: maximumDocumentBytes)
        let isQuiet = root.child("Quiet")?.word == "true"
        let entries = try entries(in: root)
        let failures = try call.database.write { sql throws(S3Error) in
            var failures: [S3Error?] = []
            for entry in entries { failures.append(try refusal(of: entry, in: bucket, sql)) }
            return failures
        }
        var xml = XMLWriter(reserving: 256 + entries.count * 96)
        xml.openRoot("DeleteResult")
        for (entry, failure) in zip(entries, failures) {
            if let failure {
                write(failure, of: entry, to: &xml)
            } else if !isQuiet {
                xml.open("Deleted")
                xml.element("Key", entry.key)
                if let versionID = entry.versionID { xml.element("VersionId", versionID) }
                xml.close("Deleted")
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
            throw S3Error(.invalidRequest, "Missing required header for this request: Content-MD5")
        }
    }

    private static func entries(in root: XMLElement) throws(S3Error) -> [Entry] {
        let objects = root.children("Object")
        guard (1...maximumKeys).contains(objects.count) else { throw S3Error(.malformedXML) }
        var entries: [Entry] = []
        for object in objects {
            guard let key = object.child("Key")?.text, !key.isEmpty else { throw S3Error(.malformedXML) }
            for child in object.children where !["Key", "VersionId", "ETag"].contains(child.name) {
                throw S3Error(.notImplemented).detail("Element", child.name)
            }
            entries.append(
                Entry(key: key, versionID: object.child("VersionId")?.text, eTag: object.child("ETag")?.word))
        }
        return entries
    }

    /// Deletes one key; returns why not.
    ///
    /// A database that fails is thrown, and then nothing was deleted.
    private static func refusal(
        of entry: Entry, in bucket: Bucket, _ sql: any SQLConnection
    ) throws(S3Error) -> S3Error? {
        if let versionID = entry.versionID, !versionID.elementsEqual("null".utf8) {
            return VersionID(text: versionID) == nil ? S3Error(.noSuchVersion) : nil
        }
        let key: ObjectKey
        do throws(S3Error) { key = try ObjectKey(validating: entry.key) } catch { return error }
        var refusal: S3Error?
        do throws(S3Error) {
            _ = try sql.commitDelete(bucketID: bucket.id, key: key) { current throws(S3Error) in
                guard let eTag = entry.eTag else { return }
                guard let current, Conditions.matches(Array(eTag.utf8), current.eTag) else {
                    refusal = S3Error(.preconditionFailed)
                    throw S3Error(.preconditionFailed)
                }
            }
        } catch {
            guard let refusal else { throw error }
            return refusal
        }
        return nil
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
