import ArgumentParser
import Core

/// `s3gw policy`: where replicas may live and how many there must be.
struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "policy", "Where replicas may live and how many there must be.",
        example: "s3gw policy set --tenant alice policy.json", [Set.self, Show.self, Remove.self, PolicyEffective.self])

    func run() throws { throw verbIsMissing("policy") }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "set", "Set the policy of a tenant (the ceiling), or of a bucket (which may only narrow it).",
            """
            The policy is JSON:
              { "residency": { "allow": ["country:FI", "jurisdiction:EU"],
                               "deny": ["provider:example"], "require": ["iso27001"] },
                "replicas":  { "count": 2, "distinct": "country",
                               "acknowledge": 1, "order": ["fi-hel-1", "de-fra-1"] } }

            A selector is country:, jurisdiction:, region:, provider: or certification: and a value. distinct is none, \
            backend, region, country or provider; acknowledge is a number, "quorum" or "all".
            """,
            examples: "s3gw policy set --tenant alice policy.json",
            "echo '{\"replicas\":{\"count\":3}}' | s3gw policy set --tenant alice --bucket photos -")

        @OptionGroup var scope: PolicyScope
        @Argument(help: "The file with the policy; - is standard input.") var file: String
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let policy = try PolicyDocument(parsing: try SecretInput.contents(of: file))
                let target = try scope.target(in: store)
                let version: Int64
                switch target {
                case .tenant(let tenant):
                    version = try store.write { sql throws(S3Error) in
                        try sql.setPolicy(tenantID: tenant.id, json: policy.json, at: .now())
                    }
                case .bucket(let bucket, let tenant):
                    let ceiling = try store.read { sql throws(S3Error) in try sql.policy(tenantID: tenant.id) }
                    try policy.checkNarrows(try ceiling.map { try PolicyDocument(parsing: $0.json) })
                    version = try store.write { sql throws(S3Error) in
                        try sql.setPolicy(bucketID: bucket.id, json: policy.json, at: .now())
                    }
                }
                options.show(
                    target.json(version: version, policy: policy), "Policy version \(version) holds for \(target.text)."
                )
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "show", "Show the policy of a tenant or of a bucket as it was set.",
            examples: "s3gw policy show --tenant alice", "s3gw policy show --bucket photos --json")

        @OptionGroup var scope: PolicyScope
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let target = try scope.target(in: store)
                let set = try store.read { sql throws(S3Error) in
                    switch target {
                    case .tenant(let tenant): try sql.policy(tenantID: tenant.id)
                    case .bucket(let bucket, _): try sql.policy(bucketID: bucket.id)
                    }
                }
                guard let set else { throw Outcome.no("No policy is set for \(target.text).") }
                let policy = try PolicyDocument(parsing: set.json)
                options.show(
                    target.json(version: set.version, policy: policy),
                    String(decoding: policy.jsonValue.indented, as: UTF8.self))
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "remove", "Remove the policy of a tenant or of a bucket.", examples: "s3gw policy remove --bucket photos")

        @OptionGroup var scope: PolicyScope
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let target = try scope.target(in: store)
                let isRemoved = try store.write { sql throws(S3Error) in
                    switch target {
                    case .tenant(let tenant): try sql.removePolicy(tenantID: tenant.id, at: .now())
                    case .bucket(let bucket, _): try sql.removePolicy(bucketID: bucket.id, at: .now())
                    }
                }
                guard isRemoved else { throw Outcome.no("No policy is set for \(target.text).") }
                options.show(target.json, "Removed the policy of \(target.text).")
            }
        }
    }
}

/// Whose policy: `--bucket` with, where needed, its tenant, or `--tenant` alone.
struct PolicyScope: ParsableArguments {
    enum Target {
        case tenant(Tenant)
        case bucket(Bucket, Tenant)

        var text: String {
            switch self {
            case .tenant(let tenant): "tenant \(tenant.name)"
            case .bucket(let bucket, let tenant): "bucket \(bucket.name) of \(tenant.name)"
            }
        }

        private var members: [JSONValue.Member] {
            switch self {
            case .tenant(let tenant): [.init("tenant", .string(tenant.name)), .init("bucket", .null)]
            case .bucket(let bucket, let tenant):
                [.init("tenant", .string(tenant.name)), .init("bucket", .string(bucket.name.text))]
            }
        }

        var json: JSONValue { .object(members) }

        func json(version: Int64, policy: PolicyDocument) -> JSONValue {
            .object(members + [.init("version", .integer(version)), .init("policy", policy.jsonValue)])
        }
    }

    @Option(help: ArgumentHelp("A bucket's policy.", valueName: "name"))
    var bucket: String?
    @OptionGroup var choice: BucketChoice

    func validate() throws {
        guard bucket != nil || choice.tenant != nil else { throw ValidationError("Say whose: --tenant or --bucket.") }
    }

    func target(in store: Store) throws -> Target {
        if let bucket {
            let found = try choice.find(bucket, in: store)
            return .bucket(found.bucket, found.tenant)
        }
        return .tenant(try store.tenant(choice.tenant ?? ""))
    }
}
