import ArgumentParser
import Core

/// `s3gw policy effective`: what holds for an object, and what placement makes of it now.
struct PolicyEffective: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "effective", "Show what tenant and bucket policy say together, and what becomes of each backend.",
        """
        With --tenant alone: for a bucket that does not exist yet. Exit code 1 when an object could not be placed now. \
        Whether a backend is healthy is each process's own experience; here only its state counts.
        """,
        examples: "s3gw policy effective --bucket photos", "s3gw policy effective --bucket photos --size 5368709120",
        "s3gw policy effective --tenant alice --location fi-hel-1,de-fra-1")

    @OptionGroup var scope: PolicyScope
    @Option(help: ArgumentHelp("The size of the object.", valueName: "bytes"))
    var size: Int64 = 0
    @Option(help: ArgumentHelp("LocationConstraint of a bucket to be: labels, commas between.", valueName: "labels"))
    var location: String?
    @OptionGroup var options: StoreOptions

    func validate() throws {
        guard size >= 0 else { throw ValidationError("A size is not negative.") }
        guard location == nil || scope.bucket == nil else {
            throw ValidationError("--location is for a bucket that does not exist yet: give it with --tenant alone.")
        }
    }

    func run() throws {
        try options.run { store in
            let target = try scope.target(in: store)
            let world = try store.world().snapshot()
            let policy: EffectivePolicy
            switch target {
            case .tenant(let tenant):
                let locations = location?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
                policy = try world.policy(forNewBucketOf: tenant.id, locations: locations)
            case .bucket(let bucket, _): policy = try world.policy(for: bucket)
            }
            let candidates = world.candidates()
            let rows = Placement.explain(policy, candidates: candidates, sizeBytes: size)
            let decision = Placement.decide(policy, candidates: candidates, sizeBytes: size)
            options.show(json(target, policy, rows, decision), text(target, policy, rows))
            if case .refuse(let refusal) = decision { throw Outcome.no(refusal.explanation) }
        }
    }

    private typealias Row = (candidate: PlacementCandidate, verdict: PlacementVerdict)

    private func json(
        _ target: PolicyScope.Target, _ policy: EffectivePolicy, _ rows: [Row], _ decision: PlacementDecision
    ) -> JSONValue {
        var refused: JSONValue = .null
        if case .refuse(let refusal) = decision {
            refused = [
                "rule": .string(refusal.rule), "explanation": .string(refusal.explanation),
                "isHealth": .boolean(refusal.isHealth),
            ]
        }
        let backends = rows.map { row -> JSONValue in
            [
                "name": .string(row.candidate.name), "region": .string(row.candidate.location.region),
                "country": .text(row.candidate.location.country), "state": .string(row.candidate.state.rawValue),
                "verdict": .string(row.verdict.role.rawValue), "rule": .text(row.verdict.rule),
                "reason": .string(row.verdict.reason),
            ]
        }
        let rules = policy.rules.map { rule -> JSONValue in
            ["name": .string(rule.name), "words": .texts(rule.words)]
        }
        return [
            "target": target.json, "replicaCount": .number(policy.replicaCount),
            "replicaCountFloor": .number(policy.replicaCountFloor), "acknowledge": .number(policy.acknowledge),
            "distinct": .texts(policy.distinct.map(\.rawValue)), "within": .texts(policy.within.map(\.rawValue)),
            "spread": .object(policy.spread.map { .init($0.attribute.rawValue, .number($0.count)) }),
            "order": .array(policy.orders.map(JSONValue.texts)),
            "rules": .array(rules), "refused": refused, "backends": .array(backends),
        ]
    }

    private func text(_ target: PolicyScope.Target, _ policy: EffectivePolicy, _ rows: [Row]) -> String {
        let orders = policy.orders.filter { !$0.isEmpty }.map { $0.joined(separator: ", ") }
        let distinct = policy.distinct.isEmpty ? "backend" : policy.distinct.map(\.rawValue).joined(separator: " and ")
        var fields: [(String, String?)] = [
            ("for", target.text), ("replicas", "\(policy.replicaCount), differing in \(distinct)"),
            (
                "within",
                policy.within.isEmpty ? nil : policy.within.map { "one \($0.rawValue)" }.joined(separator: ", ")
            ),
            (
                "spread",
                policy.spread.isEmpty
                    ? nil : policy.spread.map { "\($0.count) \($0.attribute.plural)" }.joined(separator: ", ")
            ),
            ("acknowledge", String(policy.acknowledge)),
            ("order", orders.isEmpty ? nil : orders.joined(separator: "; then ")),
        ]
        for rule in policy.rules { fields.append((rule.name, rule.words.joined(separator: ", "))) }
        var table = Table("BACKEND", "REGION", "COUNTRY", "STATE", "VERDICT", "WHY")
        for row in rows {
            let location = row.candidate.location
            table.add(
                row.candidate.name, location.region, location.country ?? "", row.candidate.state.rawValue,
                row.verdict.role.rawValue, row.verdict.reason)
        }
        return Table.fields(fields) + "\n\n" + table.text
    }
}
