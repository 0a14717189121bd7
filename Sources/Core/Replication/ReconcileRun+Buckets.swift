/// Physical buckets that no mapping in use speaks of: their row was lost, or they should be gone.
///
/// Ours is what the namespace key made the name of, for a bucket that ever was. Such a bucket gets its mapping back when
/// its logical bucket has no other there, and is removed otherwise; both not before it was seen by two runs, `grace` apart.
/// A bucket that is only named like ours is told and never touched.
extension ReconcileRun {
    private static let likeOurs =
        "it is named like one of ours, and was not made by this installation for a bucket that is known"

    mutating func strayBuckets() throws(JobFailure) {
        let name = live.name
        let all: [String]
        do throws(BackendError) {
            all = try live.observe { backend throws(BackendError) in try backend.listBuckets() }
        } catch {
            guard error.kind == .refused else { throw JobFailure(error) }
            reconciler.log.info(
                "a backend does not list its buckets", metadata: ["backend": "\(name)", "cause": "\(error.cause)"])
            return
        }
        let backendID = backendID
        let named = all.filter { PhysicalBucketNaming.looksLikeOurs($0, backend: name) }
        let unknown = try read { sql throws(S3Error) in
            let recovery = Set(
                reconciler.world.recoveryBuckets(on: name)
                    + (try sql.documentPlaces().filter { $0.backendID == backendID }.map(\.physicalBucket)))
            var unknown: [(name: String, mapping: BucketMapping?)] = []
            for name in named.sorted() where !recovery.contains(name) {
                let mapping = try sql.mapping(backendID: backendID, physicalName: name)
                if mapping == nil || mapping?.state == .removed { unknown.append((name, mapping)) }
            }
            return unknown
        }
        guard !unknown.isEmpty else { return }
        let owned = try ownedNames()
        for (name, mapping) in unknown {
            try reconciler.progress(&self)
            if let mapping {
                try leftBehind(mapping)
            } else if let owner = owned.owner(of: name) {
                try lostRow(of: name, owner)
            } else {
                try note(
                    Finding(
                        kind: .foreign, backendID: backendID, physicalBucket: name, physicalKey: [],
                        detail: Self.likeOurs))
            }
        }
    }

    private func ownedNames() throws(JobFailure) -> OwnedBucketNames {
        let (id, world) = (backendID, reconciler.world)
        let name = live.name
        return try read { sql throws(S3Error) in
            OwnedBucketNames(
                backend: name, naming: world.provisioner.naming, buckets: try sql.everyBucket(),
                tenants: try sql.canonicalIDs(), used: try sql.highestCounters(backendID: id))
        }
    }

    /// The row says that the bucket is gone: a store that was away, or put back as it was, has it again.
    private mutating func leftBehind(_ mapping: BucketMapping) throws(JobFailure) {
        // The name of an adopted one was never made by us.
        guard !mapping.isAdopted else { return }
        let noted = try note(
            Finding(
                kind: .bucket, backendID: mapping.backendID, physicalBucket: mapping.physicalName, physicalKey: [],
                bucketID: mapping.bucketID, detail: "it was removed, and is there again"))
        if try isLogicalBucketThere(mapping.bucketID) {
            // Its objects one by one: versions of the bucket live.
            try objects(of: mapping.physicalName, bucketID: mapping.bucketID)
        }
        guard isOld(noted, writtenAt: Timestamp(milliseconds: 0)) else { return }
        try write { sql throws(S3Error) in
            try sql.setMapping(
                bucketID: mapping.bucketID, backendID: mapping.backendID, counter: mapping.counter, state: .removing)
            try sql.insertJob(
                kind: .removeBucket, bucketID: mapping.bucketID, versionID: nil, backendID: mapping.backendID,
                notBefore: .now())
        }
        summary.repairs += 1
    }

    /// We made the bucket, and the row that says so was lost.
    private mutating func lostRow(of name: String, _ owner: OwnedBucketNames.Owner) throws(JobFailure) {
        let noted = try note(
            Finding(
                kind: .bucket, backendID: backendID, physicalBucket: name, physicalKey: [], bucketID: owner.bucket.id,
                detail: "no row speaks of it; it was made for the bucket \(owner.bucket.name.text)"))
        let isThere = try isLogicalBucketThere(owner.bucket.id)
        if isThere { try objects(of: name, bucketID: owner.bucket.id) }
        guard isOld(noted, writtenAt: Timestamp(milliseconds: 0)) else { return }
        let id = backendID
        let isRepaired = try write { sql throws(S3Error) in
            var mapping = BucketMapping(
                bucketID: owner.bucket.id, backendID: id, physicalName: name, scheme: PhysicalBucketNaming.scheme,
                counter: owner.counter, state: .ready)
            let isFree = try sql.mapping(bucketID: owner.bucket.id, backendID: id) == nil
            if isThere, isFree { return try sql.insertMapping(mapping) }
            mapping.state = .removing
            return try sql.insertStrayMapping(mapping, at: .now())
        }
        if isRepaired { summary.repairs += 1 }
    }

    private func isLogicalBucketThere(_ id: Int64) throws(JobFailure) -> Bool {
        try read { sql throws(S3Error) in try sql.bucket(id: id) != nil }
    }
}
