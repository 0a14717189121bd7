import ArgumentParser
import Core

/// `s3gw bucket`: what tenants see, and the hashed names on the backends.
struct BucketCommand: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "bucket", "Buckets, and their hashed names on the backends.", example: "s3gw bucket explain photos",
        [List.self, Show.self, BucketExplain.self, BucketShare.self, BucketUnshare.self])

    func run() throws { throw verbIsMissing("bucket") }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "list", "List the buckets of one tenant, or of all.",
            examples: "s3gw bucket list", "s3gw bucket list --tenant alice --json")

        @Option(help: ArgumentHelp("Only this tenant's.", valueName: "name")) var tenant: String?
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let owner = try tenant.map(store.tenant)
                let rows = try store.read { sql throws(S3Error) in
                    let names = try sql.tenants().map { ($0.id, $0.name) }
                    let owners = Dictionary(names) { first, _ in first }
                    return try sql.allBuckets().filter { owner == nil || $0.tenantID == owner?.id }
                        .map { ($0, owners[$0.tenantID] ?? "") }
                }
                var table = Table("NAME", "TENANT", "REGION", "LOCATIONS", "CREATED")
                for (bucket, owner) in rows {
                    table.add(
                        bucket.name.text, owner, bucket.region, bucket.locations.joined(separator: ","),
                        bucket.createdAt.iso8601)
                }
                options.show(.array(rows.map { .object($0.0.members(tenant: $0.1)) }), table.text)
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "show", "Show one bucket: how much is in it, its policy, and where it exists.",
            "Counting reads the whole bucket in the database.",
            examples: "s3gw bucket show photos", "s3gw bucket show photos --tenant alice --json")

        @Argument var name: String
        @OptionGroup var choice: BucketChoice
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let (bucket, tenant) = try choice.find(name, in: store)
                let (counts, policy, mappings, backends) = try store.read { sql throws(S3Error) in
                    (
                        try sql.objectCounts(bucketID: bucket.id), try sql.policy(bucketID: bucket.id),
                        try sql.mappings(bucketID: bucket.id), try sql.backends()
                    )
                }
                let readers = try store.read { sql throws(S3Error) in
                    var names: [String] = []
                    for id in try sql.shares(bucketID: bucket.id) {
                        if let reader = try sql.tenant(id: id) { names.append(reader.name) }
                    }
                    return names.sorted()
                }
                var table = Table("BACKEND", "PHYSICAL BUCKET", "STATE")
                var places: [JSONValue] = []
                for mapping in mappings {
                    let backend = backends.first { $0.id == mapping.backendID }?.name ?? "removed backend"
                    table.add(backend, mapping.physicalName, mapping.state.rawValue)
                    places.append([
                        "backend": .string(backend), "physicalBucket": .string(mapping.physicalName),
                        "state": .string(mapping.state.rawValue),
                    ])
                }
                let value = JSONValue.object(
                    bucket.members(tenant: tenant.name) + [
                        .init("objects", .integer(counts.objects)), .init("bytes", .integer(counts.bytes)),
                        .init("policyVersion", policy.map { .integer($0.version) } ?? .null),
                        .init("sharedWith", .texts(readers)), .init("backends", .array(places)),
                    ])
                options.show(
                    value,
                    Table.fields([
                        ("name", bucket.name.text), ("tenant", tenant.name), ("region", bucket.region),
                        ("locations", bucket.locations.isEmpty ? nil : bucket.locations.joined(separator: ", ")),
                        ("versioning", bucket.versioning.rawValue), ("objects", String(counts.objects)),
                        ("bytes", String(counts.bytes)), ("policy", policy.map { "version \($0.version)" } ?? "none"),
                        ("shared with", readers.isEmpty ? nil : readers.joined(separator: ", ")),
                        ("created", bucket.createdAt.iso8601),
                    ]) + (mappings.isEmpty ? "" : "\n\n" + table.text))
            }
        }
    }
}

extension Bucket {
    fileprivate func members(tenant: String) -> [JSONValue.Member] {
        [
            .init("name", .string(name.text)), .init("tenant", .string(tenant)), .init("region", .string(region)),
            .init("locations", .texts(locations)), .init("versioning", .string(versioning.rawValue)),
            .init("createdAt", .string(createdAt.iso8601)),
        ]
    }
}
