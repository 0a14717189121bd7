import ArgumentParser
import Core

/// `s3gw backend`: the stores the gateway can write to.
struct BackendCommand: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "backend", "Stores the gateway can write to, and where they stand.",
        example: "s3gw backend add fi --type file --path /srv/s3/fi --region fi-hel-1 --country FI --jurisdiction EU",
        [
            BackendAdd.self, Show.self, List.self, Probe.self, SetState.self, BackendDrain.self, BackendActivate.self,
            BackendLost.self, BackendRemove.self, BackendSetLimit.self, BackendUpdate.self,
            BackendSetLocation.self,
        ])

    func run() throws { throw verbIsMissing("backend") }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "show", "Show one backend with its location and what its last probe found; never its secret.",
            "While it is drained, or lost: also what is left there. Counting reads all of it in the database.",
            examples: "s3gw backend show fi", "s3gw backend show fi --json")

        @Argument var name: String
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let backend = try store.backend(name)
                guard backend.state == .draining || backend.state == .lost, case .object(let members) = backend.json
                else { return options.show(backend.json, backend.fields) }
                let progress = try DrainProgress(backend.id, store, canEnd: backend.state == .draining)
                options.show(
                    .object(members + [.init("drain", progress.json)]), "\(backend.fields)\n\n\(progress.text)")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "list", "List all backends by name.", examples: "s3gw backend list", "s3gw backend list --json")

        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let (backends, known) = try store.read { sql throws(S3Error) in
                    (try sql.backends(), try sql.backendHealth())
                }
                let health = Dictionary(known.map { ($0.backendID, $0) }) { first, _ in first }
                var table = Table(
                    "NAME", "TYPE", "STATE", "REGION", "COUNTRY", "JURISDICTIONS", "PROVIDER", "HEALTH", "ENDPOINT")
                for backend in backends {
                    let location = backend.location
                    table.add(
                        backend.name, backend.kind.rawValue, backend.state.rawValue, location.region,
                        location.country ?? "", location.jurisdictions.joined(separator: ","), location.provider ?? "",
                        health[backend.id]?.words() ?? "", backend.endpoint)
                }
                let rows = backends.map { backend -> JSONValue in
                    guard case .object(let members) = backend.json else { return .null }
                    return .object(members + [.init("health", health[backend.id]?.json ?? .null)])
                }
                options.show(.array(rows), table.text)
            }
        }
    }

    struct Probe: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "probe", "Find out whether backends answer and what they can do, and record it.",
            "Without a name all backends are probed. Exit code 1 when one does not answer as it should.",
            examples: "s3gw backend probe", "s3gw backend probe fi de --json")

        @Argument var names: [String] = []
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let records =
                    names.isEmpty
                    ? try store.read { sql throws(S3Error) in try sql.backends() } : try names.map(store.backend)
                var table = Table("NAME", "ANSWER", "SERVER", "LACKS")
                var rows: [JSONValue] = []
                var sick: [String] = []
                for record in records {
                    let result = BackendProbe.run(record, masterKeys: store.masterKeys)
                    if let found = result.abilities {
                        try store.write { sql throws(S3Error) in
                            try sql.setBackend(id: record.id, abilities: found.text)
                        }
                    } else {
                        sick.append(record.name)
                    }
                    table.add(record.name, result.problem ?? "well", result.server, result.lacking)
                    rows.append(result.json(name: record.name))
                }
                options.show(.array(rows), table.text)
                guard sick.isEmpty else { throw Outcome.no("Not well: \(sick.joined(separator: ", ")).") }
            }
        }
    }

    struct SetState: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "set-state", "Say what may happen on a backend.",
            """
            active: read and written. read-only: read, never written. draining: read, never written, and to be emptied \
            (s3gw backend drain asks first whether that can end). offline: neither read nor written, but expected back. A backend \
            that is gone for good: s3gw backend lost.
            """,
            examples: "s3gw backend set-state fi read-only", "s3gw backend set-state fi active")

        @Argument var name: String
        @Argument(help: "active, read-only, draining or offline.") var state: BackendState
        @OptionGroup var options: StoreOptions

        func validate() throws {
            guard state != .lost else { throw ValidationError("Say s3gw backend lost \(name).") }
        }

        func run() throws {
            try options.run { store in
                var backend = try store.backend(name)
                try store.write { sql throws(S3Error) in
                    if state == .draining && backend.state != .draining {
                        try sql.beginDrain(backendID: backend.id, at: .now())
                    } else {
                        try sql.setBackend(id: backend.id, state: state)
                    }
                }
                backend.state = state
                options.show(backend.json, "Backend \(name) is \(state.rawValue).")
            }
        }
    }
}

extension BackendState: ExpressibleByArgument {}
extension BackendKind: ExpressibleByArgument {}
extension BucketAddressing: ExpressibleByArgument {}

extension BackendRecord {
    /// What the last probe found; null before the first.
    private var abilitiesJSON: JSONValue {
        do throws(JSONReader.SyntaxError) {
            let value = try JSONReader.read(Array(abilities.utf8))
            return value == .object([]) ? .null : value
        } catch {
            return .string(abilities)
        }
    }

    var json: JSONValue {
        [
            "name": .string(name), "type": .string(kind.rawValue), "state": .string(state.rawValue),
            "region": .string(location.region), "country": .text(location.country),
            "jurisdictions": .texts(location.jurisdictions), "provider": .text(location.provider),
            "certifications": .texts(location.certifications),
            "endpoint": .text(kind == .s3 ? endpoint : nil), "path": .text(kind == .file ? endpoint : nil),
            "signingRegion": .text(kind == .s3 ? signingRegion : nil),
            "addressing": .text(kind == .s3 ? addressing.rawValue : nil), "caFile": .text(caFile),
            "accessKeyId": .text(accessKeyID), "abilities": abilitiesJSON, "createdAt": .string(createdAt.iso8601),
        ]
    }

    var fields: String {
        let isS3 = kind == .s3
        return Table.fields([
            ("name", name), ("type", kind.rawValue), ("state", state.rawValue), ("region", location.region),
            ("country", location.country ?? "not recorded"),
            ("jurisdictions", location.jurisdictions.isEmpty ? nil : location.jurisdictions.joined(separator: ", ")),
            ("provider", location.provider),
            ("certifications", location.certifications.isEmpty ? nil : location.certifications.joined(separator: ", ")),
            (isS3 ? "endpoint" : "path", endpoint), ("signing region", isS3 ? signingRegion : nil),
            ("addressing", isS3 ? addressing.rawValue : nil), ("CA file", caFile), ("access key id", accessKeyID),
            ("abilities", abilities), ("created", createdAt.iso8601),
        ])
    }
}
