/// Finds the version that a read names, or the refusal that says why there is none.
enum VersionLookup {
    /// Returns the key's current version, or the one that `versionID` names, with its present replicas.
    ///
    /// Throws `NoSuchKey`, `NoSuchVersion`, and `InvalidArgument` for a text that is no version id.
    static func find(
        _ key: ObjectKey, in bucket: Bucket, versionID: [UInt8]?, _ call: Call
    ) throws(S3Error) -> (version: ObjectVersion, replicas: [Replica]) {
        // Buckets are not versioned yet: the only version that can be named is `null`.
        if let versionID, try reference(versionID) != .null { throw S3Error(.noSuchVersion) }
        let found = try call.database.read { sql throws(S3Error) in
            try sql.currentVersionWithReplicas(bucketID: bucket.id, key: key)
        }
        guard let found else { throw S3Error(.noSuchKey).detail("Key", key.text) }
        return found
    }

    /// Throws `InvalidArgument` for a text that is no version id.
    static func reference(_ text: [UInt8]) throws(S3Error) -> VersionReference {
        guard let reference = VersionReference(text: text) else {
            throw S3Error(.invalidArgument, "Invalid version id specified").detail("ArgumentName", "versionId")
                .detail("ArgumentValue", String(decoding: text, as: UTF8.self))
        }
        return reference
    }
}
