import ArgumentParser
import CommandLineSupport
import Core
import Foundation

/// `s3gw attest`: where a bucket's bytes are and have been, for somebody who has to be shown.
struct AttestCommand: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "attest", "Attest where the bytes of a bucket are and have been, and which policy allowed it.",
        """
        For each version: the backend, its country, from when until when, and the policy in force. The ledger's chain is checked \
        first. --json is signed with this installation's Ed25519 key; keep it elsewhere: it proves later that the ledger was not cut \
        or written anew. Exit code 1 when there is a violation, or the ledger is broken.

        --verify checks the ledger against itself, the heads that were signed and the table of replicas; with FILE also that \
        attestation: its signature, and that the ledger still holds what it was made of. Exit code 1 when something is wrong.
        """,
        examples: "s3gw attest photos", "s3gw attest photos --json > photos.attestation.json", "s3gw attest --verify",
        "s3gw attest --verify photos.attestation.json", "s3gw attest --public-key > attestation.pem")

    @Argument(help: "The bucket; with --verify an attestation, the file that --json wrote.")
    var subject: String?
    @Flag(help: "Check the ledger, and the attestation in a file.") var verify = false
    @Flag(help: "Print the key that verifies attestations, as openssl reads it.") var publicKey = false
    @OptionGroup var choice: BucketChoice
    @OptionGroup var options: StoreOptions

    func validate() throws {
        guard !(verify && publicKey) else { throw ValidationError("--verify and --public-key do not go together.") }
        guard publicKey == (subject == nil) || verify else {
            throw ValidationError(publicKey ? "--public-key takes no name." : "Name a bucket, or say --verify.")
        }
    }

    func run() throws {
        try options.run { store in
            let key = try AttestationKey(store.database, try store.masterKeys())
            if publicKey {
                let pem = Ed25519.pem(key.publicKey)
                options.show(
                    ["algorithm": "Ed25519", "publicKey": .string(Hex.text(key.publicKey)), "pem": .string(pem)],
                    String(pem.dropLast()))
            } else if verify {
                try verify(store, key)
            } else {
                try attest(store, key, bucket: subject ?? "")
            }
        }
    }

    // MARK: Making one

    private func attest(_ store: Store, _ key: AttestationKey, bucket name: String) throws {
        let (bucket, tenant) = try choice.find(name, in: store)
        let attestation = try Attestation(bucket, of: tenant.name, in: store.database, key)
        let summary = options.json ? try writeJSON(attestation, key) : try writeText(attestation)
        try key.keep(attestation.header.head, in: store.database)
        guard summary.violations == 0 else { throw Outcome.no("Violations: \(summary.violations).") }
    }

    private func writeJSON(_ attestation: Attestation, _ key: AttestationKey) throws(S3Error) -> Attestation.Summary {
        var document = AttestationDocument(attestation.header)
        Self.write(document.begin())
        let summary = try attestation.run { version throws(S3Error) in Self.write(document.version(version)) }
        Self.write(try document.end(summary, signedBy: key) + [0x0A])
        return summary
    }

    private func writeText(_ attestation: Attestation) throws(S3Error) -> Attestation.Summary {
        Self.write(AttestationText.begin(attestation.header) + "\n\n")
        let summary = try attestation.run { version throws(S3Error) in
            let key = version.key.map { Table.printable($0.text) } ?? "(its key is not known any more)"
            Self.write(AttestationText.version(version, key: key) + "\n")
        }
        Self.write("\n" + AttestationText.end(summary) + "\n")
        return summary
    }

    private static func write(_ bytes: [UInt8]) { StandardOutput.write(bytes) }
    private static func write(_ text: String) { write(Array(text.utf8)) }

    // MARK: Checking

    private func verify(_ store: Store, _ key: AttestationKey) throws {
        let file = try subject.map { try AttestationFile(path: $0) }
        var report = try LedgerAudit(store.database).run(key)
        var problems = file.map { $0.problems(key) } ?? []
        if let head = file?.signature?.head, problems.isEmpty {
            let hash = try store.read { sql throws(S3Error) in try sql.ledgerHash(sequence: head.sequence) }
            if hash == nil {
                problems.append(
                    "the ledger ends before row \(head.sequence), of which it was made: the end was cut off")
            } else if hash != head.hash {
                problems.append("row \(head.sequence) had another hash when it was made: the ledger was rewritten")
            }
        }
        let all = report.findings + problems.map { "the attestation: \($0)" }
        report.findingCount += problems.count
        let value: JSONValue = [
            "isGood": .boolean(all.isEmpty), "rows": .integer(report.head.sequence),
            "hash": .string(Hex.text(report.head.hash)), "signedHeads": .number(report.signedHeads),
            "replicas": .number(report.replicas), "attestation": .text(subject),
            "findingCount": .number(report.findingCount), "findings": .texts(all),
        ]
        let sums = "\(report.head.sequence) rows, \(report.signedHeads) signed heads, \(report.replicas) replicas"
        options.show(value, (["\(sums) checked"] + all.map(Table.printable)).joined(separator: "\n"))
        guard all.isEmpty else { throw Outcome.no("Wrong: \(report.findingCount).") }
    }
}
