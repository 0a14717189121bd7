/// Builds the canonical request of Signature Version 4, for verifying and for signing.
///
/// S3's own rules: the path is decoded once and encoded once, `/` kept, no dot segments or empty ones removed.
/// Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header", task 1.
struct CanonicalRequest {
    private(set) var bytes: [UInt8]

    /// Begins with the method, the canonical path and the canonical query.
    init(method: String, path: [UInt8], query: [UInt8]) {
        bytes = []
        bytes.reserveCapacity(512 + path.count + query.count)
        bytes.append(contentsOf: method.utf8)
        bytes.append(0x0A)
        bytes.append(contentsOf: path)
        bytes.append(0x0A)
        bytes.append(contentsOf: query)
        bytes.append(0x0A)
    }

    /// Adds `name:value`, in the order of the signed header list; `name` is lower case.
    mutating func add(header name: some Sequence<UInt8>, value: some Sequence<UInt8>) {
        bytes.append(contentsOf: name)
        bytes.append(UInt8(ascii: ":"))
        Self.append(folding: value, to: &bytes)
        bytes.append(0x0A)
    }

    /// Ends with the signed header list and the payload hash as sent.
    mutating func finish(signedHeaders: [UInt8], payloadHash: [UInt8]) {
        bytes.append(0x0A)
        bytes.append(contentsOf: signedHeaders)
        bytes.append(0x0A)
        bytes.append(contentsOf: payloadHash)
    }

    /// Returns the canonical form of a decoded path.
    static func path(_ decoded: [UInt8]) -> [UInt8] { URIEncoding.encode(decoded, keepingSlash: true) }

    /// Returns the canonical query: every parameter but `X-Amz-Signature`, encoded, sorted by name as bytes.
    static func query(_ items: [QueryItem]) -> [UInt8] {
        guard !items.isEmpty else { return [] }
        if let query = sortedQuery(items) { return query }
        var pairs: [(name: [UInt8], value: [UInt8])] = []
        pairs.reserveCapacity(items.count)
        for item in items where item.name != PresignedURL.signatureName {
            pairs.append((URIEncoding.encode(item.name, keepingSlash: false), item.value))
        }
        return query(encodedNames: &pairs)
    }

    /// The query of most clients, which sort before they sign; nil when it is not sorted.
    ///
    /// Names that need no encoding compare encoded as they do decoded.
    private static func sortedQuery(_ items: [QueryItem]) -> [UInt8]? {
        var query: [UInt8] = []
        query.reserveCapacity(items.reduce(0) { $0 + $1.name.count + $1.value.count + 32 })
        var last: [UInt8]?
        for item in items where item.name != PresignedURL.signatureName {
            guard URIEncoding.isUnreserved(item.name), last.map({ $0.lexicographicallyPrecedes(item.name) }) ?? true
            else { return nil }
            if last != nil { query.append(UInt8(ascii: "&")) }
            last = item.name
            query.append(contentsOf: item.name)
            query.append(UInt8(ascii: "="))
            URIEncoding.append(item.value, keepingSlash: false, to: &query)
        }
        return query
    }

    /// Sorts and joins; names are encoded already, values are not.
    static func query(encodedNames pairs: inout [(name: [UInt8], value: [UInt8])]) -> [UInt8] {
        pairs.sort { one, other in
            guard one.name == other.name else { return one.name.lexicographicallyPrecedes(other.name) }
            return URIEncoding.encode(one.value, keepingSlash: false)
                .lexicographicallyPrecedes(URIEncoding.encode(other.value, keepingSlash: false))
        }
        var query: [UInt8] = []
        query.reserveCapacity(pairs.reduce(0) { $0 + $1.name.count + $1.value.count * 2 + 2 })
        for pair in pairs {
            if !query.isEmpty { query.append(UInt8(ascii: "&")) }
            query.append(contentsOf: pair.name)
            query.append(UInt8(ascii: "="))
            URIEncoding.append(pair.value, keepingSlash: false, to: &query)
        }
        return query
    }

    /// Drops outer blanks and makes each inner run of blanks one space.
    private static func append(folding value: some Sequence<UInt8>, to bytes: inout [UInt8]) {
        var isSpaceDue = false
        let start = bytes.count
        for byte in value {
            if byte == 0x20 || byte == 0x09 {
                isSpaceDue = bytes.count > start
                continue
            }
            if isSpaceDue {
                bytes.append(0x20)
                isSpaceDue = false
            }
            bytes.append(byte)
        }
    }
}
