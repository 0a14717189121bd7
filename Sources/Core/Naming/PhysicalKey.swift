/// Makes the key under which one immutable version lies on a backend.
///
/// `<readable form of the logical key>~<ULID>`: letters, digits and `! - _ . * ' ( ) /` stay as they are and every
/// other byte becomes `=XX`, and so do path components that are empty, `.` or `..`, so that the most limited backend keeps
/// them apart. Keys that grow beyond 1,024 bytes use `=long/<SHA-256 of the logical key in hex>~<ULID>`.
package enum PhysicalKey {
    package static let maximumBytes = 1024
    private static let suffixLength = 1 + VersionID.textLength

    private static let plain: [Bool] = (0..<256).map { code in
        let byte = UInt8(code)
        return (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
            || "!-_.*'()".utf8.contains(byte)
    }

    package static func make(_ key: ObjectKey, _ version: VersionID) -> [UInt8] {
        var physical = readable(key.bytes)
        if physical.count + suffixLength > maximumBytes {
            physical = Array("=long/".utf8) + Hex.encode(Crypto.sha256(key.bytes))
        }
        physical.append(UInt8(ascii: "~"))
        physical.append(contentsOf: version.text)
        return physical
    }

    /// The version that a key of `make` ends with; nil for another key.
    package static func version(reading key: [UInt8]) -> VersionID? {
        guard key.count > suffixLength, key[key.count - suffixLength] == UInt8(ascii: "~") else { return nil }
        return VersionID(text: key[(key.count - suffixLength + 1)...])
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
