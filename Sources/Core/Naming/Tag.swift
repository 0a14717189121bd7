/// A label that a client puts on an object or a bucket, as UTF-8.
package struct Tag: Hashable, Sendable {
    package let key: [UInt8]
    package let value: [UInt8]

    /// What may be tagged; the limits differ.
    package enum Place: Sendable {
        case object, bucket

        /// AWS: "Object tagging" and "Tagging your S3 buckets".
        var maximumTags: Int { self == .object ? 10 : 50 }
    }

    package static let maximumKeyCharacters = 128
    package static let maximumValueCharacters = 256
    private static let reservedPrefix = Array("aws:".utf8)
    private static let marks = Set("_.:/=+-@".unicodeScalars)

    /// A tag that the database holds, and that was checked when it was written.
    package init(storedKey key: [UInt8], value: [UInt8]) {
        self.key = key
        self.value = value
    }

    /// Throws `InvalidTag` for a key or value that is too long, has other characters than letters, digits, blanks and
    /// `_.:/=+-@`, or for a key that is empty or begins with `aws:`.
    package init(validatingKey key: [UInt8], value: [UInt8]) throws(S3Error) {
        guard Self.isGood(key, 1...Self.maximumKeyCharacters) else {
            throw Self.refusal("The TagKey you have provided is invalid", key)
        }
        guard Self.isGood(value, 0...Self.maximumValueCharacters) else {
            throw Self.refusal("The TagValue you have provided is invalid", key)
        }
        guard !key.prefix(Self.reservedPrefix.count).map(Self.lowercased).elementsEqual(Self.reservedPrefix) else {
            throw Self.refusal("System tags cannot be added/updated by requester", key)
        }
        self.init(storedKey: key, value: value)
    }

    /// Checks a whole set: throws `InvalidTag` for a key that stands twice, `BadRequest` for too many tags.
    package static func check(_ tags: [Tag], for place: Place) throws(S3Error) {
        var seen: Set<[UInt8]> = []
        for tag in tags {
            guard seen.insert(tag.key).inserted else {
                throw refusal("Cannot provide multiple Tags with the same key", tag.key)
            }
        }
        guard tags.count <= place.maximumTags else {
            let what = place == .object ? "Object tags" : "Bucket tag count"
            throw S3Error(.badRequest, "\(what) cannot be greater than \(place.maximumTags)")
        }
    }

    private static func isGood(_ text: [UInt8], _ characters: ClosedRange<Int>) -> Bool {
        let longestUTF8 = 4
        guard text.count <= characters.upperBound * longestUTF8, let word = String(validating: text, as: UTF8.self)
        else { return false }
        return characters.contains(word.unicodeScalars.count) && word.unicodeScalars.allSatisfy(isAllowed)
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .spaceSeparator, .lineSeparator, .paragraphSeparator:
            true
        default: marks.contains(scalar)
        }
    }

    private static func refusal(_ message: String, _ key: [UInt8]) -> S3Error {
        S3Error(.invalidTag, message).detail("TagKey", String(decoding: key, as: UTF8.self))
    }
}

extension [Tag] {
    /// The tag by which a client asks for a number of replicas.
    package static let replicaCountKey = Array<UInt8>("replica-count".utf8)

    /// The number that the tag `replica-count` asks for, nil without one.
    ///
    /// Throws `InvalidTag` for what is no number above 0.
    package func replicaCount() throws(S3Error) -> Int? {
        guard let tag = first(where: { $0.key == Self.replicaCountKey }) else { return nil }
        guard let count = DecimalNumber.parse(tag.value), count > 0 else {
            throw S3Error(.invalidTag, "replica-count must be a number above 0").detail("TagKey", "replica-count")
        }
        return count
    }
}
