import Core
import Foundation

/// What came of asking a store what it can do.
struct BackendProbe {
    struct Found {
        let abilities: BackendAbilities
        /// The JSON that the database keeps.
        let text: String
    }

    let abilities: Found?
    /// Why there are no abilities; no secret in it.
    let problem: String?

    /// Never throws: what goes wrong is the answer.
    static func run(_ record: BackendRecord, masterKeys: () throws(S3Error) -> MasterKeys) -> BackendProbe {
        do throws(S3Error) {
            let secret = try record.sealedSecret.map { sealed throws(S3Error) in
                try masterKeys().open(sealed, table: "backends", row: record.name)
            }
            return run(try BackendFactory.make(record, secret: secret))
        } catch {
            return BackendProbe(abilities: nil, problem: error.cause ?? error.message)
        }
    }

    static func run(_ backend: any Backend) -> BackendProbe {
        do {
            let abilities = try backend.probe()
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let text = String(decoding: try encoder.encode(abilities), as: UTF8.self)
            return BackendProbe(abilities: Found(abilities: abilities, text: text), problem: nil)
        } catch let error as BackendError {
            return BackendProbe(abilities: nil, problem: error.cause)
        } catch {
            return BackendProbe(abilities: nil, problem: "the probe's answer cannot be kept: \(error)")
        }
    }

    var server: String { abilities?.abilities.server ?? "" }

    /// Abilities that are missing, as words.
    var lacking: String {
        guard let abilities = abilities?.abilities else { return "" }
        let all = [
            ("conditional PUT", abilities.conditionalPut), ("checksums", abilities.checksums),
            ("Content-MD5", abilities.contentMD5), ("ranges", abilities.ranges),
            ("conditional GET", abilities.conditionalGet), ("metadata", abilities.userMetadata),
        ]
        return all.filter { !$0.1 }.map(\.0).joined(separator: ", ")
    }

    func json(name: String) -> JSONValue {
        guard let found = abilities?.abilities else {
            return ["name": .string(name), "isHealthy": .boolean(false), "problem": .text(problem)]
        }
        return [
            "name": .string(name), "isHealthy": .boolean(true), "server": .string(found.server),
            "conditionalPut": .boolean(found.conditionalPut), "checksums": .boolean(found.checksums),
            "contentMD5": .boolean(found.contentMD5), "ranges": .boolean(found.ranges),
            "conditionalGet": .boolean(found.conditionalGet), "userMetadata": .boolean(found.userMetadata),
            "probedAt": .string(Timestamp(milliseconds: found.probedAtMilliseconds).iso8601),
        ]
    }
}
