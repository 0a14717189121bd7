import Logging

/// The gateway of one process, shared by its request threads.
package final class Gateway: Sendable {
    private let world: World
    private let authenticator: Authenticator
    private let failures: FailureLimit
    private static let log = Logger(label: "s3gw.gateway")
    /// Codes by which the client learns what is, as it asked to.
    private static let answers: Set<S3Error.Code> = [.notModified, .preconditionFailed, .noSuchKey, .noSuchBucket]

    /// `failuresPerMinute` bounds failed authentications of one address or one key; 0 is no limit.
    package init(world: World, failuresPerMinute: Int = FailureLimit.defaultMaximum) {
        self.world = world
        failures = FailureLimit(maximum: failuresPerMinute)
        authenticator = Authenticator(signingKeys: SigningKeyCache())
    }

    /// Answers one request.
    ///
    /// A GET is decided in the world as it was known last, because its own statement about the object tells whether that
    /// world is still the one; what was refused in another world is decided again.
    package func serve(_ request: HTTPRequest, on wire: inout some Wire & ~Copyable) {
        do throws(S3Error) {
            if request.method != .get && request.method != .head { wire.willTakeLong() }
            guard request.method == .get, let known = world.known else {
                return try serve(request, in: try world.snapshot(), on: &wire)
            }
            do throws(S3Error) { try serve(request, in: known, isAssumed: true, on: &wire) } catch {
                let snapshot = try world.snapshot()
                guard snapshot !== known else { throw error }
                try serve(request, in: snapshot, on: &wire)
            }
        } catch {
            guard let tooMany = tooManyFailures(error, request) else {
                return refuse(error, rawPath: request.target.rawPath, id: request.id, on: &wire)
            }
            answer(tooMany, rawPath: request.target.rawPath, id: request.id, on: &wire)
        }
    }

    /// What is answered, and not logged, in the place of `error` when its sender has failed to authenticate too often;
    /// nil when `error` is to be told.
    private func tooManyFailures(_ error: S3Error, _ request: HTTPRequest) -> S3Error? {
        guard error.isFailedAuthentication else { return nil }
        tellSuppressedFailures()
        let accessKeyID = error.details.first { $0.name == "AWSAccessKeyId" }?.value ?? ""
        switch failures.count(
            address: request.remoteAddress, accessKeyID: accessKeyID, now: MonotonicClock.milliseconds())
        {
        case .within: return nil
        case .above(let seconds): return S3Error(.slowDown).header("Retry-After", String(seconds))
        }
    }

    /// Logs, once for each minute in which there were any, how many failed authentications were not logged one by one;
    /// called every so often, because the last of them may have no successor, and when the process ends.
    package func tellSuppressedFailures(atEnd: Bool = false) {
        guard let summary = failures.summary(now: atEnd ? .max : MonotonicClock.milliseconds()) else { return }
        Self.log.warning(
            "failed authentications above the limit",
            metadata: [
                "count": .stringConvertible(summary.count), "address": "\(summary.address)",
                "key": "\(summary.accessKeyID)",
            ])
    }

    /// Answers one request in the world of `snapshot`, or throws before anything was sent; the body of this function is the
    /// map of `Sources/Core`.
    ///
    /// Routing follows authentication because a presigned URL carries headers in its query, and these take part in it.
    private func serve(
        _ request: HTTPRequest, in snapshot: WorldSnapshot, isAssumed: Bool = false,
        on wire: inout some Wire & ~Copyable
    ) throws(S3Error) {
        var request = request
        let (tenant, payload, form) = try authenticate(&request, snapshot)  // Auth/
        let route = try S3Route(routing: request)  // Request/
        try Authorization.check(request, tenant)  // Operations/
        // The signature of a form is good for one operation only.
        guard form == nil || route.operation == .postObject else { throw S3Error(.methodNotAllowed) }
        let isRead = route.operation == .getObject && !request.target.has("versionId")
        if isAssumed, !isRead, try world.snapshot() !== snapshot {  // Operations/World
            throw S3Error(.serviceUnavailable, cause: "the configuration changed meanwhile")
        }
        if route.operation != .getObject && route.operation != .headObject { wire.willTakeLong() }
        var call = Call(
            request: request, route: route, tenant: tenant, payload: payload, snapshot: snapshot, world: world,
            form: form)
        call.isWorldAssumed = isAssumed && isRead
        try execute(call, on: &wire)  // Operations/ -> Placement/, Backend/, Metadata/
    }

    private func authenticate(
        _ request: inout HTTPRequest, _ snapshot: WorldSnapshot
    ) throws(S3Error) -> (Tenant, PayloadMode, SignedForm?) {
        let authentication: Authentication
        do throws(S3Error) {
            authentication = try authenticator.authenticate(&request, now: request.receivedAt) {
                accessKeyID throws(S3Error) in try snapshot.credential(accessKeyID)
            }
        } catch {
            var error = error
            // Who is told the right region asks again; and what is wrong on our side is nobody's failure.
            let isAnswer = error.code.status >= 500 || error.details.contains { $0.name == "Region" }
            error.isFailedAuthentication = !isAnswer
            throw error
        }
        switch authentication {
        case .anonymous: throw S3Error(.accessDenied)
        case .signed(let credential, let payload): return (try tenant(of: credential, snapshot), payload, nil)
        case .form(let credential, let form): return (try tenant(of: credential, snapshot), .unsigned, form)
        }
    }

    private func tenant(of credential: Credential, _ snapshot: WorldSnapshot) throws(S3Error) -> Tenant {
        guard let tenant = try snapshot.tenant(credential.tenantID) else { throw S3Error(.invalidAccessKeyID) }
        return tenant
    }

    /// Runs the operation and sends its answer.
    ///
    /// Throws only while nothing has been sent.
    private func execute(_ call: Call, on wire: inout some Wire & ~Copyable) throws(S3Error) {
        let answer: Answer
        switch call.route.operation {
        case .getObject: return try GetObject.get(call, on: &wire)
        case .headObject: answer = try GetObject.head(call)
        case .putObject: answer = try PutObject.put(call)
        case .postObject: answer = try PostObject.post(call)
        case .copyObject: return try executeSlowly(call, on: &wire, CopyObject.copy)
        case .deleteObject: answer = try DeleteObjects.one(call)
        case .deleteObjects: answer = try DeleteObjects.many(call)
        case .listObjects: answer = try ListObjects.version1(call)
        case .listObjectsV2: answer = try ListObjects.version2(call)
        case .listBuckets: answer = try ListBuckets.answer(call)
        case .createBucket: answer = try BucketOperations.create(call)
        case .headBucket: answer = try BucketOperations.head(call)
        case .getBucketLocation: answer = try BucketOperations.location(call)
        case .deleteBucket: answer = try BucketOperations.delete(call)
        case .createMultipartUpload: answer = try MultipartUploads.create(call)
        case .uploadPartCopy: return try executeSlowly(call, on: &wire, UploadPartCopy.copy)
        case .uploadPart: answer = try UploadPartOperation.upload(call)
        case .completeMultipartUpload: return try executeSlowly(call, on: &wire, CompleteUpload.complete)
        case .abortMultipartUpload: answer = try MultipartUploads.abort(call)
        case .listParts: answer = try ListParts.answer(call)
        case .listMultipartUploads: answer = try MultipartUploads.list(call)
        case .listObjectVersions: answer = try ListObjectVersions.list(call)
        case .getBucketVersioning: answer = try VersioningOperations.get(call)
        case .putBucketVersioning: answer = try VersioningOperations.put(call)
        case .getBucketTagging: answer = try TaggingOperations.getBucket(call)
        case .putBucketTagging: answer = try TaggingOperations.putBucket(call)
        case .deleteBucketTagging: answer = try TaggingOperations.deleteBucket(call)
        case .getBucketLifecycle: answer = try LifecycleOperations.get(call)
        case .putBucketLifecycle: answer = try LifecycleOperations.put(call)
        case .deleteBucketLifecycle: answer = try LifecycleOperations.delete(call)
        case .getObjectTagging: answer = try TaggingOperations.getObject(call)
        case .putObjectTagging: answer = try TaggingOperations.putObject(call)
        case .deleteObjectTagging: answer = try TaggingOperations.deleteObject(call)
        case .getObjectAttributes: answer = try GetObjectAttributes.get(call)
        case .createSession, .bucketSetting,
            .selectObjectContent, .restoreObject, .renameObject, .objectSetting, .preflight:
            let name = call.route.settingName(in: call.request.target) ?? call.route.operation.rawValue
            throw S3Error(.notImplemented, "\(name) is not implemented")
        }
        send(answer, of: call, on: &wire)
    }

    func send(_ answer: Answer, of call: Call, on wire: inout some Wire & ~Copyable) {
        do throws(WireClosed) {
            guard !answer.body.isEmpty else { return try wire.send(answer.head) }
            try wire.send(answer.head, body: answer.body)
        } catch {
            Self.log.debug("client left", metadata: call.logMetadata)
        }
    }

    /// Logs a refusal under the request's id; what is no refusal but an answer, such as 304 or 404, is not logged.
    func log(_ error: S3Error, rawPath: [UInt8], id: RequestID) {
        guard !Self.answers.contains(error.code) else { return }
        let isOurs = error.code.status >= 500 && error.code != .notImplemented || error.cause != nil
        Self.log.log(
            level: isOurs ? .error : .info, isOurs ? "request failed" : "request refused",
            metadata: [
                "request": "\(id)", "code": "\(error.code.name)", "cause": "\(error.cause ?? error.message)",
                "path": "\(String(decoding: rawPath, as: UTF8.self))",
            ])
    }

    /// Sends the error document, also for a request that could not even be read; a 304 has none.
    package func refuse(_ error: S3Error, rawPath: [UInt8], id: RequestID, on wire: inout some Wire & ~Copyable) {
        log(error, rawPath: rawPath, id: id)
        answer(error, rawPath: rawPath, id: id, on: &wire)
    }

    private func answer(_ error: S3Error, rawPath: [UInt8], id: RequestID, on wire: inout some Wire & ~Copyable) {
        let isNotModified = error.code == .notModified
        var head = ResponseHead(status: error.code.status, contentLength: isNotModified ? nil : 0)
        head.add("x-amz-request-id", id.description)
        head.add("x-amz-id-2", id.hostID)
        for header in error.headers { head.add(header.name, header.value) }
        do throws(WireClosed) {
            guard !isNotModified else { return try wire.send(head) }
            head.add("Content-Type", "application/xml")
            let document = ErrorDocument.render(error, resource: rawPath, requestID: id.description, hostID: id.hostID)
            try wire.send(head, body: document)
        } catch {
            Self.log.debug("client left", metadata: ["request": "\(id)"])
        }
    }
}
