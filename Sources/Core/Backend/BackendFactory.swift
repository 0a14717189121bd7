/// Makes the client of a store from its record.
package enum BackendFactory {
    /// `secret` is the opened secret key of an `s3` backend.
    ///
    /// Touches neither network nor disk. Throws `InvalidArgument` for a record that cannot work.
    package static func make(_ record: BackendRecord, secret: [UInt8]?) throws(S3Error) -> any Backend {
        switch record.kind {
        case .file: try FileBackend(record)
        case .s3: try S3Backend(record, secret: secret ?? [])
        }
    }
}
