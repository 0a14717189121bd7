/// Makes the key under which one immutable version lies on a backend.
///
/// `<readable form of the logical key>~<ULID>` where the write itself brings the bytes, and
/// `<readable form>~<ULID>~<ULID of the copy>` for each copy that the worker makes: letters, digits and `! - _ . * ' ( ) /` stay as they are and every
/// other byte becomes `=XX`, and so do path components that are empty, `.` or `..`, so that the most limited backend keeps
/// them apart. Keys that would grow beyond 1,024 bytes use `=long/<SHA-256 of the logical key in hex>` as their readable form.
///
/// A copy has a name of its own each time it is made again, so whoever comes late with a DELETE or a PUT meets a key that
/// nothing points at any more. Among the keys of one version a later copy's is the larger one, byte by byte.
package enum PhysicalKey {
    package static let maximumBytes = 1024
    private static let suffixLength = 1 + VersionID.textLength

    private static let plain: [Bool] = (0..<256).map { code in
        let byte = UInt8(code)
        return (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
            || "!-_.*'()".utf8.contains(byte)
    }

    /// The key of the bytes that the write itself brings.
    package static func make(_ key: ObjectKey, _ version: VersionID) -> [UInt8] {
        var physical = readable(key.bytes)
        // Room for the longest form, so that all keys of a version begin alike.
        if physical.count + 2 * suffixLength > maximumBytes {
            physical = Array("=long/".utf8) + Hex.encode(Crypto.sha256(key.bytes))
        }
        append(version, to: &physical)
        return physical
    }

    /// A key for one more copy of the version: never the same twice.
    package static func makeCopy(_ key: ObjectKey, _ version: VersionID, at time: Timestamp = .now()) -> [UInt8] {
        var physical = make(key, version)
        append(VersionID(at: time), to: &physical)
        return physical
    }

    /// Whether `physical` is one of the keys of that version.
    package static func isKey(_ physical: [UInt8], of key: ObjectKey, _ version: VersionID) -> Bool {
        let first = make(key, version)
        guard physical != first else { return true }
        guard let (rest, _) = split(physical[...]) else { return false }
        return rest.elementsEqual(first)
    }

    /// The version of which a key of `make` or `makeCopy` is; nil for another key.
    package static func version(reading key: [UInt8]) -> VersionID? {
        guard let (rest, last) = split(key[...]) else { return nil }
        return split(rest)?.version ?? last
    }

    private static func append(_ id: VersionID, to physical: inout [UInt8]) {
        physical.append(UInt8(ascii: "~"))
        physical.append(contentsOf: id.text)
    }

    /// Takes the last `~<ULID>` off; nil when there is none.
    ///
    /// A readable form has no `~`.
    private static func split(_ key: ArraySlice<UInt8>) -> (rest: ArraySlice<UInt8>, version: VersionID)? {
        guard key.count > suffixLength else { return nil }
        let suffix = key.suffix(suffixLength)
        guard suffix.first == UInt8(ascii: "~"), let id = VersionID(text: suffix.dropFirst()) else { return nil }
        return (key.dropLast(suffixLength), id)
    }

    private static func readable(_ key: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(key.count + suffixLength)
        let components = key.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, component) in components.enumerated() {
            if index > 0 { output.append(UInt8(ascii: "/")) }
            appendComponent(component, to: &output)
        }
        return output
    }

    private static func appendComponent(_ component: ArraySlice<UInt8>, to output: inout [UInt8]) {
        // `=` alone stands for the empty component; a real `=` is always `=3D`.
        if component.isEmpty { output.append(UInt8(ascii: "=")) }
        let isDots = component.count <= 2 && component.allSatisfy { $0 == UInt8(ascii: ".") }
        for byte in component {
            if plain[Int(byte)] && !isDots {
                output.append(byte)
            } else {
                var escaped: [UInt8] = []
                Hex.appendPercentEncoded(byte, to: &escaped)
                escaped[0] = UInt8(ascii: "=")
                output.append(contentsOf: escaped)
            }
        }
    }
}
