import Logging

/// Asks backends for one thing each, as placement grants it, and tells failures of one from failures of all.
struct PlacedWork: Sendable {
    let call: Call
    let bucket: Bucket
    let policy: EffectivePolicy

    /// What came of one attempt at one backend.
    enum Attempt<Value: Sendable>: Sendable {
        case done(backendID: Int64, Value)
        case failed(backendID: Int64, BackendError)
        /// Our own side failed: no other backend would fare better.
        case impossible(S3Error)
    }

    /// `tags` are those of the object: one of them may ask for a number of replicas.
    init(_ call: Call, _ bucket: Bucket, tags: [Tag]) throws(S3Error) {
        self.call = call
        self.bucket = bucket
        policy = try call.snapshot.policy(for: bucket, tags: tags)
    }

    init(call: Call, bucket: Bucket, policy: EffectivePolicy) {
        self.call = call
        self.bucket = bucket
        self.policy = policy
    }

    /// Decides where bytes may go now; those that `failures` names count as unhealthy, and those of `kept`, which have the
    /// bytes, as well.
    ///
    /// Throws the placement's refusal: a 4xx when policy leaves too few, `ServiceUnavailable` when health does.
    func plan(
        _ sizeBytes: Int64, avoiding failures: [Int64: String] = [:], keeping kept: Set<Int64> = []
    ) throws(S3Error) -> Plan {
        let candidates = call.snapshot.candidates().map { candidate in
            if failures[candidate.backendID] != nil { return candidate.with(isHealthy: false) }
            return kept.contains(candidate.backendID) ? candidate.with(isHealthy: true) : candidate
        }
        switch Placement.decide(policy, candidates: candidates, sizeBytes: sizeBytes, keeping: kept) {
        case .place(let plan): return plan
        case .refuse(let refusal):
            guard failures.isEmpty else { throw unavailable(failures) }
            throw refusal.s3Error
        }
    }

    /// Where the parts of an upload may go now, of its open `places`: as placed anew, and where it ran before the backend
    /// was drained.
    ///
    /// Throws `NoSuchUpload`, and ends the upload, when it can never be completed: too few places are left to it, because
    /// backends were lost.
    func grants(
        _ plan: Plan, for upload: Upload, at places: [UploadPlace], sizeBytes: Int64
    ) throws(S3Error) -> [Int64: PlacementGrant] {
        let left = places.filter { call.snapshot.backends[$0.backendID].map { !$0.isLost } ?? false }
        guard left.count >= plan.acknowledge else {
            try call.database.write { sql throws(S3Error) in _ = try sql.endUpload(id: upload.id, at: .now()) }
            call.log.notice(
                "an upload was ended",
                metadata: call.logMetadata(cause: "\(left.count) of its places are left, \(plan.acknowledge) must be"))
            throw S3Error(.noSuchUpload)
        }
        var grants = Dictionary(
            (plan.grants + plan.spares).map { ($0.backendID, $0) }, uniquingKeysWith: { first, _ in first })
        for candidate in call.snapshot.candidates()
        where places.contains(where: { $0.backendID == candidate.backendID }) {
            guard grants[candidate.backendID] == nil else { continue }
            grants[candidate.backendID] = Placement.continuing(policy, candidate, sizeBytes: sizeBytes)
        }
        return grants
    }

    func unavailable(_ failures: [Int64: String]) -> S3Error {
        S3Error(.serviceUnavailable, cause: failures.values.sorted().joined(separator: "; ")).header("Retry-After", "1")
    }

    /// The bucket's name on that backend, which is made when it is not there.
    func physicalName(on live: LiveBackend) throws(S3Error) -> String {
        if let known = try call.snapshot.physicalName(of: bucket, on: live.backend.record.id) { return known }
        return try call.world.provisioner.ensure(bucket, of: call.tenant, on: live)
    }

    /// Asks one backend; `prepare` is what has to be found out before that.
    func ask<Input, Value: Sendable>(
        _ backendID: Int64, prepare: (LiveBackend) throws(S3Error) -> Input,
        _ body: (any Backend, Input) throws(BackendError) -> Value
    ) -> Attempt<Value> {
        attempt(backendID, prepare: prepare) { live, input throws(BackendError) in
            try live.observe { backend throws(BackendError) in try body(backend, input) }
        }
    }

    /// As `ask`, for a `body` that tells the breaker itself what came of it.
    func attempt<Input, Value: Sendable>(
        _ backendID: Int64, prepare: (LiveBackend) throws(S3Error) -> Input,
        _ body: (LiveBackend, Input) throws(BackendError) -> Value
    ) -> Attempt<Value> {
        guard let live = call.snapshot.backends[backendID] else {
            return .failed(
                backendID: backendID, BackendError(.unavailable, backend: "backend \(backendID)", "is gone"))
        }
        let input: Input
        do throws(S3Error) { input = try prepare(live) } catch {
            return .failed(
                backendID: backendID, BackendError(.unavailable, backend: live.name, error.cause ?? error.message))
        }
        do throws(BackendError) { return .done(backendID: backendID, try body(live, input)) } catch {
            guard error.kind == .stopped else { return .failed(backendID: backendID, error) }
            let cause = "\(error.backend): \(error.cause)"
            return .impossible(error.hasClientLeft ? .clientLeft : S3Error(.internalError, cause: cause))
        }
    }

    /// Adds what succeeded to `values` and what did not to `failures`; throws what no other backend would change.
    func sort<Value>(
        _ attempts: [Attempt<Value>], into values: inout [(backendID: Int64, value: Value)],
        _ failures: inout [Int64: String]
    ) throws(S3Error) {
        for attempt in attempts {
            switch attempt {
            case .done(let backendID, let value): values.append((backendID, value))
            case .failed(let backendID, let error):
                let cause = "\(error.backend): \(error.cause)"
                failures[backendID] = cause
                call.log.warning("backend failed", metadata: call.logMetadata(cause: cause))
            case .impossible(let error): throw error
            }
        }
    }
}
