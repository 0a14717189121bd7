/// The body of a DeleteObjects: which keys and versions.
///
/// Source: Amazon S3 API Reference, DeleteObjects.
package struct DeletionDocument: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        /// As sent, at least one byte; it may be none that a key can be.
        package let key: [UInt8]
        package let versionID: [UInt8]?
        package let eTag: String?
    }

    /// At least one, at most a thousand.
    package let entries: [Entry]
    /// Only what failed is told of.
    package let isQuiet: Bool

    package static let maximumKeys = 1000
    /// A thousand keys of 1,024 bytes, each written as numeric references at worst, in a document of 2 MB.
    package static let maximumBytes = 2 << 20

    /// Throws `MalformedXML`, and `NotImplemented` for an element that would change what is deleted.
    package init(parsing document: [UInt8]) throws(S3Error) {
        let root = try XMLReader.parse(document, root: "Delete", maximumBytes: Self.maximumBytes)
        let objects = root.children("Object")
        let quiet = root.children("Quiet")
        guard quiet.count <= 1, objects.count + quiet.count == root.children.count else { throw S3Error(.malformedXML) }
        isQuiet = quiet.first.map { ASCII.areEqual($0.text, "true") } ?? false
        guard (1...Self.maximumKeys).contains(objects.count) else { throw S3Error(.malformedXML) }
        var entries: [Entry] = []
        for object in objects {
            guard let key = object.child("Key")?.text else { throw S3Error(.malformedXML) }
            guard !key.isEmpty else { throw S3Error(.userKeyMustBeSpecified, "User key must be specified.") }
            guard Set(object.children.map(\.name)).count == object.children.count else { throw S3Error(.malformedXML) }
            for child in object.children where !["Key", "VersionId", "ETag"].contains(child.name) {
                throw S3Error.unimplemented(.element, child.name)
            }
            entries.append(
                Entry(key: key, versionID: object.child("VersionId")?.text, eTag: object.child("ETag")?.word))
        }
        self.entries = entries
    }
}
