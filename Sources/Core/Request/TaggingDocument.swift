/// The tags of a document `Tagging`, as PutObjectTagging and PutBucketTagging send it and GetObjectTagging answers it.
///
/// Source: Amazon S3 API Reference, the actions of these names.
struct TaggingDocument {
    let tags: [Tag]

    /// Reads what a client sends; throws `MalformedXML`, `InvalidTag` and `BadRequest`.
    init(parsing document: [UInt8], for place: Tag.Place) throws(S3Error) {
        tags = try Self.pairs(in: document).map { pair throws(S3Error) in
            try Tag(validatingKey: pair.key, value: pair.value)
        }
        try Tag.check(tags, for: place)
        _ = try tags.replicaCount()
    }

    /// Reads what a store answers: its tags may have characters that AWS does not allow.
    init(ofObjectInStore document: [UInt8]) throws(S3Error) {
        tags = try Self.pairs(in: document).map { Tag(storedKey: $0.key, value: $0.value) }
        try Tag.check(tags, for: .object)
        _ = try tags.replicaCount()
    }

    private static func pairs(in document: [UInt8]) throws(S3Error) -> [(key: [UInt8], value: [UInt8])] {
        let root = try XMLReader.parse(document, root: "Tagging")
        guard root.children.count == 1, let set = root.child("TagSet"),
            set.children.allSatisfy({ $0.name == "Tag" })
        else { throw S3Error(.malformedXML) }
        return try set.children.map { element throws(S3Error) in
            guard element.children.count == 2, let key = element.child("Key"), let value = element.child("Value") else {
                throw S3Error(.malformedXML)
            }
            return (key.text, value.text)
        }
    }
}
