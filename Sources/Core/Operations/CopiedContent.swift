import Synchronization

/// The content of a stored version of known MD5, copied inside a backend that has it and streamed to one that has not.
///
/// Streaming goes through one spool file for all backends, filled when the first needs it.
final class CopiedContent: ObjectContent {
    private let call: Call
    private let version: ObjectVersion
    private let replicas: [Replica]
    let md5: [UInt8]?
    private let spooled = Mutex(Spooled())

    private struct Spooled {
        var content: SpooledContent?
        var failure: S3Error?
    }

    /// Why the content could not be had.
    var failure: S3Error? { spooled.withLock { $0.failure } }

    init(_ version: ObjectVersion, replicas: [Replica], md5: [UInt8], _ call: Call) {
        self.call = call
        self.version = version
        self.replicas = replicas
        self.md5 = md5
    }

    func store(
        as object: PhysicalObject, on live: LiveBackend, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt {
        if let replica = replicas.first(where: { $0.backendID == grant.backendID }) {
            let source = PhysicalObject(bucket: replica.physicalBucket, key: replica.physicalKey)
            do throws(BackendError) {
                return try live.observe { backend throws(BackendError) in
                    try backend.copy(source, to: object, description: description, grant: grant)
                }
            } catch {
                // A store that cannot copy, or lost its replica, can still be sent the bytes.
                guard error.kind == .refused || error.kind == .missing else { throw error }
                call.log.warning("copied through the gateway instead", metadata: call.logMetadata(cause: error.cause))
            }
        }
        let content: SpooledContent
        do throws(S3Error) {
            content = try spooled.withLock { held throws(S3Error) in
                if let content = held.content { return content }
                do throws(S3Error) {
                    let content = try SpooledContent.fetch(version, from: replicas, algorithm: nil, call)
                    held.content = content
                    return content
                } catch {
                    held.failure = error
                    throw error
                }
            }
        } catch {
            throw BackendError(.stopped, backend: live.name, error.cause ?? error.message)
        }
        return try content.store(as: object, on: live, description: description, grant: grant)
    }
}
