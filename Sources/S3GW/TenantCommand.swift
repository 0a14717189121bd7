import ArgumentParser
import Core

/// `s3gw tenant`: owners of access keys and buckets.
struct TenantCommand: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "tenant", "Owners of access keys and buckets.", example: "s3gw tenant create alice --email alice@example.org",
        [Create.self, Show.self, List.self, Delete.self])

    func run() throws { throw verbIsMissing("tenant") }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "create", "Make a tenant; its canonical id is random unless you bring one.",
            examples: "s3gw tenant create alice",
            "s3gw tenant create alice --display-name \"Alice A.\" --email alice@example.org --json")

        @Argument(help: "1 to 64 letters, digits, - . and _.")
        var name: String
        @Option(help: ArgumentHelp("The S3 canonical user id: 64 hex digits.", valueName: "hex"))
        var canonicalID: String?
        @Option(help: ArgumentHelp("What owners are shown as. Default: the name.", valueName: "text"))
        var displayName: String?
        @Option(help: ArgumentHelp("For people.", valueName: "address"))
        var email: String?
        @OptionGroup var options: StoreOptions

        func validate() throws {
            guard Words.isName(name) else {
                throw ValidationError("A tenant's name is 1 to 64 letters, digits, - . and _.")
            }
            if let canonicalID, !Words.isCanonicalID(canonicalID) {
                throw ValidationError("A canonical id is 64 hex digits in lower case.")
            }
            guard [displayName, email].allSatisfy({ $0.map(Words.isShortText) ?? true }) else {
                throw ValidationError("A display name and an email are 1 to 256 bytes without control characters.")
            }
        }

        func run() throws {
            try options.run { store in
                let tenant = try store.write { sql throws(S3Error) in
                    try sql.insertTenant(
                        name: name, canonicalID: canonicalID ?? Hex.text(Crypto.randomBytes(32)),
                        displayName: displayName ?? name, email: email, createdAt: .now())
                }
                options.show(tenant.json, tenant.fields)
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "show", "Show one tenant.", examples: "s3gw tenant show alice")

        @Argument var name: String
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let tenant = try store.tenant(name)
                options.show(tenant.json, tenant.fields)
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "list", "List all tenants by name.", examples: "s3gw tenant list", "s3gw tenant list --json")

        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let tenants = try store.read { sql throws(S3Error) in try sql.tenants() }
                var table = Table("NAME", "DISPLAY NAME", "EMAIL", "CREATED", "CANONICAL ID")
                for tenant in tenants {
                    table.add(
                        tenant.name, tenant.displayName, tenant.email ?? "", tenant.createdAt.iso8601,
                        tenant.canonicalID)
                }
                options.show(.array(tenants.map(\.json)), table.text)
            }
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "delete", "Delete a tenant and its access keys; refused while it has buckets.",
            examples: "s3gw tenant delete alice")

        /// Buckets that a refusal names.
        private static let namedBuckets = 10

        @Argument var name: String
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let tenant = try store.tenant(name)
                let buckets = try store.read { sql throws(S3Error) in
                    try sql.buckets(tenantID: tenant.id, prefix: [], after: nil, limit: Self.namedBuckets + 1)
                }.map(\.name.text)
                guard buckets.isEmpty else {
                    let named = buckets.prefix(Self.namedBuckets).joined(separator: ", ")
                    let rest = buckets.count > Self.namedBuckets ? ", ..." : ""
                    throw Outcome.no(
                        "\(name) still has buckets (\(named)\(rest)): empty and delete them through S3, with a key of \(name), first."
                    )
                }
                try store.write { sql throws(S3Error) in try sql.deleteTenant(id: tenant.id) }
                options.show(tenant.json, "Deleted tenant \(name).")
            }
        }
    }
}

extension Tenant {
    fileprivate var json: JSONValue {
        [
            "name": .string(name), "canonicalId": .string(canonicalID), "displayName": .string(displayName),
            "email": .text(email), "createdAt": .string(createdAt.iso8601),
        ]
    }

    fileprivate var fields: String {
        Table.fields([
            ("name", name), ("canonical id", canonicalID), ("display name", displayName), ("email", email),
            ("created", createdAt.iso8601),
        ])
    }
}
