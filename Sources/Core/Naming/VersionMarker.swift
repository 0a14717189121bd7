/// Where a page of a listing of versions ended.
///
/// It names the last version of the page and tells its time. The versions of one key are ordered by time as they are by
/// sequence (`commitPut` sees to it), so that the next page is found even when the version is gone, or when `null` is
/// another version by then. Clients give it back as it came; a plain version id will do too.
package struct VersionMarker: Hashable, Sendable {
    package let reference: VersionReference
    package let lastModified: Timestamp?

    package init(_ reference: VersionReference, lastModified: Timestamp? = nil) {
        self.reference = reference
        self.lastModified = lastModified
    }

    /// Reads a version id, or one followed by `-` and milliseconds since 1970; nil for anything else.
    package init?(text: [UInt8]) {
        let dash = text.firstIndex(of: UInt8(ascii: "-"))
        guard let reference = VersionReference(text: Array(text[..<(dash ?? text.endIndex)])) else { return nil }
        guard let dash else {
            self.init(reference)
            return
        }
        guard let milliseconds = DecimalNumber.parse(Array(text[(dash + 1)...])) else { return nil }
        self.init(reference, lastModified: Timestamp(milliseconds: Int64(milliseconds)))
    }

    /// `versionID` is what clients call the version.
    package static func text(_ versionID: [UInt8], _ lastModified: Timestamp) -> [UInt8] {
        versionID + Array("-\(lastModified.milliseconds)".utf8)
    }
}
