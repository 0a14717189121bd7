/// Makes the backend that a record describes.
package enum BackendFactory {
    /// Throws `InternalError` whose cause says what is wrong with the record.
    package static func make(_ record: BackendRecord, secret: [UInt8]?) throws(S3Error) -> any Backend {
        switch record.kind {
        case .file: return try FileBackend(record)
        case .s3: throw S3Error(.internalError, cause: "backend \(record.name): the kind s3 is not built yet")
        }
    }
}
