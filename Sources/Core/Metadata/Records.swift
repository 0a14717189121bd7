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

    package init(
        id: Int64, name: String, canonicalID: String, displayName: String, email: String? = nil, createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.canonicalID = canonicalID
        self.displayName = displayName
        self.email = email
        self.createdAt = createdAt
    }
}

package struct AccessKey: Sendable, Hashable {
    package var id: String
    package var tenantID: Int64
    /// Sealed for table `access_keys`, row = `id`.
    package var sealedSecret: [UInt8]
    package var isActive: Bool
    package var createdAt: Timestamp

    package init(
        id: String, tenantID: Int64, sealedSecret: [UInt8], isActive: Bool, createdAt: Timestamp
    ) {
        self.id = id
        self.tenantID = tenantID
        self.sealedSecret = sealedSecret
        self.isActive = isActive
        self.createdAt = createdAt
    }
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

    package init(
        id: Int64, name: String, kind: BackendKind, location: Location, state: BackendState, endpoint: String,
        signingRegion: String, addressing: BucketAddressing, caFile: String? = nil, accessKeyID: String? = nil,
        sealedSecret: [UInt8]? = nil, abilities: String, createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.kind = kind
        self.location = location
        self.state = state
        self.endpoint = endpoint
        self.signingRegion = signingRegion
        self.addressing = addressing
        self.caFile = caFile
        self.accessKeyID = accessKeyID
        self.sealedSecret = sealedSecret
        self.abilities = abilities
        self.createdAt = createdAt
    }
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
    package var tags: [Tag]
    /// Another number with every change of the lifecycle configuration; nil while the bucket has none.
    package var lifecycleRevision: Int64?

    package init(
        id: Int64, tenantID: Int64, name: BucketName, region: String, locations: [String],
        versioning: BucketVersioning, createdAt: Timestamp, tags: [Tag] = [], lifecycleRevision: Int64? = nil
    ) {
        self.id = id
        self.tenantID = tenantID
        self.name = name
        self.region = region
        self.locations = locations
        self.versioning = versioning
        self.createdAt = createdAt
        self.tags = tags
        self.lifecycleRevision = lifecycleRevision
    }
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

    package init(
        bucketID: Int64, backendID: Int64, physicalName: String, scheme: Int, counter: Int, state: MappingState
    ) {
        self.bucketID = bucketID
        self.backendID = backendID
        self.physicalName = physicalName
        self.scheme = scheme
        self.counter = counter
        self.state = state
    }
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
    /// Written while the bucket was not versioned: clients call it `null`.
    ///
    /// Set by the database at commit.
    package var isNull: Bool
    package var tags: [Tag]

    package init(
        id: VersionID, sequence: Int64, bucketID: Int64, key: ObjectKey, isDeleteMarker: Bool, sizeBytes: Int64,
        eTag: String, lastModified: Timestamp, storageClass: String, checksum: ObjectChecksum? = nil,
        headers: [HeaderField], isNull: Bool = true, tags: [Tag] = []
    ) {
        self.id = id
        self.sequence = sequence
        self.bucketID = bucketID
        self.key = key
        self.isDeleteMarker = isDeleteMarker
        self.sizeBytes = sizeBytes
        self.eTag = eTag
        self.lastModified = lastModified
        self.storageClass = storageClass
        self.checksum = checksum
        self.headers = headers
        self.isNull = isNull
        self.tags = tags
    }

    /// What clients call it.
    package var clientID: [UInt8] { isNull ? Array("null".utf8) : id.text }
}

package enum ReplicaState: String, Sendable {
    /// Its bytes are to be brought there.
    case pending
    case present
    /// Its bytes are not needed any more, or never were to be there; a job removes them.
    case removing
    /// Its bytes were found missing or wrong: never read, and kept until a good copy stands in their place.
    case damaged
}

/// One version's bytes on one backend.
package struct Replica: Sendable, Hashable {
    package var versionID: VersionID
    package var backendID: Int64
    package var physicalBucket: String
    package var physicalKey: [UInt8]
    package var state: ReplicaState

    package init(
        versionID: VersionID, backendID: Int64, physicalBucket: String, physicalKey: [UInt8], state: ReplicaState
    ) {
        self.versionID = versionID
        self.backendID = backendID
        self.physicalBucket = physicalBucket
        self.physicalKey = physicalKey
        self.state = state
    }
}

package enum JobKind: String, Sendable, CaseIterable {
    case replicate
    /// Brings a version to `backendID`, and ends its replica on `sourceBackendID` in the same transaction.
    case move
    case removeReplica = "remove-replica"
    /// Clears what a multipart upload left on a backend; `versionID` is the upload's id.
    case endUpload = "end-upload"
    case removeBucket = "remove-bucket"
    /// Reads a replica in full and compares it with the version.
    case verify
    /// Ends what a lifecycle rule ends: a version, or an upload whose id `versionID` then is.
    case expire

    /// Those that bring a version to a backend.
    package static let copies: [JobKind] = [.replicate, .move]
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
    /// Of a `move` only: where the version is to be no more.
    package var sourceBackendID: Int64?
    package var state: JobState
    package var attempts: Int
    package var notBefore: Timestamp
    package var leaseOwner: String?
    package var leaseUntil: Timestamp?
    package var fence: Int64
    package var lastError: String?
    package var createdAt: Timestamp

    package init(
        id: Int64, kind: JobKind, bucketID: Int64, versionID: VersionID? = nil, backendID: Int64,
        sourceBackendID: Int64? = nil, state: JobState, attempts: Int, notBefore: Timestamp, leaseOwner: String? = nil,
        leaseUntil: Timestamp? = nil, fence: Int64,
        lastError: String? = nil, createdAt: Timestamp
    ) {
        self.id = id
        self.kind = kind
        self.bucketID = bucketID
        self.versionID = versionID
        self.backendID = backendID
        self.sourceBackendID = sourceBackendID
        self.state = state
        self.attempts = attempts
        self.notBefore = notBefore
        self.leaseOwner = leaseOwner
        self.leaseUntil = leaseUntil
        self.fence = fence
        self.lastError = lastError
        self.createdAt = createdAt
    }
}
