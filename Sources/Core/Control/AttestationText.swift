/// The words of an attestation for people, in pieces; keys are shown by the caller, who knows the terminal.
package enum AttestationText {
    package static func begin(_ header: Attestation.Header) -> String {
        var lines = [
            "bucket \(header.bucket.name.text) of \(header.tenant), at \(header.madeAt.iso8601)",
            "ledger: \(header.head.sequence) rows, whole, hash \(Hex.text(header.head.hash))",
        ]
        for (number, segment) in header.timeline.segments.enumerated() {
            let tenant = segment.tenantPolicy.map { "tenant's version \($0.version)" } ?? "none of the tenant"
            let own = segment.bucketPolicy.map { "bucket's version \($0.version)" } ?? "none of the bucket"
            let from = segment.sequence == 0 ? "from the beginning" : "from \(segment.from.iso8601)"
            let rules = segment.policy.rules.map { "\($0.name) \($0.words.joined(separator: ", "))" }
            lines.append(
                "policy \(number), \(from): \(tenant), \(own): "
                    + (rules.isEmpty ? "anywhere" : rules.joined(separator: "; ")))
        }
        return lines.joined(separator: "\n")
    }

    /// `key` is the version's key, made printable.
    package static func version(_ version: AttestedVersion, key: String) -> String {
        let size = version.sizeBytes.map { ", \($0) bytes" } ?? ""
        var lines = ["version \(version.id), \(version.state.rawValue)\(size): \(key)"]
        for place in version.places {
            let until = place.until?.iso8601 ?? "now"
            lines.append(
                "  \(place.backend), \(place.location.country ?? "country unknown"), \(place.location.region): "
                    + "\(place.state.rawValue), \(place.from.iso8601) to \(until), policy \(place.policy)"
                    + notAllowed(place))
            for violation in place.violations {
                lines.append(
                    "    VIOLATION (\(violation.kind.rawValue)): \(violation.rule): \(violation.reason), "
                        + "since \(violation.since.iso8601)")
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func notAllowed(_ place: AttestedPlace) -> String {
        guard let since = place.notAllowedSince else { return "" }
        let isStill = place.violations.contains { $0.kind == .staying }
        return isStill ? ", not allowed since \(since.iso8601)" : ", not allowed for a time from \(since.iso8601)"
    }

    package static func end(_ summary: Attestation.Summary) -> String {
        let found = summary.violations == 0 ? "no violation" : "\(summary.violations) VIOLATIONS"
        return "\(summary.versions) versions, \(summary.places) places (\(summary.placesNow) now): \(found)"
    }
}
