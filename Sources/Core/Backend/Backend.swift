/// One store, as the operations and the worker use it.
///
/// Safe to call from many threads at once.
///
/// Every call has a deadline. Two implementations: `S3Backend` over libcurl and `FileBackend` on a local directory.
package protocol Backend: AnyObject, Sendable {
    var record: BackendRecord { get }

    /// Makes the bucket, or says what stands in the way.
    func createBucket(_ bucket: String) throws(BackendError) -> BucketCreation

    /// Tells whether the bucket exists and may be used with our credentials.
    func hasBucket(_ bucket: String) throws(BackendError) -> Bool

    /// Returns the names of all buckets of our account, in any order; throws `.refused` when the store does not tell.
    func listBuckets() throws(BackendError) -> [String]

    /// Removes an empty bucket; a missing one counts as removed. Throws `.conflict` when it is not empty.
    func deleteBucket(_ bucket: String) throws(BackendError)

    /// Stores `source` whole under a fresh key, durably. Only placement can grant it. Returns the MD5 of what was sent.
    /// When it throws, the object may or may not be there: the caller never uses that key again.
    func put(
        _ object: PhysicalObject, from source: PayloadReader, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt

    /// Begins an upload of a fresh key in parts; returns the store's id of it. Nothing is visible before it is completed.
    /// When it throws, an upload may have begun: `abortUploads` finds it.
    func createUpload(
        _ object: PhysicalObject, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> String

    /// Stores `source` whole, durably, as part `number`; an earlier part of that number is replaced. `md5` is given when
    /// it is known beforehand. Throws `.missing` when there is no such upload.
    func uploadPart(
        _ object: PhysicalObject, uploadID: String, number: PartNumber, from source: PayloadReader, sizeBytes: Int64,
        md5: [UInt8]?, grant: PlacementGrant
    ) throws(BackendError) -> PartReceipt

    /// Makes the object of its parts. Returns when it is there, whole and durable, also when an earlier call made it.
    /// Throws `.damaged` when the object is there and another one; after any other error it may appear later.
    func completeUpload(_ object: PhysicalObject, uploadID: String, as whole: NativeObject) throws(BackendError)

    /// Ends every upload of that key, the one called `uploadID` and any whose id was lost, and removes their parts; none
    /// is no error. A completed object stays.
    func abortUploads(_ object: PhysicalObject, uploadID: String?) throws(BackendError)

    /// Copies an object of this store whole under a fresh key of it, durably; only placement can grant it.
    ///
    /// `description` holds the MD5 of the content, and replaces what stands beside the source. Throws `.missing` or
    /// `.refused` when nothing was copied and the bytes may be sent instead.
    func copy(
        _ source: PhysicalObject, to object: PhysicalObject, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt

    /// Streams the object, or the bytes of `range` (inclusive offsets): first `head`, then `piece` until the end.
    /// Throws `.short` when fewer bytes came than the head said; an error thrown by `piece` stops the transfer and
    /// comes back as `.stopped`.
    func get(
        _ object: PhysicalObject, range: ClosedRange<Int64>?, patience: ReadPatience,
        head: (BackendObjectHead) throws(BackendError) -> Void,
        piece: (UnsafeRawBufferPointer) throws(WireClosed) -> Void
    ) throws(BackendError)

    /// Signs a GET of the whole object for nginx to send; nil when reads have to pass through us.
    func signedRead(_ object: PhysicalObject) -> SignedRead?

    /// Returns what the store knows of the object, nil when it is not there.
    func head(_ object: PhysicalObject) throws(BackendError) -> BackendObjectHead?

    /// Returns all that clients may want to know of an object that we did not write, nil when it is not there.
    func describe(_ object: PhysicalObject) throws(BackendError) -> AdoptableObject?

    /// Returns the tags that the store itself keeps with an object that we did not write; throws `.refused` when it has no
    /// such thing, or does not tell.
    func tags(of object: PhysicalObject) throws(BackendError) -> [Tag]

    /// Removes the object; a missing one counts as removed.
    func delete(_ object: PhysicalObject) throws(BackendError)

    /// Returns up to `limit` uploads in parts that were neither completed nor ended, behind `after`, in the order of keys
    /// as bytes; uploads of one key in any order. Throws `.refused` when the store cannot tell.
    func listUploads(_ bucket: String, after: BackendUpload?, limit: Int) throws(BackendError) -> [BackendUpload]

    /// Returns up to `limit` physical keys after `after`, in the order of their bytes; throws `.refused` when the store
    /// lists in another order.
    func list(_ bucket: String, after: [UInt8]?, limit: Int) throws(BackendError) -> [BackendListEntry]

    /// Tells, by one cheap and signed request, whether the store answers and knows our credentials; throws when not.
    func check() throws(BackendError)

    /// Finds out what the store can do, and that our credentials work.
    func probe() throws(BackendError) -> BackendAbilities
}

/// How long a read waits for the first byte.
package enum ReadPatience: Sendable {
    /// Another replica or a later try may be faster.
    case usual
    /// Nobody else can go on, and what came already would be lost.
    case last
}

extension Backend {
    /// The same with the usual patience.
    package func get(
        _ object: PhysicalObject, range: ClosedRange<Int64>?,
        head: (BackendObjectHead) throws(BackendError) -> Void,
        piece: (UnsafeRawBufferPointer) throws(WireClosed) -> Void
    ) throws(BackendError) {
        try unsafe get(object, range: range, patience: .usual, head: head, piece: piece)
    }
}

package struct PhysicalObject: Hashable, Sendable {
    package var bucket: String
    package var key: [UInt8]

    package init(bucket: String, key: [UInt8]) {
        self.bucket = bucket
        self.key = key
    }
}

/// What is stored beside the bytes so that the database can be rebuilt from the backends.
package struct ObjectDescription: Sendable, Equatable {
    package var sizeBytes: Int64
    /// MD5 of the content when it is known beforehand; lets the store verify (Content-MD5).
    package var md5: [UInt8]?
    /// SHA-256 of the content when it is known beforehand (x-amz-content-sha256).
    package var sha256: [UInt8]?
    /// Names without the `x-amz-meta-` prefix, each beginning with `s3gw-`; values are printable ASCII without `&`.
    package var metadata: [HeaderField]

    package init(sizeBytes: Int64, md5: [UInt8]?, sha256: [UInt8]?, metadata: [HeaderField]) {
        self.sizeBytes = sizeBytes
        self.md5 = md5
        self.sha256 = sha256
        self.metadata = metadata
    }
}

package struct PutReceipt: Sendable {
    /// MD5 of the bytes that were sent, 16 bytes.
    package var md5: [UInt8]
    /// Of the bytes that were sent, when the sender asked its reader for it.
    package var checksum: ObjectChecksum?

    package init(md5: [UInt8]) { self.md5 = md5 }
}

package struct BackendObjectHead: Sendable {
    /// Bytes that will follow (the range's length for a ranged read), or the object's size for `head`.
    package var sizeBytes: Int64
    /// Size of the whole object; nil when a store answers a ranged read without it.
    package var totalBytes: Int64?
    /// The store's own ETag, without quotes: private to the gateway.
    package var eTag: String?
    /// The fields of the object's description; names lower case, each beginning with `s3gw-`.
    package var metadata: [HeaderField] { readMetadata() }
    private let readMetadata: @Sendable () -> [HeaderField]

    /// `metadata` is evaluated when somebody asks for it, which a GET for a client never does.
    package init(
        sizeBytes: Int64, totalBytes: Int64?, eTag: String?,
        metadata: @autoclosure @escaping @Sendable () -> [HeaderField]
    ) {
        self.sizeBytes = sizeBytes
        self.totalBytes = totalBytes
        self.eTag = eTag
        readMetadata = metadata
    }
}

package struct BackendListEntry: Sendable, Hashable {
    package var key: [UInt8]
    package var sizeBytes: Int64

    package init(key: [UInt8], sizeBytes: Int64) {
        self.key = key
        self.sizeBytes = sizeBytes
    }
}

/// A native upload that is not completed.
package struct BackendUpload: Sendable, Hashable {
    package var key: [UInt8]
    /// The store's own id of it.
    package var uploadID: String

    package init(key: [UInt8], uploadID: String) {
        self.key = key
        self.uploadID = uploadID
    }
}

package enum BucketCreation: Sendable, Equatable {
    case created
    /// It exists and our account owns it.
    case ownedByUs
    /// Somebody else has it.
    case taken
}

/// What went wrong at a backend, by what the caller may do about it.
///
/// `cause` is for the log: no secret in it.
package struct BackendError: Error, Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// Refused, unreachable, timed out, 5xx, throttled: another backend or a later try may do.
        case unavailable
        /// The bucket or object is not there.
        case missing
        /// 4xx that a retry will not change: bad credentials, a limit, an unsupported feature.
        case refused
        /// 409: not empty, or a concurrent change.
        case conflict
        /// The bytes did not match their length or checksum.
        case damaged
        /// The transfer ended early after the head.
        case short
        /// The caller's own sink or source stopped it.
        case stopped
        /// No space on the store.
        case full
    }

    package let kind: Kind
    package let backend: String
    package let cause: String
    /// The store kept us waiting until a deadline, instead of failing at once.
    package let isHang: Bool
    /// The content could not be had because the client that sent it has left.
    package let hasClientLeft: Bool

    package init(
        _ kind: Kind, backend: String, _ cause: String, isHang: Bool = false, hasClientLeft: Bool = false
    ) {
        self.kind = kind
        self.backend = backend
        self.cause = cause
        self.isHang = isHang
        self.hasClientLeft = hasClientLeft
    }

    /// The content for `backend` could not be had, which is no failure of the backend.
    package init(noContent error: S3Error, for backend: String) {
        self.init(
            .stopped, backend: backend, error.cause ?? error.message,
            hasClientLeft: error.code == S3Error.clientLeft.code && error.cause == nil
        )
    }
}
