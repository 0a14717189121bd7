import ArgumentParser
import Core

/// `s3gw explain`: why a request goes where it goes.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "explain", "Say where a PUT would go, or from where a GET is answered, and why not elsewhere.",
        """
        PUT: which rules hold, and what the placement function makes of each backend now; exit code 1 when the object would be \
        refused. GET: in which order the replicas are asked, and why others are not; exit code 1 when none can be read. Health is \
        what the processes and the worker have written down.
        """,
        examples: "s3gw explain PUT photos/cat.jpg --size 5368709120",
        "s3gw explain PUT photos/x --tags replica-count=3",
        "s3gw explain GET photos/2026/cat.jpg --json")

    enum Method: String, ExpressibleByArgument {
        case put = "PUT"
        case get = "GET"

        init?(argument: String) { self.init(rawValue: argument.uppercased()) }
    }

    @Argument(help: "PUT or GET.") var method: Method
    @Argument(help: ArgumentHelp("The bucket and the key, a slash between.", valueName: "bucket/key")) var path: String
    @Option(help: ArgumentHelp("PUT: the size of the object.", valueName: "bytes")) var size: Int64 = 0
    @Option(help: ArgumentHelp("PUT: the object's tags, key=value with & between.", valueName: "tags")) var tags:
        String?
    @Option(help: ArgumentHelp("GET: this version, or null.", valueName: "id")) var versionID: String?
    @Option(help: ArgumentHelp("GET: what is near to the site, as its S3GW_NEAR.", valueName: "selectors"))
    var near: String?
    @OptionGroup var choice: BucketChoice
    @OptionGroup var options: StoreOptions

    func validate() throws {
        guard size >= 0 else { throw ValidationError("A size is not negative.") }
        guard let slash = path.firstIndex(of: "/"), slash != path.startIndex, path.index(after: slash) != path.endIndex
        else { throw ValidationError("Give bucket and key with a slash between, such as photos/cat.jpg.") }
        guard method == .put || tags == nil else { throw ValidationError("--tags is for PUT.") }
        guard method == .get || (versionID == nil && near == nil) else {
            throw ValidationError("--version-id and --near are for GET.")
        }
        _ = try selectors()
    }

    private var bucketName: String { String(path.prefix { $0 != "/" }) }

    private func key() throws(S3Error) -> ObjectKey {
        try ObjectKey(validating: Array(path.utf8.drop { $0 != 0x2F }.dropFirst()))
    }

    func run() throws {
        try options.run { store in
            let (bucket, tenant) = try choice.find(bucketName, in: store)
            let world = try store.world()
            let health = try store.read { sql throws(S3Error) in try sql.backendHealth() }
            switch method {
            case .put: try put(bucket, tenant, world, health)
            case .get: try get(bucket, tenant, world, health)
            }
        }
    }

    // MARK: PUT

    private func put(_ bucket: Bucket, _ tenant: Tenant, _ world: World, _ health: [BackendHealth]) throws {
        let key = try key()
        let explanation = try WriteExplanation(
            bucket, tags: try parsedTags(), sizeBytes: size, try world.snapshot(), health: health)
        let policy = explanation.policy
        var refused: JSONValue = .null
        if case .refuse(let refusal) = explanation.decision {
            refused = [
                "rule": .string(refusal.rule), "explanation": .string(refusal.explanation),
                "isHealth": .boolean(refusal.isHealth),
            ]
        }
        var table = Table("BACKEND", "REGION", "COUNTRY", "STATE", "VERDICT", "WHY")
        var rows: [JSONValue] = []
        for (candidate, verdict) in explanation.backends {
            let location = candidate.location
            table.add(
                candidate.name, location.region, location.country ?? "", candidate.state.rawValue,
                verdict.role.rawValue, verdict.reason)
            rows.append([
                "name": .string(candidate.name), "region": .string(location.region),
                "country": .text(location.country), "state": .string(candidate.state.rawValue),
                "isHealthy": .boolean(candidate.isHealthy), "verdict": .string(verdict.role.rawValue),
                "rule": .text(verdict.rule), "reason": .string(verdict.reason),
            ])
        }
        let rules = policy.rules.map { rule -> JSONValue in
            ["name": .string(rule.name), "words": .texts(rule.words)]
        }
        let value: JSONValue = [
            "method": "PUT", "bucket": .string(bucket.name.text), "tenant": .string(tenant.name),
            "key": .string(key.text), "sizeBytes": .integer(size), "replicaCount": .number(policy.replicaCount),
            "acknowledge": .number(policy.acknowledge), "distinct": .texts(policy.distinct.map(\.rawValue)),
            "rules": .array(rules), "refused": refused, "backends": .array(rows),
        ]
        let fields: [(String, String?)] =
            [
                ("PUT", "\(bucket.name.text)/\(key.text), \(size) bytes"), ("replicas", String(policy.replicaCount)),
                ("acknowledge", String(policy.acknowledge)),
            ] + policy.rules.map { ($0.name, $0.words.joined(separator: ", ")) }
        options.show(value, Table.fields(fields) + "\n\n" + table.text)
        if case .refuse(let refusal) = explanation.decision {
            throw Outcome.no("It would be refused: \(refusal.rule): \(refusal.explanation)")
        }
    }

    private func parsedTags() throws -> [Tag] {
        guard let tags else { return [] }
        return try tags.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return try Tag(validatingKey: Array(parts[0].utf8), value: parts.count > 1 ? Array(parts[1].utf8) : [])
        }
    }

    // MARK: GET

    private func selectors() throws(ValidationError) -> [LocationSelector] {
        guard let near else { return [] }
        do throws(PolicyError) { return try LocationSelector.near(near, at: "--near") } catch {
            throw ValidationError("\(error)")
        }
    }

    private func get(_ bucket: Bucket, _ tenant: Tenant, _ world: World, _ health: [BackendHealth]) throws {
        let key = try key()
        let reference = try versionID.map { text in
            guard let reference = VersionReference(text: Array(text.utf8)) else {
                throw Outcome.usage("\(text) is no version id.")
            }
            return reference
        }
        guard
            let explanation = try ReadExplanation(
                bucket, key, reference, near: try selectors(), world, health: health)
        else {
            throw Outcome.no("There is nothing to read at \(key.text) in \(bucket.name).")
        }
        var table = Table("ORDER", "BACKEND", "REGION", "COUNTRY", "REPLICA", "WHY")
        var rows: [JSONValue] = []
        for source in explanation.sources {
            let location = source.backend?.location
            table.add(
                source.rank.map(String.init) ?? "-", source.backend?.name ?? "removed backend", location?.region ?? "",
                location?.country ?? "", source.replica.state.rawValue, source.reason)
            rows.append([
                "order": source.rank.map { .number($0) } ?? .null, "backend": .text(source.backend?.name),
                "region": .text(location?.region), "country": .text(location?.country),
                "backendState": .text(source.backend?.state.rawValue), "state": .string(source.replica.state.rawValue),
                "reason": .string(source.reason),
            ])
        }
        let version = explanation.version
        let value: JSONValue = [
            "method": "GET", "bucket": .string(bucket.name.text), "tenant": .string(tenant.name),
            "key": .string(key.text), "versionId": .string(version.id.description),
            "sizeBytes": .integer(version.sizeBytes), "replicas": .array(rows),
        ]
        options.show(
            value,
            Table.fields([
                ("GET", "\(bucket.name.text)/\(key.text)"),
                ("version", "\(version.id), \(version.sizeBytes) bytes"),
            ]) + "\n\n" + table.text)
        guard version.sizeBytes == 0 || explanation.sources.contains(where: { $0.rank != nil }) else {
            throw Outcome.no("No replica can be read now.")
        }
    }
}
