/// What the database holds, as values. One struct a table; times are `Timestamp`, secrets are sealed bytes.

/// An owner of access keys and buckets.
package struct Tenant: Sendable, Hashable {
    package var id: Int64
    package var name: String
    /// 64 hex digits, the S3 canonical user id.
    package var canonicalID: String
    package var displayName: String
    package var email: String?
    package var createdAt: Timestamp
}

package struct AccessKey: Sendable, Hashable {
    package var id: String
    package var tenantID: Int64
    /// Sealed for table `access_keys`, row = `id`.
    package var sealedSecret: [UInt8]
    package var isActive: Bool
    package var createdAt: Timestamp
}

package enum BackendKind: String, Sendable { case s3, file }

package enum BucketAddressing: String, Sendable { case path, virtual }

/// One store the gateway can write to.
package struct BackendRecord: Sendable, Hashable {
    package var id: Int64
    package var name: String
    package var kind: BackendKind
    package var location: Location
    package var state: BackendState
    /// `s3`: `https://host[:port]`; `file`: an absolute directory.
    package var endpoint: String
    /// The region that requests to it are signed for.
    package var signingRegion: String
    package var addressing: BucketAddressing
    /// A PEM file that verifies its certificate; nil is the system's.
    package var caFile: String?
    package var accessKeyID: String?
    /// Sealed for table `backends`, row = `name`.
    package var sealedSecret: [UInt8]?
    /// What the probe found, as JSON text; `{}` before the first probe.
    package var abilities: String
    package var createdAt: Timestamp
}

package enum BucketVersioning: String, Sendable { case unversioned, enabled, suspended }

package struct Bucket: Sendable, Hashable {
    package var id: Int64
    package var tenantID: Int64
    package var name: BucketName
    /// The site's region when it was created: part of the hash, and what `BucketRegion` says.
    package var region: String
    /// What `LocationConstraint` asked for, in order; empty when it asked for nothing.
    package var locations: [String]
    package var versioning: BucketVersioning
    package var createdAt: Timestamp
}

package enum MappingState: String, Sendable { case creating, ready, removing, removed }

/// The physical bucket of one logical bucket on one backend.
///
/// Rows are never deleted: a name is never used again.
package struct BucketMapping: Sendable, Hashable {
    package var bucketID: Int64
    package var backendID: Int64
    package var physicalName: String
    package var scheme: Int
    package var counter: Int
    package var state: MappingState
}

/// One immutable state of one logical key.
package struct ObjectVersion: Sendable, Hashable {
    package var id: VersionID
    /// Order of versions, given by the database at commit; 0 before that.
    package var sequence: Int64
    package var bucketID: Int64
    package var key: ObjectKey
    package var isDeleteMarker: Bool
    package var sizeBytes: Int64
    /// Without quotes.
    package var eTag: String
    package var lastModified: Timestamp
    package var storageClass: String
    package var checksum: ObjectChecksum?
    /// `content-type`, `cache-control`, `content-disposition`, `content-encoding`, `content-language`, `expires` and all
    /// `x-amz-meta-*`, names in lower case, values as sent.
    package var headers: [HeaderField]
}

package enum ReplicaState: String, Sendable { case pending, present, removing }

/// One version's bytes on one backend.
package struct Replica: Sendable, Hashable {
    package var versionID: VersionID
    package var backendID: Int64
    package var physicalBucket: String
    package var physicalKey: [UInt8]
    package var state: ReplicaState
}

package enum JobKind: String, Sendable, CaseIterable {
    case replicate
    case removeReplica = "remove-replica"
    case removeBucket = "remove-bucket"
}

package enum JobState: String, Sendable { case ready, leased, dead }

/// One piece of work for the worker.
///
/// `fence` grows with every claim: a worker whose fence is old may not commit.
package struct Job: Sendable, Hashable {
    package var id: Int64
    package var kind: JobKind
    package var bucketID: Int64
    /// Nil for `remove-bucket`.
    package var versionID: VersionID?
    package var backendID: Int64
    package var state: JobState
    package var attempts: Int
    package var notBefore: Timestamp
    package var leaseOwner: String?
    package var leaseUntil: Timestamp?
    package var fence: Int64
    package var lastError: String?
    package var createdAt: Timestamp
}
