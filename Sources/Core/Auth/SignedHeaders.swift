/// The signed header list, matched with the headers that arrived.
struct SignedHeaders {
    /// The list as sent.
    let list: [UInt8]
    /// For each name in the list's order, the field it names, or nil when no such header arrived.
    private let fieldIndices: [(name: ArraySlice<UInt8>, index: Int?)]

    static let maximumCount = HeaderFields.maximumCount

    /// Matches `list` with `headers`, of which the last `hoistedCount` came out of the signed query, giving fields with `_` in their name that name back first.
    ///
    /// Throws `AccessDenied` when `host` or an `x-amz-*` header that arrived is not in the list (but
    /// `x-amz-content-sha256`, which every signature covers), and `InvalidRequest` for a name given twice.
    init(matching list: [UInt8], with headers: inout HeaderFields, hoistedCount: Int) throws(S3Error) {
        let names = list.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard names.count <= Self.maximumCount else { throw S3Error(.requestHeaderSectionTooLarge) }
        if list.contains(UInt8(ascii: "_")) {
            try headers.recoverNames(from: names.map { String(decoding: $0, as: UTF8.self) })
        }
        var isSigned = [Bool](repeating: false, count: headers.fields.count)
        var indices: [(name: ArraySlice<UInt8>, index: Int?)] = []
        indices.reserveCapacity(names.count)
        for name in names {
            let index = headers.fields.firstIndex { field in
                field.name.utf8.count == name.count && field.name.utf8.elementsEqual(name)
            }
            if let index {
                guard !isSigned[index] else {
                    throw S3Error(.invalidRequest, "A header name stands twice in the list of signed headers.")
                }
                isSigned[index] = true
            }
            indices.append((name, index))
        }
        self.list = list
        fieldIndices = indices
        try Self.checkCovered(headers, isSigned, hoistedCount)
    }

    private static func checkCovered(
        _ headers: HeaderFields, _ isSigned: [Bool], _ hoistedCount: Int
    ) throws(S3Error) {
        var missing: [String] = []
        for (index, field) in headers.fields.enumerated() where !isSigned[index] {
            let isHoisted = index >= headers.fields.count - hoistedCount
            if field.name == "host" || (field.name.utf8.starts(with: "x-amz-".utf8) && !isHoisted) {
                if field.name != "x-amz-content-sha256" { missing.append(field.name) }
            }
        }
        if headers["host"] == nil { missing.append("host") }
        guard missing.isEmpty else {
            throw S3Error(.accessDenied, "There were headers present in the request which were not signed")
                .detail("HeadersNotSigned", missing.joined(separator: ", "))
        }
    }

    /// Adds every signed header to `canonical`; one that did not arrive counts as empty.
    func append(_ headers: HeaderFields, to canonical: inout CanonicalRequest) {
        for (name, index) in fieldIndices {
            canonical.add(header: name, value: index.map { headers.fields[$0].value } ?? [])
        }
    }
}
