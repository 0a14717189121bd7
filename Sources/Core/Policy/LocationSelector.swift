/// One word of a residency rule, such as `country:FI`: it speaks about one attribute of a backend's location.
package struct LocationSelector: Hashable, Sendable, CustomStringConvertible {
    package enum Attribute: String, Sendable, CaseIterable {
        case country, jurisdiction, region, provider, certification
    }

    /// What a selector can say about a location; `unknown` is what the operator never said, and satisfies no rule.
    package enum Match: Sendable { case yes, no, unknown }

    package let attribute: Attribute
    package let value: String

    package var description: String { "\(attribute.rawValue):\(value)" }

    package func match(_ location: Location) -> Match {
        switch attribute {
        case .country: Self.match(location.country.map { [$0] } ?? [], value)
        case .jurisdiction: Self.match(location.jurisdictions, value)
        case .region: Self.match([location.region], value)
        case .provider: Self.match(location.provider.map { [$0] } ?? [], value)
        case .certification: Self.match(location.certifications, value)
        }
    }

    private static func match(_ known: [String], _ value: String) -> Match {
        known.isEmpty ? .unknown : known.contains(value) ? .yes : .no
    }
}

extension LocationSelector {
    /// More of them than this tell an operator's mistake.
    package static let maximumNear = 16

    /// Reads what is near to a site, such as `region:fi-hel-1, country:FI, jurisdiction:EU`, the nearest first.
    package static func near(_ text: String, at path: String) throws(PolicyError) -> [LocationSelector] {
        let words = text.utf8.split { $0 == UInt8(ascii: ",") || $0 == 0x20 }.map {
            String(decoding: $0, as: UTF8.self)
        }
        guard words.count <= maximumNear else { throw PolicyError(path, "at most \(maximumNear) selectors") }
        var selectors: [LocationSelector] = []
        for word in words { selectors.append(try LocationSelector(word, at: path, bareCertification: false)) }
        return selectors
    }

    /// Reads `attribute:value`; `path` is where it stands, for the message.
    ///
    /// A word without a colon is a certification where `bareCertification` says so.
    init(_ text: String, at path: String, bareCertification: Bool) throws(PolicyError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if parts.count == 1 && bareCertification {
            try self.init(.certification, text, at: path)
            return
        }
        let names = Attribute.allCases.map(\.rawValue)
        guard parts.count == 2 else {
            let kinds = names.joined(separator: ", ")
            throw PolicyError(path, "\"\(text)\" should be one of \(kinds), then a colon and a value")
        }
        guard let attribute = Attribute(rawValue: parts[0]) else {
            let nearest = NearestWord.nearest(to: parts[0], among: names) ?? ""
            throw PolicyError(path, "unknown selector \"\(parts[0])\"; the nearest known one is \"\(nearest)\"")
        }
        try self.init(attribute, parts[1], at: path)
    }

    private init(_ attribute: Attribute, _ value: String, at path: String) throws(PolicyError) {
        let (isLegal, rule) =
            switch attribute {
            case .country: (Location.isCountry(value), Location.countryRule)
            case .jurisdiction: (Location.isJurisdiction(value), "upper-case letters and digits, such as EU")
            case .region: (Location.isRegionLabel(value), "a region label such as fi-hel-1")
            case .provider: (Location.isLowerCaseWord(value), "lower-case letters, digits, - . and _")
            case .certification: (Location.isLowerCaseWord(value), "lower-case letters and digits, such as iso27001")
            }
        guard isLegal else {
            throw PolicyError(path, "\"\(value)\" is not a \(attribute.rawValue); it should be \(rule)")
        }
        self.attribute = attribute
        self.value = value
    }
}
