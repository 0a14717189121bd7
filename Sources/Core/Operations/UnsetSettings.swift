/// What reads of settings answer that nobody can set here: the same as AWS does about a bucket that nobody has configured.
///
/// Each answer is true of every bucket: nobody but its owner reaches it, ACLs are disabled, there is no policy, no CORS, no
/// object lock. Changing any of it is `NotImplemented`. Tools that manage buckets read all settings, and stop at a refusal
/// which S3 does not have.
///
/// Source: Amazon S3 API Reference, the actions `GetBucket...`, `GetObjectAcl`, `GetObjectRetention`,
/// `GetObjectLegalHold`.
enum UnsetSettings {
    private static let schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

    /// Throws the refusal with which S3 says that there is no such configuration, `NotImplemented` for other methods and
    /// settings, and `NoSuchBucket`.
    static func ofBucket(_ call: Call) throws(S3Error) -> Answer {
        let name = call.route.settingName(in: call.request.target)
        guard call.request.method == .get, let name else { throw unimplemented(call) }
        let bucket = try call.bucket()
        var xml = XMLWriter()
        switch name {
        case "?acl": writeOwnersACL(call.tenant, to: &xml)
        case "?ownershipControls":
            xml.openRoot("OwnershipControls")
            xml.open("Rule")
            xml.element("ObjectOwnership", "BucketOwnerEnforced")
            xml.close("Rule")
            xml.close("OwnershipControls")
        case "?publicAccessBlock":
            xml.openRoot("PublicAccessBlockConfiguration")
            for rule in ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"] {
                xml.element(rule, true)
            }
            xml.close("PublicAccessBlockConfiguration")
        case "?requestPayment":
            xml.openRoot("RequestPaymentConfiguration")
            xml.element("Payer", "BucketOwner")
            xml.close("RequestPaymentConfiguration")
        case "?accelerate": xml.rootElement("AccelerateConfiguration", "")
        case "?logging": xml.rootElement("BucketLoggingStatus", "")
        case "?notification": xml.rootElement("NotificationConfiguration", "")
        default:
            guard let missing = missing(name) else { throw unimplemented(call) }
            throw S3Error(missing).detail("BucketName", bucket.name.text)
        }
        return Answer(call, document: xml)
    }

    /// Throws `InvalidRequest` about locks in a bucket that has none, `NotImplemented` for other methods and settings, and
    /// what a read of the object throws.
    static func ofObject(_ call: Call) throws(S3Error) -> Answer {
        let name = call.route.settingName(in: call.request.target)
        guard call.request.method == .get, let name, ["?acl", "?retention", "?legal-hold"].contains(name) else {
            throw unimplemented(call)
        }
        let bucket = try call.bucket()
        let (version, _) = try VersionLookup.find(
            try call.key(), in: bucket, versionID: call.request.target.query("versionId"), call)
        guard name == "?acl" else {
            throw S3Error(.invalidRequest, "Bucket is missing Object Lock Configuration")
        }
        var xml = XMLWriter()
        writeOwnersACL(call.tenant, to: &xml)
        var answer = Answer(call, document: xml)
        answer.head.addVersionID(of: version, in: bucket)
        return answer
    }

    private static func missing(_ setting: String) -> S3Error.Code? {
        switch setting {
        case "?cors": .noSuchCORSConfiguration
        case "?encryption": .noSuchEncryptionConfiguration
        case "?object-lock": .noSuchObjectLockConfiguration
        case "?policy", "?policyStatus": .noSuchBucketPolicy
        case "?replication": .noSuchReplicationConfiguration
        case "?website": .noSuchWebsiteConfiguration
        default: nil
        }
    }

    private static func unimplemented(_ call: Call) -> S3Error {
        let name = call.route.settingName(in: call.request.target) ?? call.route.operation.rawValue
        return S3Error(.notImplemented, "\(name) is not implemented")
    }

    /// The ACL of a bucket, or an object, that is its owner's alone.
    private static func writeOwnersACL(_ owner: Tenant, to xml: inout XMLWriter) {
        xml.openRoot("AccessControlPolicy")
        xml.open("Owner")
        xml.writePerson(owner)
        xml.close("Owner")
        xml.open("AccessControlList")
        xml.open("Grant")
        xml.open("Grantee xmlns:xsi=\"\(schemaInstance)\" xsi:type=\"CanonicalUser\"")
        xml.writePerson(owner)
        xml.close("Grantee")
        xml.element("Permission", "FULL_CONTROL")
        xml.close("Grant")
        xml.close("AccessControlList")
        xml.close("AccessControlPolicy")
    }
}

extension XMLWriter {
    fileprivate mutating func writePerson(_ tenant: Tenant) {
        element("ID", tenant.canonicalID)
        element("DisplayName", tenant.displayName)
    }
}
