import ArgumentParser
import CommandLineSupport
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
            backend, region, country or provider; within keeps all replicas in one region, country or provider; spread, \
            such as {"region": 2}, wants so many different ones; acknowledge is a number, "quorum" or "all". A preset names \
            count, within and spread: standard is 3 copies in 2 regions, regional is 2 copies in one country; in JSON it \
            is "preset": "standard" beside residency, acknowledge and order.

            What is stored already follows. Buckets whose objects cannot be placed by the new policy are listed.
            """,
            examples: "s3gw policy set --tenant alice policy.json", "s3gw policy set --tenant alice --preset standard",
            "s3gw policy set --bucket photos policy.json --dry-run",
            "echo '{\"replicas\":{\"count\":3}}' | s3gw policy set --tenant alice --bucket photos -")

        @OptionGroup var scope: PolicyScope
        @Flag(help: "Change nothing: say which buckets it would break (exit code 1) and how much would move.")
        var dryRun = false
        @Argument(help: "The file with the policy; - is standard input.") var file: String?
        @Option(help: "standard or regional, instead of a file.") var preset: PolicyPreset?
        @OptionGroup var options: StoreOptions

        func validate() throws {
            guard (file == nil) != (preset == nil) else { throw ValidationError("Give a file or --preset.") }
        }

        func run() throws {
            try options.run { store in
                let policy =
                    if let file { try PolicyDocument(parsing: try SecretInput.contents(of: file)) } else {
                        PolicyDocument(preset ?? .standard)
                    }
                let target = try scope.target(in: store)
                if dryRun { return try tryOut(policy, target, store) }
                let version: Int64
                switch target {
                case .tenant(let tenant):
                    version = try store.write { sql throws(S3Error) in
                        try sql.setPolicy(tenantID: tenant.id, json: policy.json, at: .now())
                    }
                case .bucket(let bucket, let tenant):
                    try checkNarrows(policy, tenant, store)
                    version = try store.write { sql throws(S3Error) in
                        try sql.setPolicy(bucketID: bucket.id, json: policy.json, at: .now())
                    }
                }
                let refused = try store.read { sql throws(S3Error) in try target.unplaceable(sql) }
                options.show(
                    target.json(version: version, policy: policy, unplaceable: refused),
                    "Policy version \(version) holds for \(target.text).")
                for (bucket, refusal) in refused {
                    CommandLineProgram.complain(
                        "Warning: nothing can be written to bucket \(bucket.name): \(refusal.explanation)")
                }
            }
        }

        private func checkNarrows(_ policy: PolicyDocument, _ tenant: Tenant, _ store: Store) throws {
            let ceiling = try store.read { sql throws(S3Error) in try sql.policy(tenantID: tenant.id) }
            try policy.checkNarrows(try ceiling.map { try PolicyDocument(parsing: $0.json) })
        }

        /// Says what the policy would do, by the same functions that will decide.
        private func tryOut(_ policy: PolicyDocument, _ target: PolicyScope.Target, _ store: Store) throws {
            let now = WhatIf.Side(try store.read { sql throws(S3Error) in try sql.backends() })
            var then = now
            let effects: [WhatIf.BucketEffect]
            switch target {
            case .tenant(let tenant):
                then.tenantPolicies[tenant.id] = policy
                effects = try WhatIf(store.database, now: now, then: then).effects { $0.tenantID == tenant.id }
            case .bucket(let bucket, let tenant):
                try checkNarrows(policy, tenant, store)
                then.bucketPolicies[bucket.id] = policy
                effects = try WhatIf(store.database, now: now, then: then).effects { $0.id == bucket.id }
            }
            let report = EffectReport(effects: effects)
            guard case .object(let members) = target.json else { return }
            options.show(
                .object(
                    members + [.init("policy", policy.jsonValue), .init("isDryRun", .boolean(true))] + report.members),
                "Nothing was changed. With this policy for \(target.text):\n\n\(report.text)")
            guard report.broken.isEmpty else { throw Outcome.no("Buckets that would break: \(report.broken.count).") }
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

extension PolicyPreset: ExpressibleByArgument {}

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

        func json(
            version: Int64, policy: PolicyDocument, unplaceable: [(bucket: Bucket, refusal: PlacementRefusal)]? = nil
        ) -> JSONValue {
            let refused = unplaceable.map { list -> [JSONValue.Member] in
                let rows = list.map { row -> JSONValue in
                    [
                        "bucket": .string(row.bucket.name.text), "rule": .string(row.refusal.rule),
                        "explanation": .string(row.refusal.explanation),
                    ]
                }
                return [.init("unplaceable", .array(rows))]
            }
            return .object(
                members + [.init("version", .integer(version)), .init("policy", policy.jsonValue)] + (refused ?? []))
        }

        /// The buckets of the target to which nothing can be written by policy, whatever the health of the backends.
        func unplaceable(
            _ sql: any SQLConnection
        ) throws(S3Error) -> [(bucket: Bucket, refusal: PlacementRefusal)] {
            let buckets: [Bucket] =
                switch self {
                case .bucket(let bucket, _): [bucket]
                case .tenant(let tenant): try sql.allBuckets().filter { $0.tenantID == tenant.id }
                }
            let candidates = try sql.backends().map { record in
                PlacementCandidate(
                    backendID: record.id, name: record.name, location: record.location, state: record.state,
                    isHealthy: true)
            }
            var refused: [(bucket: Bucket, refusal: PlacementRefusal)] = []
            for bucket in buckets {
                let policy = try WorldSnapshot.policy(for: bucket, tags: [], sql)
                guard case .refuse(let refusal) = Placement.decide(policy, candidates: candidates, sizeBytes: 0),
                    !refusal.isHealth
                else { continue }
                refused.append((bucket, refusal))
            }
            return refused
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
