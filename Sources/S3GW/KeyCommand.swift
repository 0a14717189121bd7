import ArgumentParser
import Core

/// `s3gw key`: what requests are signed with.
struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "key", "Access keys that tenants sign requests with.", example: "s3gw key create alice --json",
        [Create.self, Import.self, List.self, Disable.self, Enable.self, Delete.self])

    func run() throws { throw verbIsMissing("key") }

    private static let capitalsAndDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    private static let lettersAndDigits = capitalsAndDigits + "abcdefghijklmnopqrstuvwxyz"

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "create", "Make an access key. The secret is shown this once and cannot be shown again.",
            examples: "s3gw key create alice", "s3gw key create alice --json > alice.json")

        @Argument var tenant: String
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let id = Words.random(20, of: capitalsAndDigits)
                let secret = Words.random(40, of: lettersAndDigits)
                let owner = try store.tenant(tenant)
                let key = try store.insertKey(id: id, secret: Array(secret.utf8), of: owner)
                let value: JSONValue = [
                    "accessKeyId": .string(id), "secretAccessKey": .string(secret), "tenant": .string(tenant),
                    "state": .string("active"), "createdAt": .string(key.createdAt.iso8601),
                ]
                options.show(
                    value,
                    Table.fields([
                        ("access key id", id), ("secret access key", secret), ("tenant", tenant),
                        ("created", key.createdAt.iso8601),
                    ]) + "\nThe secret is not shown again.")
            }
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "import", "Store an access key that exists already.",
            "The secret comes from a file, standard input or S3GW_SECRET_ACCESS_KEY, never from the command line.",
            examples: "s3gw key import alice --access-key-id AKIAIOSFODNN7EXAMPLE --secret-file secret.txt",
            "pass aws/alice | s3gw key import alice --access-key-id AKIAIOSFODNN7EXAMPLE --secret-file -")

        @Argument var tenant: String
        @Option(help: ArgumentHelp("3 to 128 letters, digits, - . and _.", valueName: "id"))
        var accessKeyID: String
        @Option(help: ArgumentHelp("The file with the secret; - is standard input.", valueName: "file"))
        var secretFile: String?
        @OptionGroup var options: StoreOptions

        func validate() throws {
            guard Words.isAccessKeyID(accessKeyID) else {
                throw ValidationError("An access key id is 3 to 128 letters, digits, - . and _.")
            }
        }

        func run() throws {
            try options.run { store in
                let owner = try store.tenant(tenant)
                let secret = try SecretInput.read(file: secretFile, variable: "S3GW_SECRET_ACCESS_KEY")
                let key = try store.insertKey(id: accessKeyID, secret: secret, of: owner)
                options.show(key.json(tenant: tenant), "Imported access key \(accessKeyID) for \(tenant).")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "list", "List the access keys of one tenant, or of all; never their secrets.",
            examples: "s3gw key list", "s3gw key list alice --json")

        @Argument var tenant: String?
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let owner = try tenant.map(store.tenant)
                let (keys, names) = try store.read { sql throws(S3Error) in
                    let names = try sql.tenants().map { ($0.id, $0.name) }
                    return (try sql.accessKeys(tenantID: owner?.id), Dictionary(names) { first, _ in first })
                }
                var table = Table("ACCESS KEY ID", "TENANT", "STATE", "CREATED")
                for key in keys {
                    table.add(key.id, names[key.tenantID] ?? "", key.state, key.createdAt.iso8601)
                }
                options.show(.array(keys.map { $0.json(tenant: names[$0.tenantID] ?? "") }), table.text)
            }
        }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "disable", "Refuse what is signed with this key, until it is enabled.",
            examples: "s3gw key disable AKIAIOSFODNN7EXAMPLE")

        @Argument var accessKeyID: String
        @OptionGroup var options: StoreOptions

        func run() throws { try setKey(accessKeyID, isActive: false, options) }
    }

    struct Enable: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "enable", "Accept a disabled key again.", examples: "s3gw key enable AKIAIOSFODNN7EXAMPLE")

        @Argument var accessKeyID: String
        @OptionGroup var options: StoreOptions

        func run() throws { try setKey(accessKeyID, isActive: true, options) }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "delete", "Delete a key and its secret for ever.", examples: "s3gw key delete AKIAIOSFODNN7EXAMPLE")

        @Argument var accessKeyID: String
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let isDeleted = try store.write { sql throws(S3Error) in try sql.deleteAccessKey(id: accessKeyID) }
                guard isDeleted else { throw Outcome.no("There is no access key \(accessKeyID).") }
                options.show(["accessKeyId": .string(accessKeyID)], "Deleted access key \(accessKeyID).")
            }
        }
    }

    private static func setKey(_ id: String, isActive: Bool, _ options: StoreOptions) throws {
        try options.run { store in
            let isChanged = try store.write { sql throws(S3Error) in try sql.setAccessKey(id: id, isActive: isActive) }
            guard isChanged else { throw Outcome.no("There is no access key \(id).") }
            let state = isActive ? "active" : "disabled"
            options.show(["accessKeyId": .string(id), "state": .string(state)], "Access key \(id) is \(state).")
        }
    }
}

extension Store {
    fileprivate func insertKey(id: String, secret: [UInt8], of tenant: Tenant) throws(S3Error) -> AccessKey {
        let key = AccessKey(
            id: id, tenantID: tenant.id, sealedSecret: try masterKeys().seal(secret, table: "access_keys", row: id),
            isActive: true, createdAt: .now())
        try write { sql throws(S3Error) in try sql.insertAccessKey(key) }
        return key
    }
}

extension AccessKey {
    fileprivate var state: String { isActive ? "active" : "disabled" }

    fileprivate func json(tenant: String) -> JSONValue {
        [
            "accessKeyId": .string(id), "tenant": .string(tenant), "state": .string(state),
            "createdAt": .string(createdAt.iso8601),
        ]
    }
}
