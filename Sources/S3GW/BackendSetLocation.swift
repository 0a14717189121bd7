import ArgumentParser
import Core

/// `s3gw backend set-location`: what is recorded of where a backend stands.
struct BackendSetLocation: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "set-location", "Correct what is recorded about where a backend stands.",
        """
        For a certification that was gained or has ended, or an attribute that was left out or wrong. What is not named stays; a \
        list that is named takes the place of the recorded one, and none empties it. Data that goes to another place goes to \
        another backend: add that, and drain this one. Refused when a policy could not be kept any more (the buckets and rules \
        are named, nothing is changed, exit code 1; --anyway). What is stored follows, and the ledger keeps what was recorded \
        before.
        """,
        examples: "s3gw backend set-location de --certification iso27001 --certification c5",
        "s3gw backend set-location de --certification none --dry-run", "s3gw backend set-location fi --country FI")

    @Argument var name: String
    @Option(help: ArgumentHelp("Your label for where it stands; LocationConstraint names it.", valueName: "label"))
    var region: String?
    @Option(help: ArgumentHelp("ISO 3166-1 alpha-2, such as FI.", valueName: "code"))
    var country: String?
    @Option(help: ArgumentHelp("Such as EU; may be given more than once. none: nothing.", valueName: "word"))
    var jurisdiction: [String] = []
    @Option(help: ArgumentHelp("Who runs it, in lower case.", valueName: "word"))
    var provider: String?
    @Option(help: ArgumentHelp("Such as iso27001; may be given more than once. none: nothing.", valueName: "word"))
    var certification: [String] = []
    @Flag(help: "Change nothing: say which buckets would break (exit code 1) and how much would move.")
    var dryRun = false
    @Flag(help: "Change it although some policies cannot be kept then.") var anyway = false
    @OptionGroup var options: StoreOptions

    private static let none = ["none"]

    func validate() throws {
        guard region != nil || country != nil || provider != nil || !jurisdiction.isEmpty || !certification.isEmpty
        else { throw ValidationError("Say what to change, such as --certification.") }
        try LocationOptions.check(changed(Location(region: "any")))
    }

    private func changed(_ old: Location) -> Location {
        var location = old
        if let region { location.region = region }
        if let country { location.country = country }
        if let provider { location.provider = provider }
        if !jurisdiction.isEmpty { location.jurisdictions = jurisdiction == Self.none ? [] : jurisdiction }
        if !certification.isEmpty { location.certifications = certification == Self.none ? [] : certification }
        return location
    }

    func run() throws {
        try options.run { store in
            var backend = try store.backend(name)
            let records = try store.read { sql throws(S3Error) in try sql.backends() }
            backend.location = changed(backend.location)
            let fresh = backend
            let then = records.map { $0.id == fresh.id ? fresh : $0 }
            let whatIf = WhatIf(store.database, now: WhatIf.Side(records), then: WhatIf.Side(then))
            let report = EffectReport(effects: try whatIf.effects())
            let isChanged = !dryRun && (report.broken.isEmpty || anyway)
            if isChanged {
                try store.write { sql throws(S3Error) in try sql.setBackend(id: fresh.id, location: fresh.location) }
            }
            guard case .object(let members) = backend.json else { return }
            let head = isChanged ? backend.fields : "Nothing was changed. It would mean:"
            options.show(
                .object(members + [.init("isChanged", .boolean(isChanged))] + report.members),
                "\(head)\n\n\(report.text)")
            guard report.broken.isEmpty || isChanged else {
                throw Outcome.no("These policies could not be kept:\n\(report.refusal)")
            }
        }
    }
}
