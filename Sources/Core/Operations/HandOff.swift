/// Small objects that nginx fetches from the store itself: we authenticate, look up, place and sign, and no byte of the
/// object passes through us (X-Accel-Redirect; docs/nginx.md, "Hand-off").
///
/// The store is asked with `If-Match`, so it answers with the version's bytes or not at all; for any other answer nginx
/// comes back to us through `@s3gw_relay`, where nothing is handed off.
enum HandOff {
    /// Larger objects are relayed, because we go on reading from another replica when a store dies in the middle.
    ///
    /// nginx holds what the client has not taken yet in its own buffers, which are about this large.
    static let maximumBytes: Int64 = 1 << 20

    private static let longestCarriedBytes = 24
    /// The headers that nginx/s3gw-handoff.conf carries over, in lower case, by their length.
    private static let carried: [[[UInt8]]] = byLength(usual + seldom)
    private static let usual = [
        "accept-ranges", "content-type", "etag", "last-modified", "x-amz-checksum-crc32", "x-amz-checksum-crc64nvme",
        "x-amz-checksum-type", "x-amz-id-2", "x-amz-request-id", "x-amz-version-id",
    ]
    /// Those that nginx looks for only when it is told so: looking for one that is not there is what costs most.
    private static let seldom = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
        "x-amz-checksum-crc32c", "x-amz-checksum-sha1", "x-amz-checksum-sha256", "x-amz-expiration",
        "x-amz-storage-class", "x-amz-tagging-count",
    ]
    private static let carriedSeldom: [[[UInt8]]] = byLength(seldom)

    private static func byLength(_ names: [String]) -> [[[UInt8]]] {
        (0...longestCarriedBytes).map { length in names.map { Array($0.utf8) }.filter { $0.count == length } }
    }

    /// What nginx would carry over by itself, and keep beside ours when it comes back to us: it goes under another name.
    private static let renamed: [(name: [UInt8], other: String)] = [
        ("accept-ranges", "Accept-Ranges-S3gw"), ("cache-control", "Cache-Control-S3gw"),
        ("content-disposition", "Content-Disposition-S3gw"), ("expires", "Expires-S3gw"),
    ].map { (Array($0.0.utf8), $0.1) }

    private static func otherName(of name: String) -> String? {
        let bytes = name.utf8
        return renamed.first { known, _ in
            known.count == bytes.count && zip(known, bytes).allSatisfy { $0 == ASCII.lower($1) }
        }?.other
    }

    private static func isKnown(_ name: String, _ names: [[[UInt8]]]) -> Bool {
        let bytes = name.utf8
        guard bytes.count <= longestCarriedBytes else { return false }
        return names[bytes.count].contains { known in
            for (one, other) in zip(known, bytes) where one != ASCII.lower(other) { return false }
            return true
        }
    }

    /// Returns the head that makes nginx answer with `head` and the object's bytes, nil when we have to relay it.
    ///
    /// `head` is the answer of a GET of the whole version.
    static func head(
        _ head: ResponseHead, _ version: ObjectVersion, of replica: Replica, on live: LiveBackend, _ call: Call
    ) -> ResponseHead? {
        guard call.request.site.handOffBackends.contains(live.name), head.status == 200,
            version.sizeBytes <= maximumBytes, isMD5(version.eTag), call.request.headers["range"] == nil,
            live.breaker.admits(), head.headers.allSatisfy({ isKnown($0.name, carried) }),
            let read = live.backend.signedRead(
                PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey))
        else { return nil }
        // The length that the client sees is the store's answer's.
        var handOff = ResponseHead(status: head.status, contentLength: nil)
        for header in head.headers { handOff.add(otherName(of: header.name) ?? header.name, header.value) }
        if head.headers.contains(where: { isKnown($0.name, carriedSeldom) }) { handOff.add("More-S3gw", "1") }
        handOff.add("X-Accel-Redirect", "@s3gw_backend_\(live.name)")
        handOff.add("Target-S3gw", read.target)
        handOff.add("Host-S3gw", read.host)
        handOff.add("Date-S3gw", read.date)
        handOff.add("Authorization-S3gw", read.authorization)
        return handOff
    }

    /// Whether an entity tag is an MD5, which an S3 store then has as its own.
    private static func isMD5(_ eTag: String) -> Bool {
        eTag.utf8.count == 32 && eTag.utf8.allSatisfy { Hex.value($0) != nil }
    }
}
