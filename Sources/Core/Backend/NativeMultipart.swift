/// One part of a native upload, as the store confirmed it.
package struct PartReceipt: Sendable, Equatable {
    /// MD5 of the bytes that were sent, 16 bytes.
    package var md5: [UInt8]
    /// The store's own word for exactly these bytes, which `completeUpload` gives back; printable ASCII, private.
    package var token: String

    package init(md5: [UInt8], token: String) {
        self.md5 = md5
        self.token = token
    }
}

/// One part of which an object is made.
package struct NativePart: Sendable, Equatable {
    package var number: PartNumber
    package var token: String
    package var sizeBytes: Int64

    package init(number: PartNumber, token: String, sizeBytes: Int64) {
        self.number = number
        self.token = token
        self.sizeBytes = sizeBytes
    }
}

/// What an object made of parts must be.
package struct NativeObject: Sendable, Equatable {
    /// In rising order of number, at least one.
    package var parts: [NativePart]
    /// `md5-of-md5s-N`, without quotes.
    package var eTag: String
    /// As known now, with the size and all metadata; a store that took the metadata at the beginning keeps that.
    package var description: ObjectDescription

    package init(parts: [NativePart], eTag: String, description: ObjectDescription) {
        self.parts = parts
        self.eTag = eTag
        self.description = description
    }
}

/// `md5-of-md5s-N`.
///
/// Source: Amazon S3 API Reference, "Object", ETag: for an object made of parts no MD5 of its content.
package enum MultipartETag {
    private static let digestBytes = 16

    /// Each MD5 has 16 bytes.
    package static func make(md5s: [[UInt8]]) -> String {
        var digest = MD5Stream()
        for md5 in md5s { unsafe md5.withUnsafeBytes { unsafe digest.update($0) } }
        return "\(Hex.text(digest.finish()))-\(md5s.count)"
    }

    /// Returns the digest and the number of parts; nil for an ETag of another kind.
    package static func split(_ eTag: String) -> (digest: [UInt8], partCount: Int)? {
        let pieces = eTag.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard pieces.count == 2, let digest = Hex.decode(pieces[0]), digest.count == digestBytes,
            let count = DecimalNumber.parse(Array(pieces[1])), count > 0
        else { return nil }
        return (digest, count)
    }
}
