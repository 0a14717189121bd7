/// What a change of backends or policies would do, by the same functions that decide for real.
///
/// Health does not count: what is answered is what will be when all backends that are there are well.
package struct WhatIf {
    /// What it would mean for one bucket.
    package struct BucketEffect: Sendable, Equatable {
        package var bucket: Bucket
        package var tenant: String
        /// Why objects of the bucket, or some of them, could not be placed any more; nil when they could, or could not
        /// before either.
        package var refusal: PlacementRefusal?
        /// Stored versions that could not have all their replicas any more.
        package var broken = ReplicaSum()
        /// Stored versions that would get new replicas.
        package var versionsToMove: Int64 = 0
        /// Those replicas.
        package var copies = ReplicaSum()

        package var isAffected: Bool { refusal != nil || copies.replicas > 0 }
    }

    /// The policies and backends of one side of the comparison.
    package struct Side: Sendable {
        package var candidates: [PlacementCandidate]
        /// Documents that are not those of the database, by tenant and by bucket; nil inside for none.
        package var tenantPolicies: [Int64: PolicyDocument?] = [:]
        package var bucketPolicies: [Int64: PolicyDocument?] = [:]

        package init(_ records: [BackendRecord]) {
            candidates = records.map { record in
                PlacementCandidate(
                    backendID: record.id, name: record.name, location: record.location, state: record.state,
                    isHealthy: true)
            }
        }

        /// The same with some backends in another state.
        package func with(_ state: BackendState, for ids: Set<Int64>) -> Side {
            var side = self
            side.candidates = candidates.map { candidate in
                guard ids.contains(candidate.backendID) else { return candidate }
                return PlacementCandidate(
                    backendID: candidate.backendID, name: candidate.name, location: candidate.location, state: state,
                    isHealthy: true)
            }
            return side
        }
    }

    private let database: Database
    private let now: Side
    private let then: Side

    package init(_ database: Database, now: Side, then: Side) {
        self.database = database
        self.now = now
        self.then = then
    }

    /// Asks about every bucket, or those that `isAsked` about; returns those that are affected, by name.
    package func effects(
        asking isAsked: (Bucket) -> Bool = { _ in true }
    ) throws(S3Error) -> [BucketEffect] {
        let (buckets, tenants) = try database.read { sql throws(S3Error) in (try sql.allBuckets(), try sql.tenants()) }
        let names = Dictionary(tenants.map { ($0.id, $0.name) }) { first, _ in first }
        var effects: [BucketEffect] = []
        for bucket in buckets where isAsked(bucket) {
            let effect = try effect(on: bucket, of: names[bucket.tenantID] ?? "")
            if effect.isAffected { effects.append(effect) }
        }
        return effects
    }

    private func effect(on bucket: Bucket, of tenant: String) throws(S3Error) -> BucketEffect {
        var effect = BucketEffect(bucket: bucket, tenant: tenant)
        let bucketTag = try bucket.tags.replicaCount()
        let before = try policy(of: bucket, now, bucketTag)
        let after = try policy(of: bucket, then, bucketTag)
        effect.refusal = newRefusal(before, after)
        for group in try database.read({ sql throws(S3Error) in try sql.versionGroups(bucketID: bucket.id) }) {
            try add(group, of: bucket, to: &effect)
        }
        return effect
    }

    private func newRefusal(_ before: EffectivePolicy, _ after: EffectivePolicy) -> PlacementRefusal? {
        guard case .refuse(let refusal) = Placement.decide(after, candidates: then.candidates, sizeBytes: 0) else {
            return nil
        }
        if case .refuse = Placement.decide(before, candidates: now.candidates, sizeBytes: 0) { return nil }
        return refusal
    }

    private func add(_ group: VersionGroup, of bucket: Bucket, to effect: inout BucketEffect) throws(S3Error) {
        let tag: Int? = if let own = group.replicaCountTag { own } else { try bucket.tags.replicaCount() }
        let holdings = group.replicas.mapValues { ReplicaPlan.Holding($0) }
        let before = ReplicaPlan.decide(
            try policy(of: bucket, now, tag), candidates: now.candidates, sizeBytes: 0, holdings: holdings)
        let after = ReplicaPlan.decide(
            try policy(of: bucket, then, tag), candidates: then.candidates, sizeBytes: 0, holdings: holdings)
        if let refusal = after.refusal, before.refusal == nil {
            effect.refusal = effect.refusal ?? refusal
            effect.broken = effect.broken + ReplicaSum(replicas: group.versions, bytes: group.bytes)
        }
        let copies = Int64(max(0, missing(after, holdings) - missing(before, holdings)))
        guard copies > 0 else { return }
        effect.versionsToMove += group.versions
        effect.copies = effect.copies + ReplicaSum(replicas: copies * group.versions, bytes: copies * group.bytes)
    }

    /// Replicas that have to be made.
    private func missing(_ plan: ReplicaPlan, _ holdings: [Int64: ReplicaPlan.Holding]) -> Int {
        plan.members.count { holdings[$0] != .present }
    }

    private func policy(of bucket: Bucket, _ side: Side, _ tag: Int?) throws(S3Error) -> EffectivePolicy {
        let ceiling: PolicyDocument?
        if let other = side.tenantPolicies[bucket.tenantID] {
            ceiling = other
        } else {
            ceiling = try stored { sql throws(S3Error) in try sql.policy(tenantID: bucket.tenantID)?.json }
        }
        let own: PolicyDocument?
        if let other = side.bucketPolicies[bucket.id] {
            own = other
        } else {
            own = try stored { sql throws(S3Error) in try sql.policy(bucketID: bucket.id)?.json }
        }
        return try EffectivePolicy(tenant: ceiling, bucket: own, locations: bucket.locations, replicaCountTag: tag)
    }

    private func stored(
        _ ask: (any SQLConnection) throws(S3Error) -> [UInt8]?
    ) throws(S3Error) -> PolicyDocument? {
        guard let json = try database.read(ask) else { return nil }
        do throws(PolicyError) { return try PolicyDocument(parsing: json) } catch {
            throw S3Error(.internalError, cause: "a stored policy does not read: \(error)")
        }
    }
}

extension WhatIf {
    /// What would be if these backends were not there.
    package static func without(_ ids: Set<Int64>, _ database: Database) throws(S3Error) -> WhatIf {
        let records = try database.read { sql throws(S3Error) in try sql.backends() }
        let now = Side(records)
        return WhatIf(database, now: now, then: now.with(.lost, for: ids))
    }
}

/// Which backends somebody means: one by its name, or all that match `country:DE` and the like.
package enum BackendSelection {
    /// Throws `InvalidArgument` for what is neither a backend's name nor a selector.
    package static func matching(_ text: String, _ records: [BackendRecord]) throws(S3Error) -> Set<Int64> {
        guard text.contains(":") else {
            guard let record = records.first(where: { $0.name == text }) else {
                throw S3Error(.invalidArgument, "There is no backend \(text).")
            }
            return [record.id]
        }
        let selector: LocationSelector
        do throws(PolicyError) {
            selector = try LocationSelector(text, at: "--without", bareCertification: false)
        } catch {
            throw S3Error(.invalidArgument, "\(error)")
        }
        return Set(records.filter { selector.match($0.location) == .yes }.map(\.id))
    }
}
