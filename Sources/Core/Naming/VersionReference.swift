/// How a client names one version of a key: by its id, or as `null` for the one written without versioning.
///
/// Source: Amazon S3 User Guide, "Working with objects in versioning-suspended buckets".
package enum VersionReference: Hashable, Sendable {
    case null
    case id(VersionID)

    /// Nil for a text that names no version that ever was.
    package init?(text: [UInt8]) {
        if text.elementsEqual("null".utf8) {
            self = .null
        } else if let id = VersionID(text: text) {
            self = .id(id)
        } else {
            return nil
        }
    }
}
