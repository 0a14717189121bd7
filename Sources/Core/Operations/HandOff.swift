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
    private static let carried: [[[UInt8]]] = {
        let names = [
            "accept-ranges", "cache-control", "content-disposition", "content-encoding", "content-language",
            "content-type", "etag", "expires", "last-modified", "x-amz-checksum-crc32", "x-amz-checksum-crc32c",
            "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1", "x-amz-checksum-sha256", "x-amz-checksum-type",
            "x-amz-expiration", "x-amz-id-2", "x-amz-request-id", "x-amz-storage-class", "x-amz-tagging-count",
            "x-amz-version-id",
        ].map { Array($0.utf8) }
        return (0...longestCarriedBytes).map { length in names.filter { $0.count == length } }
    }()

    /// What nginx would carry over by itself, and keep beside ours when it comes back to us: it goes under another name.
    private static let renamed: [(name: [UInt8], other: String)] = [
        ("accept-ranges", "X-S3gw-Accept-Ranges"), ("cache-control", "X-S3gw-Cache-Control"),
        ("content-disposition", "X-S3gw-Content-Disposition"), ("expires", "X-S3gw-Expires"),
    ].map { (Array($0.0.utf8), $0.1) }

    private static func otherName(of name: String) -> String? {
        let bytes = name.utf8
        return renamed.first { known, _ in
            known.count == bytes.count && zip(known, bytes).allSatisfy { $0 == ASCII.lower($1) }
        }?.other
    }

    private static func isCarried(_ name: String) -> Bool {
        let bytes = name.utf8
        guard bytes.count <= longestCarriedBytes else { return false }
        return carried[bytes.count].contains { known in
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
            live.breaker.admits(), head.headers.allSatisfy({ isCarried($0.name) }),
            let read = live.backend.signedRead(
                PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey))
        else { return nil }
        // The length that the client sees is the store's answer's.
        var handOff = ResponseHead(status: head.status, contentLength: nil)
        for header in head.headers { handOff.add(otherName(of: header.name) ?? header.name, header.value) }
        handOff.add("X-Accel-Redirect", "@s3gw_backend_\(live.name)")
        handOff.add("X-S3gw-Target", read.target)
        handOff.add("X-S3gw-Host", read.host)
        handOff.add("X-S3gw-Date", read.date)
        handOff.add("X-S3gw-Authorization", read.authorization)
        return handOff
    }

    /// Whether an entity tag is an MD5, which an S3 store then has as its own.
    private static func isMD5(_ eTag: String) -> Bool {
        eTag.utf8.count == 32 && eTag.utf8.allSatisfy { Hex.value($0) != nil }
    }
}
