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
