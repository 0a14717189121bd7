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
    private static let usualQueryItems = 8
    /// Up to so many are compared with each other, which is faster than a set.
    private static let fewQueryItems = 16

    /// Parses a raw request target such as `/bucket/a%20key?versionId=null`.
    ///
    /// Throws `InvalidURI` for a bad `%` escape, NUL, invalid UTF-8, `#`, and bytes at or below 0x20 or from 0x7F up;
    /// `InvalidArgument` for a query parameter given twice.
    package init(parsing raw: [UInt8]) throws(S3Error) {
        guard raw.count <= Self.maximumBytes, raw.first == UInt8(ascii: "/") else { throw S3Error(.invalidURI) }
        var mark = raw.count
        for index in raw.indices {
            let byte = raw[index]
            if byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "#") { throw S3Error(.invalidURI) }
            if byte == UInt8(ascii: "?"), mark == raw.count { mark = index }
        }
        rawPath = Array(raw[..<mark])
        rawQuery = mark < raw.count ? Array(raw[(mark + 1)...]) : []
        path = rawPath.contains(UInt8(ascii: "%")) ? try Self.percentDecoded(rawPath[...], plusIsSpace: false) : rawPath
        query = try Self.items(rawQuery)
    }

    // hot: a presigned URL has six parameters.
    private static func items(_ raw: [UInt8]) throws(S3Error) -> [QueryItem] {
        guard !raw.isEmpty else { return [] }
        var items: [QueryItem] = []
        items.reserveCapacity(usualQueryItems)
        var start = 0
        while start < raw.count {
            var equals: Int?
            var end = start
            while end < raw.count, raw[end] != UInt8(ascii: "&") {
                if raw[end] == UInt8(ascii: "="), equals == nil { equals = end }
                end += 1
            }
            if end > start {
                let name = try percentDecoded(raw[start..<(equals ?? end)], plusIsSpace: true)
                let value = try equals.map { (index) throws(S3Error) in
                    try percentDecoded(raw[(index + 1)..<end], plusIsSpace: true)
                }
                items.append(QueryItem(name: name, value: value ?? []))
            }
            start = end + 1
        }
        guard areNamesUnique(items) else {
            throw S3Error(.invalidArgument, "A query parameter was given more than once.")
        }
        return items
    }

    /// Anybody can send ten thousand names, and comparing each with each would take a hundred times as long as all else.
    private static func areNamesUnique(_ items: [QueryItem]) -> Bool {
        guard items.count <= fewQueryItems else { return Set(items.lazy.map(\.name)).count == items.count }
        for index in items.indices {
            for other in items[..<index] where other.name == items[index].name { return false }
        }
        return true
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
        var isPlain = true
        for byte in raw where byte == UInt8(ascii: "%") || byte == UInt8(ascii: "+") || byte >= 0x80 {
            isPlain = false
            break
        }
        if isPlain { return Array(raw) }
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
