import ArgumentParser
import Core

/// `s3gw whatif`: what would break, and how much would move.
struct WhatIfCommand: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "whatif", "Say what would become of the buckets without a backend, a country or a provider.",
        """
        Answered by the functions that place objects, for every bucket: whose policy could not be kept, how many versions would move, and \
        how many bytes. Nothing is changed. Exit code 1 when a bucket would break.
        """,
        examples: "s3gw whatif --without fi", "s3gw whatif --without country:DE --json",
        "s3gw whatif --without provider:example")

    @Option(
        help: ArgumentHelp(
            "A backend, or country:, jurisdiction:, region:, provider: or certification: and a value.",
            valueName: "which"))
    var without: String
    @OptionGroup var options: StoreOptions

    func validate() throws {
        guard without.contains(":") else { return }
        do throws(S3Error) { _ = try BackendSelection.matching(without, []) } catch {
            throw ValidationError(error.message)
        }
    }

    func run() throws {
        try options.run { store in
            let records = try store.read { sql throws(S3Error) in try sql.backends() }
            let ids = try BackendSelection.matching(without, records)
            let names = records.filter { ids.contains($0.id) }.map(\.name)
            guard !names.isEmpty else { throw Outcome.no("No backend matches \(without).") }
            let report = EffectReport(effects: try WhatIf.without(ids, store.database).effects())
            options.show(
                .object([.init("without", .texts(names))] + report.members),
                "Without \(names.joined(separator: ", ")):\n\n\(report.text)")
            guard report.broken.isEmpty else { throw Outcome.no("Buckets that would break: \(report.broken.count).") }
        }
    }
}
