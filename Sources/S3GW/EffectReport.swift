import Core

/// What a change would do to buckets, for people and for programs.
struct EffectReport {
    let effects: [WhatIf.BucketEffect]

    /// What would become of the buckets without a backend.
    ///
    /// One that is lost, or draining, has broken whatever it could already: it is asked about as if it were well.
    static func asIfWell(_ backendID: Int64, _ store: Store) throws(S3Error) -> EffectReport {
        let records = try store.read { sql throws(S3Error) in try sql.backends() }
        let now = WhatIf.Side(records).with(.active, for: [backendID])
        return EffectReport(
            effects: try WhatIf(store.database, now: now, then: now.with(.lost, for: [backendID])).effects())
    }

    var broken: [WhatIf.BucketEffect] { effects.filter { $0.refusal != nil } }
    var copies: ReplicaSum { effects.reduce(ReplicaSum()) { $0 + $1.copies } }

    var members: [JSONValue.Member] {
        [
            .init("brokenBuckets", .number(broken.count)),
            .init("versionsToMove", .integer(effects.reduce(0) { $0 + $1.versionsToMove })),
            .init("copiesToMake", .integer(copies.replicas)), .init("bytesToMove", .integer(copies.bytes)),
            .init("buckets", .array(effects.map(Self.json))),
        ]
    }

    private static func json(_ effect: WhatIf.BucketEffect) -> JSONValue {
        [
            "bucket": .string(effect.bucket.name.text), "tenant": .string(effect.tenant),
            "breaks": .boolean(effect.refusal != nil), "rule": .text(effect.refusal?.rule),
            "explanation": .text(effect.refusal?.explanation), "brokenVersions": .integer(effect.broken.replicas),
            "brokenBytes": .integer(effect.broken.bytes), "versionsToMove": .integer(effect.versionsToMove),
            "copiesToMake": .integer(effect.copies.replicas), "bytesToMove": .integer(effect.copies.bytes),
        ]
    }

    var text: String {
        guard !effects.isEmpty else { return "No bucket would be affected." }
        var table = Table("BUCKET", "TENANT", "BREAKS", "BROKEN VERSIONS", "VERSIONS TO MOVE", "COPIES", "BYTES", "WHY")
        for effect in effects {
            table.add(
                effect.bucket.name.text, effect.tenant, effect.refusal?.rule ?? "no", String(effect.broken.replicas),
                String(effect.versionsToMove), String(effect.copies.replicas), String(effect.copies.bytes),
                effect.refusal?.explanation ?? "")
        }
        return table.text + "\n\nBuckets that would break: \(broken.count); copies that would be made: "
            + "\(copies.replicas), of \(copies.bytes) bytes."
    }

    /// Buckets that a refusal names.
    private static let namedBuckets = 10

    /// The buckets and rules that would break, a line each, for a refusal.
    var refusal: String {
        var lines = broken.prefix(Self.namedBuckets).map {
            "  bucket \($0.bucket.name.text) of \($0.tenant): \($0.refusal?.explanation ?? "")"
        }
        if broken.count > Self.namedBuckets { lines.append("  and \(broken.count - Self.namedBuckets) more") }
        return lines.joined(separator: "\n")
    }
}
