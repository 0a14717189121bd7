import Logging

/// The first half of a rebuild: tenants, keys, policies, buckets, names and backends, from the sealed documents.
extension Rebuild {
    /// The newest document of one name, and everywhere it or an older one was found.
    private struct Found {
        var generation: Int64
        var document: RecoveryDocument
        var places: [DocumentPlace]
    }

    /// Returns every backend that holds something, with its client, after the new database has all configuration.
    func restoreConfiguration(
        into database: Database, _ given: [BackendRecord]
    ) throws(S3Error) -> [Int64: any Backend] {
        guard !given.isEmpty else {
            throw S3Error(.invalidRequest, cause: "name one backend at least: s3gw backend add")
        }
        var documents: [RecoveryDocument.Subject: Found] = [:]
        for record in given where !without.contains(record.name) { try collect(from: record, 0, into: &documents) }
        guard let installation = documents[.installation] else {
            throw S3Error(
                .internalError,
                cause: "no backend has a document about the installation that these master keys open: is it the right "
                    + "key file, and are these the right backends?")
        }
        try database.write { sql throws(S3Error) in
            for rows in installation.document.tables { try sql.restore(rows) }
            for record in given { try sql.restoreBackend(record) }
        }
        var records = try database.read { sql throws(S3Error) in try sql.backends() }
        let unknown = given.filter { each in !records.contains { $0.name == each.name } }
        try database.write { sql throws(S3Error) in for record in unknown { _ = try sql.insertBackend(record) } }
        records = try database.read { sql throws(S3Error) in try sql.backends() }
        for name in without.sorted() where !records.contains(where: { $0.name == name }) {
            let known = records.map(\.name).joined(separator: ", ")
            throw S3Error(.invalidArgument, cause: "there is no backend \(name) to go without; there are: \(known)")
        }
        report.backends = records.count
        var clients: [Int64: any Backend] = [:]
        documents = [.installation: installation]
        for record in records where record.state != .lost && !without.contains(record.name) {
            clients[record.id] = try backend(record)
            try collect(from: record, record.id, into: &documents)
        }
        try restore(documents, into: database)
        return clients
    }

    private func restore(_ documents: [RecoveryDocument.Subject: Found], into database: Database) throws(S3Error) {
        let ordered = documents.sorted { Self.order($0.key) < Self.order($1.key) }
        try database.write { sql throws(S3Error) in
            for (subject, found) in ordered where subject != .installation {
                for rows in found.document.tables { try sql.restore(rows) }
            }
            let ids = Set(try sql.backends().map(\.id))
            for (_, found) in ordered {
                for place in found.places where ids.contains(place.backendID) { _ = try sql.setDocumentPlace(place) }
            }
            try sql.restoreGeneration(documents.values.map(\.generation).max() ?? 0)
            report.tenants = try sql.tenants().count
            report.buckets = try sql.allBuckets().count
        }
    }

    /// Tenants before the buckets that belong to them.
    private static func order(_ subject: RecoveryDocument.Subject) -> (Int, Int64) {
        switch subject {
        case .installation: (0, 0)
        case .tenant(let id): (1, id)
        case .bucket(let id): (2, id)
        }
    }

    private static let pageSize = 1000

    /// Adds what one backend has: of each name the newest of all backends is kept.
    private func collect(
        from record: BackendRecord, _ id: Int64, into documents: inout [RecoveryDocument.Subject: Found]
    ) throws(S3Error) {
        let store = try backend(record)
        for bucket in RecoveryBucket.names(masterKeys, backend: record.name) {
            var after: [UInt8]?
            while true {
                try checkGoingOn()
                let page: [BackendListEntry]
                do throws(BackendError) { page = try store.list(bucket, after: after, limit: Self.pageSize) } catch {
                    if error.kind == .missing { break }
                    throw Self.failure(error)
                }
                for entry in page {
                    guard let (name, generation) = RecoveryKey.document(reading: entry.key),
                        let subject = RecoveryDocument.Subject(name: name)
                    else { continue }
                    let place = DocumentPlace(
                        name: name, backendID: id, physicalBucket: bucket, generation: generation, digest: [])
                    try add(place, subject, entry, store, to: &documents)
                }
                guard page.count == Self.pageSize, let last = page.last else { break }
                after = last.key
            }
        }
    }

    private func add(
        _ place: DocumentPlace, _ subject: RecoveryDocument.Subject, _ entry: BackendListEntry, _ store: any Backend,
        to documents: inout [RecoveryDocument.Subject: Found]
    ) throws(S3Error) {
        if let known = documents[subject], known.generation >= place.generation {
            documents[subject]?.places.append(place)
            return
        }
        let object = PhysicalObject(bucket: place.physicalBucket, key: entry.key)
        let sealed = try Self.read(object, from: store, atMost: RecoveryDocument.maximumBytes)
        let document: RecoveryDocument
        do throws(S3Error) {
            let json = try masterKeys.open(sealed, table: RecoveryBucket.sealedTable, row: place.name)
            document = try RecoveryDocument(reading: json)
        } catch {
            log.warning(
                "a document about the configuration does not open",
                metadata: ["document": "\(place.name)", "cause": "\(error.cause ?? error.message)"])
            return
        }
        guard document.subject == subject else { return }
        let places = (documents[subject]?.places ?? []) + [place]
        documents[subject] = Found(generation: place.generation, document: document, places: places)
    }

    /// Returns the whole content of a small object.
    static func read(
        _ object: PhysicalObject, from store: any Backend, atMost limit: Int
    ) throws(S3Error) -> [UInt8] {
        var bytes: [UInt8] = []
        do throws(BackendError) {
            try unsafe store.get(
                object, range: nil,
                head: { head throws(BackendError) in
                    guard head.sizeBytes <= limit else {
                        throw BackendError(.refused, backend: store.record.name, "an object of ours is too large")
                    }
                }, piece: { unsafe bytes.append(contentsOf: $0) })
        } catch {
            throw failure(error)
        }
        return bytes
    }
}
