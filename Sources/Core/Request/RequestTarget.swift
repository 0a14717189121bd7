/// One query parameter, percent-decoded once.
package struct QueryItem: Hashable, Sendable {
    package let name: [UInt8]
    package let value: [UInt8]

    package init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// The request target: `REQUEST_URI` parsed once into bytes.
///
/// The one value that signature, routing, policy, database and backend all see (SECURITY.md 3).
package struct RequestTarget: Sendable {
    /// The path as it stood on the wire, up to `?`.
    package let rawPath: [UInt8]
    /// The path, percent-decoded once; begins with `/`.
    package let path: [UInt8]
    /// The query as it stood on the wire, without `?`.
    package let rawQuery: [UInt8]
    package let query: [QueryItem]

    package static let maximumBytes = 32 * 1024

    /// Parses a raw request target such as `/bucket/a%20key?versionId=null`.
    ///
    /// Throws `InvalidURI` for a bad `%` escape, NUL, invalid UTF-8, `#`, and bytes at or below 0x20 or from 0x7F up;
    /// `InvalidArgument` for a query parameter given twice.
    package init(parsing raw: [UInt8]) throws(S3Error) {
        guard raw.count <= Self.maximumBytes, raw.first == UInt8(ascii: "/") else { throw S3Error(.invalidURI) }
        for byte in raw where byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "#") { throw S3Error(.invalidURI) }
        let mark = raw.firstIndex(of: UInt8(ascii: "?"))
        rawPath = Array(raw[..<(mark ?? raw.endIndex)])
        rawQuery = mark.map { Array(raw[($0 + 1)...]) } ?? []
        path = try Self.percentDecoded(rawPath[...], plusIsSpace: false)
        var items: [QueryItem] = []
        if !rawQuery.isEmpty {
            for pair in rawQuery.split(separator: UInt8(ascii: "&")) {
                let equals = pair.firstIndex(of: UInt8(ascii: "="))
                let name = try Self.percentDecoded(pair[..<(equals ?? pair.endIndex)], plusIsSpace: true)
                let value = try equals.map { index throws(S3Error) in
                    try Self.percentDecoded(pair[(index + 1)...], plusIsSpace: true)
                }
                guard !items.contains(where: { $0.name == name }) else {
                    throw S3Error(.invalidArgument, "A query parameter was given more than once.")
                }
                items.append(QueryItem(name: name, value: value ?? []))
            }
        }
        query = items
    }

    /// Returns the value of the query parameter `name`, or nil when it is absent; `?acl` has an empty value.
    package func query(_ name: StaticString) -> [UInt8]? {
        for item in query where Self.equal(item.name, name) { return item.value }
        return nil
    }

    /// Returns the parameter as text, for values compared with ASCII words only.
    package func queryText(_ name: StaticString) -> String? { query(name).map { String(decoding: $0, as: UTF8.self) } }

    package func has(_ name: StaticString) -> Bool { query(name) != nil }

    private static func equal(_ bytes: [UInt8], _ name: StaticString) -> Bool {
        guard bytes.count == name.utf8CodeUnitCount else { return false }
        return name.withUTF8Buffer { unsafe bytes.elementsEqual($0) }
    }

    /// Decodes `%XX` once.
    ///
    /// In a query `+` is a space, as every S3 client and AWS read it.
    static func percentDecoded(_ raw: ArraySlice<UInt8>, plusIsSpace: Bool) throws(S3Error) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(raw.count)
        var index = raw.startIndex
        while index < raw.endIndex {
            let byte = raw[index]
            index += 1
            guard byte == UInt8(ascii: "%") else {
                decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
                continue
            }
            guard index + 1 < raw.endIndex, let high = Hex.value(raw[index]), let low = Hex.value(raw[index + 1]),
                high | low != 0
            else { throw S3Error(.invalidURI) }
            decoded.append(high << 4 | low)
            index += 2
        }
        guard UTF8Text.isValid(decoded) else { throw S3Error(.invalidURI) }
        return decoded
    }
}
