import ArgumentParser
import Core

/// `s3gw backend update`: the same store under another address or with other credentials.
struct BackendUpdate: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "update", "Change how a backend is reached: its address, its credentials, its certificate authority.",
        """
        For new credentials, a store that has moved, or a directory that is mounted elsewhere. What is not named stays. The \
        backend is probed with the new values, and objects that should be there are looked for: when it does not answer as \
        it should, or none of them is there, nothing is changed (exit code 1). The processes that run use the new values \
        from their next request on. Another store under the same name is another backend: add that, and drain this one.
        """,
        examples: "s3gw backend update de --access-key-id AKIAIOSFODNN7EXAMPLE --secret-file de.secret",
        "s3gw backend update de --endpoint https://s3.new.example.net", "s3gw backend update de --ca-file none",
        "s3gw backend update fi --path /srv/new/fi")

    @Argument var name: String
    @Option(help: ArgumentHelp("file: the directory, which must exist.", valueName: "directory"))
    var path: String?
    @Option(help: ArgumentHelp("s3: https://host or https://host:port.", valueName: "url"))
    var endpoint: String?
    @Option(help: ArgumentHelp("s3: the region requests to it are signed for.", valueName: "region"))
    var signingRegion: String?
    @Option(help: "s3: path or virtual, how it wants bucket names.")
    var addressing: BucketAddressing?
    @Option(
        help: ArgumentHelp("s3: a PEM file that verifies its certificate; none for the system's.", valueName: "file"))
    var caFile: String?
    @Option(help: ArgumentHelp("s3: the access key id the gateway uses there.", valueName: "id"))
    var accessKeyID: String?
    @Option(
        help: ArgumentHelp(
            "s3: the file with its secret; - is standard input. Else S3GW_BACKEND_SECRET.", valueName: "file"))
    var secretFile: String?
    @Flag(help: "s3: take an http endpoint that is not on this machine. Everything can be read on the way.")
    var allowPlainHTTP = false
    @Flag(help: "s3: change it although another backend has its endpoint, region and access key id.")
    var anyway = false
    @Flag(help: "Change it without asking whether it answers and is the same store.")
    var noProbe = false
    @OptionGroup var options: StoreOptions

    private static let none = "none"
    /// Objects that are looked for: so many of the oldest and so many of the newest.
    private static let lookedFor = 5

    private var isOfS3: Bool {
        endpoint != nil || signingRegion != nil || addressing != nil || caFile != nil || isCredentials
    }
    private var isCredentials: Bool { accessKeyID != nil || secretFile != nil }

    func validate() throws {
        guard path != nil || isOfS3 else { throw ValidationError("Say what to change, such as --endpoint.") }
        guard path == nil || !isOfS3 else {
            throw ValidationError("--path is for file backends, the other options for s3 stores.")
        }
        if let path, !path.hasPrefix("/") || !Words.isPath(path) {
            throw ValidationError("--path needs an absolute directory.")
        }
        if let endpoint, let problem = EndpointURL.problem(endpoint, allowPlainHTTP: allowPlainHTTP) {
            throw ValidationError(problem)
        }
        if let caFile, caFile != Self.none, !caFile.hasPrefix("/") {
            throw ValidationError("--ca-file needs an absolute path, or none.")
        }
    }

    func run() throws {
        try options.run { store in
            let old = try store.backend(name)
            guard (old.kind == .file) == (path != nil) else {
                throw Outcome.usage("\(name) is a \(old.kind.rawValue) backend: this option is not for it.")
            }
            guard old.state != .lost else { throw Outcome.no("\(name) is lost: s3gw backend activate \(name) first.") }
            var record = try changed(old, store)
            try BackendPlace.refuseShared(record, anyway: anyway, store)
            if !noProbe { record.abilities = try probe(record, store) }
            let fresh = record
            try store.write { sql throws(S3Error) in try sql.setBackend(reachedAs: fresh) }
            options.show(record.json, record.fields)
        }
    }

    private func changed(_ old: BackendRecord, _ store: Store) throws -> BackendRecord {
        var record = old
        if let path { record.endpoint = path }
        if let endpoint { record.endpoint = EndpointURL.stored(endpoint, allowPlainHTTP: allowPlainHTTP) }
        if let signingRegion { record.signingRegion = signingRegion }
        if let addressing { record.addressing = addressing }
        if let caFile { record.caFile = caFile == Self.none ? nil : caFile }
        if let accessKeyID { record.accessKeyID = accessKeyID }
        if isCredentials {
            let secret = try SecretInput.read(file: secretFile, variable: "S3GW_BACKEND_SECRET")
            record.sealedSecret = try store.masterKeys().seal(secret, table: "backends", row: name)
        }
        return record
    }

    /// Returns what the store can do, as the database keeps it; throws the answer no when it is not that store.
    private func probe(_ record: BackendRecord, _ store: Store) throws -> String {
        let result = BackendProbe.run(record, masterKeys: store.masterKeys)
        guard let found = result.abilities else {
            throw Outcome.no(
                "Nothing was changed: \(record.endpoint) does not answer as it should: \(result.problem ?? "")")
        }
        let objects = try store.read { sql throws(S3Error) in
            try sql.objects(on: record.id, oldestAndNewest: Self.lookedFor)
        }
        guard !objects.isEmpty else { return found.text }
        let secret = try record.sealedSecret.map {
            try store.masterKeys().open($0, table: "backends", row: record.name)
        }
        let backend = try BackendFactory.make(record, secret: secret)
        for object in objects {
            let place = PhysicalObject(bucket: object.physicalBucket, key: object.physicalKey)
            if try backend.head(place) != nil { return found.text }
        }
        throw Outcome.no(
            """
            Nothing was changed: \(record.endpoint) answers, and has none of the \(objects.count) objects of \(name) that were \
            looked for. Is it another store? --no-probe changes it nevertheless.
            """)
    }
}
