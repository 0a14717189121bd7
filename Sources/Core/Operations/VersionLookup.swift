/// Finds the version that a read names, or the refusal that says why there is none.
///
/// Source: Amazon S3 User Guide, "Working with delete markers".
enum VersionLookup {
    /// Returns the key's current version, or the one that `versionID` names, with its present replicas.
    ///
    /// Throws `NoSuchKey`, `NoSuchVersion`, `InvalidArgument` for a text that is no version id, and `MethodNotAllowed`
    /// for one that names a delete marker.
    static func find(
        _ key: ObjectKey, in bucket: Bucket, versionID: [UInt8]?, _ call: Call
    ) throws(S3Error) -> (version: ObjectVersion, replicas: [Replica]) {
        guard let versionID else { return try current(key, in: bucket, call) }
        let reference = try reference(versionID)
        let found = try call.database.read { sql throws(S3Error) in
            try sql.versionWithReplicas(bucketID: bucket.id, key: key, reference)
        }
        guard let found else {
            throw S3Error(.noSuchVersion).detail("Key", key.text)
                .detail("VersionId", String(decoding: versionID, as: UTF8.self))
        }
        guard !found.version.isDeleteMarker else {
            throw marked(S3Error(.methodNotAllowed), by: found.version).detail("Method", call.request.method.text)
                .detail("ResourceType", "DeleteMarker").header("Allow", "DELETE")
                .header("Last-Modified", found.version.lastModified.httpDate)
        }
        return found
    }

    private static func current(
        _ key: ObjectKey, in bucket: Bucket, _ call: Call
    ) throws(S3Error) -> (version: ObjectVersion, replicas: [Replica]) {
        let found = try call.database.readOnce { sql throws(S3Error) in
            try sql.currentVersionWithReplicas(bucketID: bucket.id, key: key)
        }
        if let found {
            guard found.generation == call.snapshot.generation || !call.isWorldAssumed else {
                throw S3Error(.serviceUnavailable, cause: "the configuration changed meanwhile")
            }
            return (found.version, found.replicas)
        }
        let missing = S3Error(.noSuchKey).detail("Key", key.text)
        let latest = try call.database.read { sql throws(S3Error) in
            try sql.latestVersion(bucketID: bucket.id, key: key)
        }
        guard let latest, latest.isDeleteMarker else { throw missing }
        throw marked(missing, by: latest)
    }

    private static func marked(_ error: S3Error, by marker: ObjectVersion) -> S3Error {
        error.header("x-amz-delete-marker", "true")
            .header("x-amz-version-id", String(decoding: marker.clientID, as: UTF8.self))
    }

    /// Throws `InvalidArgument` for a text that is no version id.
    static func reference(_ text: [UInt8]) throws(S3Error) -> VersionReference {
        guard let reference = VersionReference(text: text) else {
            let problem = text.isEmpty ? "Version id cannot be the empty string" : "Invalid version id specified"
            throw S3Error(.invalidArgument, problem).detail("ArgumentName", "versionId")
                .detail("ArgumentValue", String(decoding: text, as: UTF8.self))
        }
        return reference
    }
}

extension ResponseHead {
    /// Names the version in answers about buckets whose versions clients know of.
    mutating func addVersionID(of version: ObjectVersion, in bucket: Bucket) {
        guard bucket.versioning != .unversioned || !version.isNull else { return }
        add("x-amz-version-id", version.clientID)
    }
}
