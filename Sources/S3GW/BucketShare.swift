import ArgumentParser
import Core

/// The verbs that let other tenants read a bucket, and take that back.
struct BucketShare: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "share", "Let another tenant read a bucket, as the source of copies.",
        "The other tenant names it OWNER:BUCKET in x-amz-copy-source.",
        examples: "s3gw bucket share photos --with bob", "s3gw bucket share photos --tenant alice --with bob")

    @Argument var name: String
    @Option(help: ArgumentHelp("The tenant that may read it.", valueName: "name")) var with: String
    @OptionGroup var choice: BucketChoice
    @OptionGroup var options: StoreOptions

    func run() throws {
        try options.run { store in
            let (bucket, owner) = try choice.find(name, in: store)
            let reader = try store.tenant(with)
            guard reader.id != owner.id else { throw Outcome.usage("\(name) is \(with)'s own bucket.") }
            let isNew = try store.write { sql throws(S3Error) in
                try sql.share(bucketID: bucket.id, with: reader.id, at: .now())
            }
            guard isNew else { throw Outcome.no("\(name) is shared with \(with) already.") }
            options.show(
                ["bucket": .string(name), "tenant": .string(owner.name), "sharedWith": .string(with)],
                "\(with) may read \(name) as \(owner.name):\(name).")
        }
    }
}

struct BucketUnshare: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "unshare", "Take back what bucket share allowed.",
        examples: "s3gw bucket unshare photos --with bob")

    @Argument var name: String
    @Option(help: ArgumentHelp("The tenant that may not read it any more.", valueName: "name")) var with: String
    @OptionGroup var choice: BucketChoice
    @OptionGroup var options: StoreOptions

    func run() throws {
        try options.run { store in
            let (bucket, owner) = try choice.find(name, in: store)
            let reader = try store.tenant(with)
            let isGone = try store.write { sql throws(S3Error) in
                try sql.unshare(bucketID: bucket.id, with: reader.id)
            }
            guard isGone else { throw Outcome.no("\(name) is not shared with \(with).") }
            options.show(
                ["bucket": .string(name), "tenant": .string(owner.name), "unsharedFrom": .string(with)],
                "\(with) may not read \(name) any more.")
        }
    }
}
