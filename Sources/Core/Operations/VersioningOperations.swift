/// GetBucketVersioning and PutBucketVersioning.
///
/// Source: Amazon S3 API Reference, the actions of these names.
enum VersioningOperations {
    static func get(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        var xml = XMLWriter()
        xml.openRoot("VersioningConfiguration")
        switch bucket.versioning {
        case .unversioned: break
        case .enabled: xml.element("Status", "Enabled")
        case .suspended: xml.element("Status", "Suspended")
        }
        xml.close("VersioningConfiguration")
        return Answer(call, document: xml)
    }

    /// Takes effect for every request that begins after the answer, in every process.
    ///
    /// Throws `MalformedXML`, `IllegalVersioningConfigurationException` without a status, `NotImplemented` for deletes
    /// that need a second factor.
    static func put(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let root = try XMLReader.parse(try call.document(), root: "VersioningConfiguration")
        for child in root.children {
            switch (child.name, child.word) {
            case ("Status", "Enabled"), ("Status", "Suspended"), ("MfaDelete", "Disabled"): break
            case ("MfaDelete", "Enabled"): throw S3Error.unimplemented(.element, child.name)
            default: throw S3Error(.malformedXML)
            }
        }
        guard let status = root.child("Status") else { throw S3Error(.illegalVersioningConfiguration) }
        guard root.children("Status").count == 1 else { throw S3Error(.malformedXML) }
        try call.database.write { sql throws(S3Error) in
            try sql.setVersioning(bucketID: bucket.id, status.word == "Enabled" ? .enabled : .suspended)
        }
        return Answer(call.head(200))
    }
}
