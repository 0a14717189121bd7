import ArgumentParser
import Core

/// `s3gw bucket explain`: how the names on the backends come about.
struct BucketExplain: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "explain", "Show from what the bucket's name on each backend is made, and which name is stored.",
        """
        The name is s3gw-HASH-BACKEND. HASH is HMAC-SHA256 under the installation's key over the tenant's canonical id, \
        the region scope, the bucket, the backend and a counter that grows when a name is taken. A stored name is never \
        computed again; where none is stored, the name that would be tried first is shown.
        """,
        examples: "s3gw bucket explain photos", "s3gw bucket explain photos --backend fi --json")

    @Argument var name: String
    @Option(help: ArgumentHelp("Only this backend.", valueName: "name")) var backend: String?
    @OptionGroup var choice: BucketChoice
    @OptionGroup var options: StoreOptions

    func run() throws {
        try options.run { store in
            let (bucket, tenant) = try choice.find(name, in: store)
            let provisioner = try store.world().provisioner
            let only = try backend.map(store.backend)
            let (backends, mappings) = try store.read { sql throws(S3Error) in
                (try sql.backends(), try sql.mappings(bucketID: bucket.id))
            }
            var table = Table("BACKEND", "SCHEME", "COUNTER", "NAME", "STORED")
            var rows: [JSONValue] = []
            for backend in backends where only == nil || backend.id == only?.id {
                let stored = mappings.filter { $0.backendID == backend.id }.max { $0.counter < $1.counter }
                let counter = stored?.counter ?? 0
                let computed = provisioner.name(
                    tenant: tenant.canonicalID, bucket: bucket, backend: backend.name, counter: counter)
                let scheme = stored?.scheme ?? PhysicalBucketNaming.scheme
                let name = stored?.physicalName ?? computed
                let state = stored?.state.rawValue ?? "not yet"
                table.add(backend.name, String(scheme), String(counter), name, state)
                rows.append([
                    "backend": .string(backend.name), "scheme": .number(scheme), "counter": .number(counter),
                    "physicalBucket": .string(name), "isStored": .boolean(stored != nil),
                    "state": .text(stored?.state.rawValue), "isWhatSchemeGives": .boolean(name == computed),
                ])
            }
            let value: JSONValue = [
                "bucket": .string(bucket.name.text), "tenant": .string(tenant.name),
                "canonicalId": .string(tenant.canonicalID), "regionScope": .string(bucket.region),
                "backends": .array(rows),
            ]
            options.show(
                value,
                Table.fields([
                    ("bucket", bucket.name.text), ("tenant", "\(tenant.name) (\(tenant.canonicalID))"),
                    ("region scope", bucket.region),
                ]) + "\n\n" + table.text)
        }
    }
}
