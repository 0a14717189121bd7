import ArgumentParser
import Core

/// `s3gw reseal`: brings every secret under the first key of the master key file.
struct ResealCommand: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "reseal", "Seal every secret again under the first master key, so that the older ones are needed no more.",
        """
        First put the new key before the old ones in the master key file, HUP the pool and restart the workers: processes \
        that do not know the new key could open nothing afterwards. What lies on the backends for a rebuild follows by \
        itself, at the latest when a worker has compared each backend (s3gw-worker reconcile). --check changes nothing and ends \
        with exit code 1 while an older key is still needed.
        """,
        examples: "s3gw reseal", "s3gw reseal --check", "s3gw reseal --check --json")

    @Flag(help: "Change nothing: say whether an older key is still needed.") var check = false
    @OptionGroup var options: StoreOptions

    func run() throws {
        try options.run { store in
            let keys = try store.masterKeys()
            var former = 0
            let resealed = try store.write { sql throws(S3Error) in
                former = 0
                return try sql.resealSecrets { sealed, table, row throws(S3Error) in
                    guard MasterKeys.keyID(of: sealed) != keys.activeKeyID else { return nil }
                    let secret = try keys.open(sealed, table: table, row: row)
                    former += 1
                    return check ? nil : keys.seal(secret, table: table, row: row)
                }
            }
            let records = try recordsUnderFormerKeys(keys, store)
            let left = former - resealed
            options.show(
                [
                    "activeKey": .string(keys.activeKeyID), "resealed": .number(resealed),
                    "secretsUnderFormerKeys": .number(left), "recordsUnderFormerKeys": .integer(records),
                ],
                Table.fields([
                    ("active key", keys.activeKeyID), ("sealed again", String(resealed)),
                    ("secrets under former keys", String(left)),
                    ("records on backends under former keys", String(records)),
                ]))
            guard !check || (left == 0 && records == 0) else { throw Outcome.no("Keep the older master keys.") }
        }
    }

    /// What a rebuild would look for in a bucket whose name follows from another key than the first.
    private func recordsUnderFormerKeys(_ keys: MasterKeys, _ store: Store) throws(S3Error) -> Int64 {
        let (backends, counts) = try store.read { sql throws(S3Error) in
            (try sql.backends(), try sql.recordCounts())
        }
        let current = Set(backends.compactMap { RecoveryBucket.names(keys, backend: $0.name).first })
        return counts.filter { !current.contains($0.physicalBucket) }.reduce(0) { $0 + $1.count }
    }
}
