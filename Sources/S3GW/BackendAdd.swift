import ArgumentParser
import Core

/// `s3gw backend add`: a store with its place in the world, probed before it is taken.
struct BackendAdd: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "add", "Add a store. It is probed at once and not added when it does not answer as it should.",
        """
        Record all of the location that is true: an attribute that is not recorded satisfies no policy. The secret of an \
        s3 store comes from a file, standard input or S3GW_BACKEND_SECRET, never from the command line.
        """,
        examples: "s3gw backend add fi --type file --path /srv/s3/fi --region fi-hel-1 --country FI --jurisdiction EU",
        "s3gw backend add de --type s3 --endpoint https://s3.de.example.net --signing-region de-fra "
            + "--access-key-id AKIAIOSFODNN7EXAMPLE --secret-file de.secret --region de-fra-1 --country DE "
            + "--jurisdiction EU --provider example --certification iso27001")

    @Argument(help: "1 to 31 of a-z, 0-9 and -; it ends the names of buckets there and cannot be changed.")
    var name: String
    @Option(help: "file (a local directory) or s3.")
    var type: BackendKind
    @Option(help: ArgumentHelp("file: the directory, which must exist.", valueName: "directory"))
    var path: String?
    @Option(help: ArgumentHelp("s3: https://host or https://host:port.", valueName: "url"))
    var endpoint: String?
    @Option(help: ArgumentHelp("Your label for where it stands; LocationConstraint names it.", valueName: "label"))
    var region: String
    @Option(help: ArgumentHelp("ISO 3166-1 alpha-2, such as FI.", valueName: "code"))
    var country: String?
    @Option(help: ArgumentHelp("Such as EU; may be given more than once.", valueName: "word"))
    var jurisdiction: [String] = []
    @Option(help: ArgumentHelp("Who runs it, in lower case.", valueName: "word"))
    var provider: String?
    @Option(help: ArgumentHelp("Such as iso27001; may be given more than once.", valueName: "word"))
    var certification: [String] = []
    @Option(help: ArgumentHelp("s3: the region requests to it are signed for.", valueName: "region"))
    var signingRegion = "us-east-1"
    @Option(help: "s3: path or virtual, how it wants bucket names.")
    var addressing = BucketAddressing.path
    @Option(help: ArgumentHelp("s3: a PEM file that verifies its certificate, not the system's.", valueName: "file"))
    var caFile: String?
    @Option(help: ArgumentHelp("s3: the access key id the gateway uses there.", valueName: "id"))
    var accessKeyID: String?
    @Option(help: ArgumentHelp("s3: the file with its secret; - is standard input.", valueName: "file"))
    var secretFile: String?
    @Flag(help: "s3: take an http endpoint that is not on this machine. Everything can be read on the way.")
    var allowPlainHTTP = false
    @Flag(help: "Add it without asking whether it answers.")
    var noProbe = false
    @Flag(help: "s3: add it although another backend has its endpoint, region and access key id.")
    var anyway = false
    @OptionGroup var options: StoreOptions

    func validate() throws {
        guard PhysicalBucketNaming.isBackendName(name) else {
            throw ValidationError("A backend's name is 1 to 31 of a-z, 0-9 and -, with a letter or digit at both ends.")
        }
        try LocationOptions.check(location)
        switch type {
        case .file:
            guard let path, path.hasPrefix("/"), Words.isPath(path) else {
                throw ValidationError("A file backend needs --path with an absolute directory.")
            }
            guard endpoint == nil, accessKeyID == nil, secretFile == nil, caFile == nil else {
                throw ValidationError("--endpoint, --access-key-id, --secret-file and --ca-file are for --type s3.")
            }
        case .s3:
            guard let endpoint, accessKeyID != nil else {
                throw ValidationError("An s3 backend needs --endpoint and --access-key-id.")
            }
            guard path == nil else { throw ValidationError("--path is for --type file.") }
            if let problem = EndpointURL.problem(endpoint, allowPlainHTTP: allowPlainHTTP) {
                throw ValidationError(problem)
            }
            guard caFile?.hasPrefix("/") ?? true else { throw ValidationError("--ca-file needs an absolute path.") }
        }
    }

    private var location: Location {
        Location(
            region: region, country: country, jurisdictions: jurisdiction, provider: provider,
            certifications: certification)
    }

    func run() throws {
        try options.run { store in
            guard try store.read({ sql throws(S3Error) in try sql.backend(named: name) }) == nil else {
                throw Outcome.no("There is a backend \(name) already.")
            }
            let secret = type == .s3 ? try SecretInput.read(file: secretFile, variable: "S3GW_BACKEND_SECRET") : nil
            var record = try record(secret, store)
            try BackendPlace.refuseShared(record, anyway: anyway, store)
            if !noProbe {
                let result = BackendProbe.run(record, masterKeys: store.masterKeys)
                guard let found = result.abilities else {
                    let problem = "\(record.endpoint) does not answer as it should: \(result.problem ?? "")"
                    throw Outcome.no("Not added: \(problem)")
                }
                record.abilities = found.text
            }
            let stored = try store.write { sql throws(S3Error) in try sql.insertBackend(record) }
            options.show(stored.json, stored.fields)
        }
    }

    private func record(_ secret: [UInt8]?, _ store: Store) throws(S3Error) -> BackendRecord {
        BackendRecord(
            id: 0, name: name, kind: type,
            location: location,
            state: .active,
            endpoint: type == .file
                ? path ?? "" : EndpointURL.stored(endpoint ?? "", allowPlainHTTP: allowPlainHTTP),
            signingRegion: signingRegion, addressing: addressing, caFile: caFile, accessKeyID: accessKeyID,
            sealedSecret: try secret.map { secret throws(S3Error) in
                try store.masterKeys().seal(secret, table: "backends", row: name)
            }, abilities: "{}", createdAt: .now())
    }
}
