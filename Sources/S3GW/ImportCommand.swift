import ArgumentParser
import CommandLineSupport
import Core
import Foundation

/// `s3gw import`: brings an existing bucket behind the gateway, where it is.
struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "import", "Adopt an existing bucket of a backend in place, or only compare it.",
        """
        Every object keeps its physical bucket and key, and becomes an object of the logical bucket with its size, headers, \
        metadata, tags, ETag and time. Clients may use the bucket meanwhile: what they wrote or deleted wins. An import that was \
        stopped, or killed, goes on where it was when it is called again. In the end the worker makes what policy wants. \
        The backend has to be one that policy allows; --move adopts anyway, and the worker then moves the objects away.

        --verify-only changes nothing: it tells what differs between the physical bucket and the logical one, or another \
        physical one (--against), and ends with exit code 1 when something does.
        """,
        examples: "s3gw import --backend old --bucket photos-2019 --tenant alice --as photos",
        "s3gw import --backend old --bucket photos-2019 --verify-only --tenant alice --as photos",
        "s3gw import --backend old --bucket photos-2019 --verify-only --against new/photos-2019")

    @Option(help: ArgumentHelp("Where the bucket is.", valueName: "name")) var backend: String
    @Option(help: ArgumentHelp("The physical bucket.", valueName: "name")) var bucket: String
    @Option(help: ArgumentHelp("Whose it becomes.", valueName: "name")) var tenant: String?
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp(
            "The logical bucket, made when there is none. Default: the physical name.", valueName: "name"))
    var logicalName: String?
    @Flag(help: "Read every object in full: compare it with its ETag and compute a checksum.") var read = false
    @Option(
        help: ArgumentHelp(
            "Whose tags the store is asked for: 'counted', of objects that it says have some (x-amz-tagging-count); 'all', "
                + "for stores that do not say so; 'none'.", valueName: "which"))
    var tags = BucketImport.TagChoice.counted
    @Flag(help: "Adopt although policy keeps such objects away from the backend.") var move = false
    @Flag(help: "Change nothing; tell the differences.") var verifyOnly = false
    @Option(help: ArgumentHelp("With --verify-only: the other physical bucket.", valueName: "backend/bucket"))
    var against: String?
    @OptionGroup var options: StoreOptions

    /// Seconds between two lines of progress.
    private static let reportSeconds: TimeInterval = 5
    /// Differences that JSON lists; the number counts all of them.
    private static let maximumListed = 10_000

    func validate() throws {
        guard against == nil || verifyOnly else { throw ValidationError("--against needs --verify-only.") }
        guard against == nil || tenant == nil else {
            throw ValidationError("Compare with --against or --tenant, not both.")
        }
        guard against != nil || tenant != nil else { throw ValidationError("Say whose bucket it is with --tenant.") }
        guard !verifyOnly || !(read || move || tags != .counted) else {
            throw ValidationError("--verify-only changes nothing.")
        }
    }

    func run() throws {
        try options.run { store in
            let world = try store.world()
            let live = try find(backend, in: world)
            if verifyOnly { return try compare(store, world, live) }
            let owner = try store.tenant(tenant ?? "")
            let name = try logical()
            let existing = try store.read { sql throws(S3Error) in try sql.bucket(tenantID: owner.id, name: name) }
            let policy =
                if let existing { try world.snapshot().policy(for: existing) } else {
                    try world.snapshot().policy(forNewBucketOf: owner.id, locations: [])
                }
            if !move, let violation = BucketImport.violation(of: policy, on: live) {
                throw Outcome.no(
                    "Policy keeps the objects away from there (\(violation)); --move adopts and moves them.")
            }
            try BucketImport.checkAdoptable(bucket, on: live, world)
            let target = try begin(existing, name, of: owner, on: live, store)
            let work = BucketImport(
                world: world, tenant: owner, source: .init(bucket: target, live: live, physicalBucket: bucket),
                readsContent: read, tags: tags)
            var told = Date()
            let record = try work.run { record in
                guard Date().timeIntervalSince(told) >= Self.reportSeconds else { return }
                told = Date()
                CommandLineProgram.complain("\(Self.text(record)), so far")
            }
            let rest =
                record.isRecorded ? "" : " A worker has to write some of it down yet: a rebuild would not find that."
            options.show(
                json(record), "Imported \(bucket) of \(backend) as \(name.text): \(Self.text(record)).\(rest)")
        }
    }

    /// Begins the import of a bucket, which is made in the same transaction where there is none: a refusal leaves nothing.
    private func begin(
        _ existing: Bucket?, _ name: BucketName, of owner: Tenant, on live: LiveBackend, _ store: Store
    ) throws(S3Error) -> Bucket {
        try store.write { sql throws(S3Error) in
            let target =
                if let existing { existing } else {
                    try sql.insertBucket(
                        tenantID: owner.id, name: name, region: store.configuration.region, locations: [],
                        createdAt: .now())
                }
            _ = try sql.beginImport(
                bucketID: target.id, backendID: live.backend.record.id, physicalBucket: bucket, at: .now())
            return target
        }
    }

    private func logical() throws -> BucketName {
        do throws(S3Error) { return try BucketName(validating: Array((logicalName ?? bucket).utf8)) } catch {
            throw Outcome.usage("\(logicalName ?? bucket) can be no bucket's name; name it with --as.")
        }
    }

    private func find(_ name: String, in world: World) throws -> LiveBackend {
        guard let live = try world.snapshot().backends.values.first(where: { $0.name == name }) else {
            throw Outcome.no("There is no backend \(name).")
        }
        guard live.isReadable else { throw Outcome.no("Backend \(name) is \(live.backend.record.state.rawValue).") }
        return live
    }

    private static func text(_ record: ImportRecord) -> String {
        "\(record.adopted) objects adopted (\(record.adoptedBytes) bytes), \(record.skipped) left alone"
    }

    private func json(_ record: ImportRecord) -> JSONValue {
        [
            "backend": .string(backend), "physicalBucket": .string(bucket), "adopted": .integer(record.adopted),
            "adoptedBytes": .integer(record.adoptedBytes), "leftAlone": .integer(record.skipped),
            "isRecorded": .boolean(record.isRecorded),
        ]
    }

    // MARK: Comparing

    private func compare(_ store: Store, _ world: World, _ live: LiveBackend) throws {
        try BucketImport.check(bucket, on: live)
        let comparison = PlaceComparison(.physical(live, bucket: bucket), try other(store, world))
        var rows: [JSONValue] = []
        let result = try comparison.run { difference in
            let key = String(decoding: difference.key, as: UTF8.self)
            if options.json {
                guard rows.count < Self.maximumListed else { return }
                rows.append([
                    "difference": .string(difference.kind.rawValue), "key": .string(key),
                    "details": .string(difference.words),
                ])
            } else {
                let line = "\(difference.kind.rawValue)\t\(key.debugDescription)\t\(difference.words)\n"
                StandardOutput.write(Array(line.utf8))
            }
        }
        options.show(
            [
                "compared": .integer(result.compared), "differences": .integer(result.differences),
                "notHashed": .integer(result.unhashed), "list": .array(rows),
            ],
            "\(result.compared) objects compared, \(result.differences) differences, "
                + "\(result.unhashed) by their size only.")
        guard result.differences == 0 else { throw Outcome.no("The places differ.") }
    }

    private func other(_ store: Store, _ world: World) throws -> PlaceComparison.Place {
        if let against {
            let words = against.split(separator: "/", maxSplits: 1).map(String.init)
            guard words.count == 2 else { throw Outcome.usage("--against takes BACKEND/BUCKET.") }
            let second = try find(words[0], in: world)
            try BucketImport.check(words[1], on: second)
            return .physical(second, bucket: words[1])
        }
        let owner = try store.tenant(tenant ?? "")
        let name = try logical()
        let found = try store.read { sql throws(S3Error) in try sql.bucket(tenantID: owner.id, name: name) }
        guard let found else { throw Outcome.no("Tenant \(owner.name) has no bucket \(name.text).") }
        return .logical(store.database, found)
    }
}

extension BucketImport.TagChoice: ExpressibleByArgument {}
