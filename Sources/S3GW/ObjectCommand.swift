import ArgumentParser
import Core

/// `s3gw object`: where the bytes of one key are.
struct ObjectCommand: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "object", "Versions of a key, and where their bytes are.", example: "s3gw object show photos cat.jpg",
        [Show.self])

    func run() throws { throw verbIsMissing("object") }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "show", "Show the versions of a key, and each replica's backend, country and state.",
            """
            A replica is present, pending (the worker makes it) or removing. A dead version was overwritten or deleted and \
            is still being removed from its backends.
            """,
            examples: "s3gw object show photos 2026/cat.jpg", "s3gw object show photos cat.jpg --tenant alice --json")

        @Argument var bucket: String
        @Argument var key: String
        @Option(help: ArgumentHelp("The newest versions, at most this many.", valueName: "number"))
        var limit = 100
        @OptionGroup var choice: BucketChoice
        @OptionGroup var options: StoreOptions

        func validate() throws {
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit is 1 to 10000.") }
        }

        func run() throws {
            try options.run { store in
                let (bucket, tenant) = try choice.find(bucket, in: store)
                let key = try ObjectKey(validating: Array(key.utf8))
                let (versions, backends) = try store.read { sql throws(S3Error) in
                    var shown: [ShownVersion] = []
                    for found in try sql.versions(bucketID: bucket.id, key: key, limit: limit) {
                        let replicas = try sql.replicas(of: found.version.id)
                        shown.append(
                            ShownVersion(
                                version: found.version, isLatest: found.isLatest, isLive: found.isLive,
                                replicas: replicas))
                    }
                    let backends = try sql.backends().map { ($0.id, $0) }
                    return (shown, Dictionary(backends) { first, _ in first })
                }
                guard !versions.isEmpty else { throw Outcome.no("There is no object \(key.text) in \(bucket.name).") }
                let value: JSONValue = [
                    "bucket": .string(bucket.name.text), "tenant": .string(tenant.name), "key": .string(key.text),
                    "versions": .array(versions.map { $0.json(backends) }),
                ]
                options.show(value, versions.map { $0.text(backends) }.joined(separator: "\n\n"))
            }
        }
    }
}

/// One version with its replicas, ready to be shown.
private struct ShownVersion: Sendable {
    let version: ObjectVersion
    let isLatest: Bool
    let isLive: Bool
    let replicas: [Replica]

    private var state: String { isLive ? "live" : "dead" }

    func json(_ backends: [Int64: BackendRecord]) -> JSONValue {
        [
            "versionId": .string(version.id.description), "isLatest": .boolean(isLatest), "state": .string(state),
            "isDeleteMarker": .boolean(version.isDeleteMarker), "sizeBytes": .integer(version.sizeBytes),
            "eTag": .string(version.eTag), "lastModified": .string(version.lastModified.iso8601),
            "storageClass": .string(version.storageClass),
            "replicas": .array(
                replicas.map { replica in
                    let backend = backends[replica.backendID]
                    return [
                        "backend": .text(backend?.name), "country": .text(backend?.location.country),
                        "region": .text(backend?.location.region), "state": .string(replica.state.rawValue),
                        "physicalBucket": .text(replica.physicalBucket.isEmpty ? nil : replica.physicalBucket),
                        "physicalKey": .string(String(decoding: replica.physicalKey, as: UTF8.self)),
                    ]
                }),
        ]
    }

    func text(_ backends: [Int64: BackendRecord]) -> String {
        var table = Table("BACKEND", "REGION", "COUNTRY", "STATE", "PHYSICAL BUCKET", "PHYSICAL KEY")
        for replica in replicas {
            let backend = backends[replica.backendID]
            table.add(
                backend?.name ?? "removed backend", backend?.location.region ?? "", backend?.location.country ?? "",
                replica.state.rawValue, replica.physicalBucket, String(decoding: replica.physicalKey, as: UTF8.self))
        }
        let fields = Table.fields([
            ("version", version.id.description + (isLatest ? " (latest)" : "")), ("state", state),
            ("size", version.isDeleteMarker ? "delete marker" : "\(version.sizeBytes) bytes"), ("ETag", version.eTag),
            ("last modified", version.lastModified.iso8601), ("storage class", version.storageClass),
        ])
        return fields + (replicas.isEmpty ? "" : "\n" + table.text)
    }
}
