/// Every refusal the gateway can give.
///
/// Codes and statuses follow the Amazon S3 API Reference, "Error responses"; the texts say the same in S3's words.
/// This table is the only place where a code, status or standard message is written.
extension S3Error.Code {
    private static func row(_ name: String, _ status: Int, _ message: String) -> Self {
        Self(row: name, status, message)
    }

    // MARK: Who asks

    package static let accessDenied = row("AccessDenied", 403, "Access Denied")
    package static let invalidAccessKeyID = row(
        "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.")
    package static let signatureDoesNotMatch = row(
        "SignatureDoesNotMatch", 403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    )
    package static let requestTimeTooSkewed = row(
        "RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large.")
    package static let authorizationHeaderMalformed = row(
        "AuthorizationHeaderMalformed", 400, "The authorization header you provided is invalid.")
    package static let authorizationQueryParametersError = row(
        "AuthorizationQueryParametersError", 400, "The authorization query parameters you provided are invalid.")
    package static let invalidToken = row("InvalidToken", 400, "The provided token is malformed or otherwise invalid.")

    // MARK: The request itself

    package static let badRequest = row("BadRequest", 400, "Bad Request")
    package static let invalidRequest = row("InvalidRequest", 400, "Invalid Request")
    package static let invalidArgument = row("InvalidArgument", 400, "Invalid Argument")
    package static let invalidURI = row("InvalidURI", 400, "Couldn't parse the specified URI.")
    package static let malformedXML = row(
        "MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema"
    )
    package static let methodNotAllowed = row(
        "MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
    package static let notImplemented = row(
        "NotImplemented", 501, "A header you provided implies functionality that is not implemented")
    package static let missingContentLength = row(
        "MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
    package static let incompleteBody = row(
        "IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header")
    package static let entityTooLarge = row(
        "EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size")
    package static let entityTooSmall = row(
        "EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size")
    package static let maxMessageLengthExceeded = row("MaxMessageLengthExceeded", 400, "Your request was too big.")
    package static let metadataTooLarge = row(
        "MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size")
    package static let keyTooLong = row("KeyTooLongError", 400, "Your key is too long")
    package static let requestHeaderSectionTooLarge = row(
        "RequestHeaderSectionTooLarge", 400, "Your request header section exceeds the maximum allowed size.")
    package static let invalidRange = row("InvalidRange", 416, "The requested range is not satisfiable")
    package static let preconditionFailed = row(
        "PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold")
    package static let conditionalRequestConflict = row(
        "ConditionalRequestConflict", 409,
        "The conditional request cannot succeed due to a conflicting operation against this resource.")
    package static let notModified = row("NotModified", 304, "Not Modified")
    package static let invalidStorageClass = row(
        "InvalidStorageClass", 400, "The storage class you specified is not valid")

    // MARK: The body and its checksums

    package static let badDigest = row(
        "BadDigest", 400, "The Content-MD5 or checksum you specified did not match what we received.")
    package static let invalidDigest = row("InvalidDigest", 400, "The Content-MD5 you specified was invalid.")
    package static let contentSHA256Mismatch = row(
        "XAmzContentSHA256Mismatch", 400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.")
    package static let malformedTrailer = row(
        "MalformedTrailerError", 400,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.")
    package static let invalidChunkSize = row(
        "InvalidChunkSizeError", 403, "Only the last chunk is allowed to have a size less than 8192 bytes")
    package static let requestTimeout = row(
        "RequestTimeout", 400,
        "Your socket connection to the server was not read from or written to within the timeout period.")

    // MARK: Form uploads

    package static let malformedPOSTRequest = row(
        "MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data.")
    package static let maxPostPreDataLengthExceeded = row(
        "MaxPostPreDataLengthExceededError", 400, "Your POST request fields preceding the upload file were too large.")
    package static let incorrectNumberOfFiles = row(
        "IncorrectNumberOfFilesInPostRequest", 400, "POST requires exactly one file upload per request.")
    package static let userKeyMustBeSpecified = row(
        "UserKeyMustBeSpecified", 400,
        "The bucket POST must contain the specified field name. If it is specified, check the order of the fields.")
    package static let invalidPolicyDocument = row(
        "InvalidPolicyDocument", 400,
        "The content of the form does not meet the conditions specified in the policy document.")

    // MARK: Buckets, keys and versions

    package static let noSuchBucket = row("NoSuchBucket", 404, "The specified bucket does not exist")
    package static let noSuchKey = row("NoSuchKey", 404, "The specified key does not exist.")
    package static let noSuchVersion = row("NoSuchVersion", 404, "The specified version does not exist.")
    package static let noSuchUpload = row(
        "NoSuchUpload", 404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    )
    package static let invalidPart = row(
        "InvalidPart", 400,
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
    )
    package static let invalidPartOrder = row(
        "InvalidPartOrder", 400,
        "The list of parts was not in ascending order. The parts list must be specified in order by part number.")
    package static let invalidPartNumber = row(
        "InvalidPartNumber", 416, "The requested partnumber is not satisfiable")
    package static let invalidBucketName = row("InvalidBucketName", 400, "The specified bucket is not valid.")
    package static let bucketAlreadyExists = row(
        "BucketAlreadyExists", 409,
        "The requested bucket name is not available. Select a different name and try again.")
    package static let bucketAlreadyOwnedByYou = row(
        "BucketAlreadyOwnedByYou", 409,
        "Your previous request to create the named bucket succeeded and you already own it.")
    package static let bucketNotEmpty = row("BucketNotEmpty", 409, "The bucket you tried to delete is not empty")
    package static let invalidTag = row(
        "InvalidTag", 400,
        "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation.")
    package static let noSuchLifecycleConfiguration = row(
        "NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist")
    package static let noSuchTagSet = row("NoSuchTagSet", 404, "The TagSet does not exist")
    package static let invalidBucketState = row(
        "InvalidBucketState", 409, "The request is not valid for the current state of the bucket.")
    package static let illegalVersioningConfiguration = row(
        "IllegalVersioningConfigurationException", 400,
        "The Versioning element must be specified")
    package static let tooManyBuckets = row(
        "TooManyBuckets", 400, "You have attempted to create more buckets than allowed")
    package static let invalidLocationConstraint = row(
        "InvalidLocationConstraint", 400, "The specified location-constraint is not valid")
    package static let illegalLocationConstraint = row(
        "IllegalLocationConstraintException", 400, "The specified location constraint is not valid for this endpoint.")
    package static let operationAborted = row(
        "OperationAborted", 409,
        "A conflicting conditional operation is currently in progress against this resource. Try again.")

    // MARK: Ours to answer for

    package static let internalError = row(
        "InternalError", 500, "We encountered an internal error. Please try again.")
    package static let serviceUnavailable = row(
        "ServiceUnavailable", 503, "Service is unable to handle request.")
    package static let slowDown = row("SlowDown", 503, "Please reduce your request rate.")
    /// No row of S3 fits a policy that leaves too few backends; 409 because the caller or the operator can change it.
    package static let policyRefused = row(
        "PlacementPolicyViolation", 409, "The placement policy leaves too few backends that may hold this data.")
}
