/// The keys in a recovery bucket, where the backends keep what their objects do not say of themselves.
///
/// `version/<ULID>~<revision>` is a record of a version, `document/<name>~<generation>` a sealed document about the
/// configuration; numbers have twelve digits, so that byte order is their order.
package enum RecoveryKey {
    private static let recordPrefix = Array("version/".utf8)
    private static let documentPrefix = Array("document/".utf8)
    private static let numberLength = 12
    private static let mark = UInt8(ascii: "~")

    package static func record(_ version: VersionID, revision: Int64) -> [UInt8] {
        recordPrefix + version.text + [mark] + padded(revision)
    }

    /// Reads a record's key back; nil for another one.
    package static func record(reading key: [UInt8]) -> (version: VersionID, revision: Int64)? {
        guard key.starts(with: recordPrefix), let (name, revision) = split(key.dropFirst(recordPrefix.count)),
            let version = VersionID(text: name)
        else { return nil }
        return (version, revision)
    }

    package static func document(_ name: String, generation: Int64) -> [UInt8] {
        documentPrefix + Array(name.utf8) + [mark] + padded(generation)
    }

    /// Reads a document's key back; nil for another one.
    package static func document(reading key: [UInt8]) -> (name: String, generation: Int64)? {
        guard key.starts(with: documentPrefix), let (name, generation) = split(key.dropFirst(documentPrefix.count))
        else { return nil }
        return (String(decoding: name, as: UTF8.self), generation)
    }

    private static func padded(_ number: Int64) -> [UInt8] {
        let digits = Array(String(number).utf8)
        return [UInt8](repeating: UInt8(ascii: "0"), count: max(0, numberLength - digits.count)) + digits
    }

    private static func split(_ rest: ArraySlice<UInt8>) -> (name: ArraySlice<UInt8>, number: Int64)? {
        guard rest.count > numberLength, let number = DecimalNumber.parse(Array(rest.suffix(numberLength))) else {
            return nil
        }
        let name = rest.dropLast(numberLength)
        guard name.last == mark else { return nil }
        return (name.dropLast(), Int64(number))
    }
}
