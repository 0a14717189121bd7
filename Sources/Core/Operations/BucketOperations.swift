/// CreateBucket, HeadBucket, GetBucketLocation and DeleteBucket.
///
/// Source: Amazon S3 API Reference, the actions of these names.
enum BucketOperations {
    /// Buckets one tenant may own.
    ///
    /// AWS: 10,000 by default ("Bucket quotas").
    static let maximumBucketsPerTenant = 10_000
    /// Locations in one comma-separated `LocationConstraint`.
    static let maximumLocations = 16

    /// Makes the bucket, and its physical buckets on the backends that placement puts first.
    ///
    /// Throws `InvalidLocationConstraint` when no backend has a named location or policy leaves too few of them,
    /// `InvalidBucketName` and `BucketAlreadyOwnedByYou`.
    static func create(_ call: Call) throws(S3Error) -> Answer {
        guard let name = call.route.bucket else { throw S3Error(.invalidBucketName) }
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let locations = try locations(in: try call.document(), call)
        if try call.snapshot.bucket(name, of: call.tenant.id) != nil {
            // "For legacy compatibility, if you re-create an existing bucket that you already own in us-east-1, Amazon S3
            // returns 200 OK" (S3 API Reference, CreateBucket).
            guard call.request.site.region == "us-east-1" else {
                throw S3Error(.bucketAlreadyOwnedByYou).detail("BucketName", name.text)
            }
            return created(name, call)
        }
        guard !name.hasHyphenBesideDot else { throw S3Error(.invalidBucketName).detail("BucketName", name.text) }
        let owned = try call.database.read { sql throws(S3Error) in
            try sql.buckets(tenantID: call.tenant.id, prefix: [], after: nil, limit: maximumBucketsPerTenant).count
        }
        guard owned < maximumBucketsPerTenant else { throw S3Error(.tooManyBuckets) }
        let targets = try targets(call, locations)
        let bucket = try call.database.write { sql throws(S3Error) in
            try sql.insertBucket(
                tenantID: call.tenant.id, name: name, region: call.request.site.region, locations: locations,
                createdAt: call.request.receivedAt)
        }
        try provision(bucket, on: targets, call)
        return created(name, call)
    }

    private static func created(_ name: BucketName, _ call: Call) -> Answer {
        var head = call.head(200)
        head.add("Location", "/\(name.text)")
        head.add("x-amz-bucket-region", call.request.site.region)
        return Answer(head)
    }

    static func head(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        var head = call.head(200)
        head.add("x-amz-bucket-region", bucket.region)
        head.add("Content-Type", "application/xml")
        return Answer(head)
    }

    /// A bucket without a constraint answers the site's region, which for us-east-1 is empty, as on AWS.
    static func location(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        var xml = XMLWriter()
        let constraint = bucket.locations.isEmpty ? bucket.region : bucket.locations.joined(separator: ",")
        xml.rootElement("LocationConstraint", constraint == "us-east-1" ? "" : constraint)
        return Answer(call, document: xml)
    }

    /// Removes an empty bucket; the worker then removes its physical buckets.
    static func delete(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        try call.database.write { sql throws(S3Error) in try sql.deleteBucket(id: bucket.id) }
        return Answer(call.head(204, contentLength: nil))
    }

    /// The backends that will hold the first replicas, or a refusal that names the rule.
    private static func targets(_ call: Call, _ locations: [String]) throws(S3Error) -> [PlacementGrant] {
        let policy = try call.snapshot.policy(forNewBucketOf: call.tenant.id, locations: locations)
        switch Placement.decide(policy, candidates: call.snapshot.candidates(), sizeBytes: 0) {
        case .place(let plan): return Array(plan.grants.prefix(plan.replicaCount))
        case .refuse(let refusal):
            guard refusal.isHealth || locations.isEmpty else {
                throw S3Error(.invalidLocationConstraint, refusal.explanation)
                    .detail("LocationConstraint", locations.joined(separator: ","))
            }
            throw refusal.s3Error
        }
    }

    /// A physical bucket that cannot be made now is made by the first write that needs it.
    private static func provision(_ bucket: Bucket, on targets: [PlacementGrant], _ call: Call) throws(S3Error) {
        for grant in targets {
            guard let live = call.snapshot.backends[grant.backendID] else { continue }
            do throws(S3Error) {
                _ = try call.world.provisioner.ensure(bucket, of: call.tenant, on: live)
            } catch {
                call.log.warning("bucket not made yet", metadata: call.logMetadata(cause: error.cause ?? error.message))
            }
        }
    }

    /// Reads `CreateBucketConfiguration`; the site's own region means no constraint.
    private static func locations(in document: [UInt8], _ call: Call) throws(S3Error) -> [String] {
        guard !document.isEmpty else { return [] }
        let root = try XMLReader.parse(document, root: "CreateBucketConfiguration")
        for child in root.children where child.name != "LocationConstraint" {
            throw S3Error.unimplemented(.element, child.name)
        }
        guard let constraint = root.child("LocationConstraint")?.word, !constraint.isEmpty else { return [] }
        let names = constraint.split(separator: ",", omittingEmptySubsequences: false).map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        let known = Set(call.snapshot.backends.values.map(\.backend.record.location.region))
        // SDKs name the region they sign for in every CreateBucket: that asks for nothing in particular.
        if names == [call.request.site.region] { return [] }
        let unknown = names.first { !known.contains($0) }
        guard unknown == nil, names.count <= maximumLocations, Set(names).count == names.count else {
            throw S3Error(
                .invalidLocationConstraint,
                "The specified location-constraint is not valid: "
                    + (unknown.map { "no backend has the region \($0)" }
                        ?? "\(constraint) names a region twice or too many")
            ).detail("LocationConstraint", unknown ?? constraint)
        }
        return names
    }
}
