import Core
import Foundation

/// Two backends in one place would be lost together, and count as two replicas.
enum BackendPlace {
    /// Throws the answer no when another backend is where `record` is to be.
    ///
    /// For an s3 store that is one endpoint, one region and one access key id; `anyway` lets that pass, as only the
    /// operator knows what stands behind an endpoint. Two `file` backends may not even lie within each other: each would
    /// take the other's files for strangers in its buckets.
    static func refuseShared(_ record: BackendRecord, anyway: Bool, _ store: Store) throws {
        let others = try store.read { sql throws(S3Error) in try sql.backends() }
            .filter { $0.name != record.name && $0.kind == record.kind }
        switch record.kind {
        case .file:
            for other in others { try refuseDirectory(record.endpoint, other) }
        case .s3:
            guard !anyway else { return }
            let endpoint = try StoreEndpoint(parsing: record.endpoint)
            for other in others
            where other.signingRegion == record.signingRegion && other.accessKeyID == record.accessKeyID {
                guard try StoreEndpoint(parsing: other.endpoint) == endpoint else { continue }
                throw Outcome.no(
                    """
                    Backend \(other.name) has this endpoint, region and access key id already: two copies would lie in one \
                    store, and be lost together. --anyway takes it nevertheless.
                    """)
            }
        }
    }

    private static func refuseDirectory(_ path: String, _ other: BackendRecord) throws {
        let (own, others) = (components(path), components(other.endpoint))
        if own == others { throw Outcome.no("\(path) is the directory of backend \(other.name).") }
        if own.starts(with: others) { throw Outcome.no("\(path) lies in the directory of backend \(other.name).") }
        if others.starts(with: own) { throw Outcome.no("The directory of backend \(other.name) lies in \(path).") }
    }

    /// The path without links, as far as it exists, by its parts.
    private static func components(_ path: String) -> [String] {
        URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().pathComponents
    }
}
