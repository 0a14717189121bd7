/// How far the copy of one version to one backend has come.
package struct CopyProgress: Sendable, Hashable {
    /// A part that the backend has.
    package struct Part: Sendable, Hashable {
        /// 16 bytes.
        package var md5: [UInt8]
        package var token: String

        package init(md5: [UInt8], token: String) {
            self.md5 = md5
            self.token = token
        }
    }

    /// The backend's id of the upload.
    package var nativeID: String
    /// What all parts so far are, as `RangeDigest` saves it; empty where it is not needed.
    package var digest: [UInt8]
    /// By number.
    package var parts: [Int: Part]
}

/// Copies of large objects that are under way: an attempt that was cut short is gone on with.
extension SQLConnection {
    package func copyProgress(versionID: VersionID, backendID: Int64) throws(S3Error) -> CopyProgress? {
        let copy = try first(
            "SELECT native_id, md5 FROM copies WHERE version_id = $1 AND backend_id = $2", .bytes(versionID.bytes),
            .int(backendID)
        ) { (nativeID: $0.text(0), md5: $0.bytes(1)) }
        guard let copy else { return nil }
        let parts = try all(
            "SELECT number, md5, token FROM copy_parts WHERE version_id = $1 AND backend_id = $2 ORDER BY number",
            .bytes(versionID.bytes), .int(backendID)
        ) { (Int($0.int(0)), CopyProgress.Part(md5: $0.bytes(1), token: $0.text(2))) }
        return CopyProgress(
            nativeID: copy.nativeID, digest: copy.md5, parts: Dictionary(parts) { first, _ in first })
    }

    /// Begins a copy anew.
    package func beginCopy(
        versionID: VersionID, backendID: Int64, nativeID: String, digest: [UInt8]
    ) throws(S3Error) {
        try endCopy(versionID: versionID, backendID: backendID)
        try run(
            "INSERT INTO copies (version_id, backend_id, native_id, md5) VALUES ($1, $2, $3, $4)",
            .bytes(versionID.bytes), .int(backendID), .text(nativeID), .bytes(digest))
    }

    /// Counts a part that the backend has, with what all bytes up to its end are.
    package func addCopyPart(
        versionID: VersionID, backendID: Int64, number: PartNumber, _ part: CopyProgress.Part, digest: [UInt8]
    ) throws(S3Error) {
        try run(
            """
            INSERT INTO copy_parts (version_id, backend_id, number, md5, token) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (version_id, backend_id, number) DO UPDATE SET md5 = excluded.md5, token = excluded.token
            """, .bytes(versionID.bytes), .int(backendID), .int(Int64(number.value)), .bytes(part.md5),
            .text(part.token))
        try run(
            "UPDATE copies SET md5 = $3 WHERE version_id = $1 AND backend_id = $2", .bytes(versionID.bytes),
            .int(backendID), .bytes(digest))
    }

    package func endCopy(versionID: VersionID, backendID: Int64) throws(S3Error) {
        try run(
            "DELETE FROM copy_parts WHERE version_id = $1 AND backend_id = $2", .bytes(versionID.bytes), .int(backendID)
        )
        try run(
            "DELETE FROM copies WHERE version_id = $1 AND backend_id = $2", .bytes(versionID.bytes), .int(backendID))
    }
}
