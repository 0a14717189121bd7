/// Reading a policy: strict, so that a rule somebody meant is never a rule nobody reads.
extension PolicyDocument {
    /// Reads the JSON of a policy; what it allows and denies at once is denied.
    ///
    /// Throws for what is no JSON, an unknown or repeated member or selector, a wrong type, an empty list, and for more
    /// acknowledgements than replicas.
    package init(parsing json: [UInt8]) throws(PolicyError) {
        let root: JSONValue
        do throws(JSONReader.SyntaxError) { root = try JSONReader.read(json) } catch {
            throw PolicyError("$", error.description)
        }
        self.init()
        var preset: (PolicyPreset, path: String)?
        for (name, value, path) in try Self.members(of: root, at: "$", known: ["residency", "replicas", "preset"]) {
            switch name {
            case "residency": try readResidency(value, path)
            case "replicas": try readReplicas(value, path)
            default: preset = (try Self.word(value, path), path)
            }
        }
        if let preset { try apply(preset.0, at: preset.path) }
        try checkReplicas("$.replicas")
    }

    /// Throws where the members of `replicas` contradict each other.
    private func checkReplicas(_ path: String) throws(PolicyError) {
        let count = replicas.count
        if case .number(let number) = replicas.acknowledge, let count, number > count {
            throw PolicyError("\(path).acknowledge", "\(number) is more than the \(count) replicas of count")
        }
        if let spread = replicas.spread {
            let place = "\(path).spread.\(spread.attribute.rawValue)"
            if let count, spread.count > count {
                throw PolicyError(place, "\(spread.count) is more than the \(count) replicas of count")
            }
            if replicas.within == spread.attribute {
                throw PolicyError(
                    place, "contradicts within, which wants all replicas in one \(spread.attribute.rawValue)")
            }
        }
        if let within = replicas.within, within.rawValue == replicas.distinct?.rawValue {
            throw PolicyError("\(path).within", "contradicts distinct, which wants every \(within.rawValue) to differ")
        }
    }

    private mutating func readResidency(_ value: JSONValue, _ path: String) throws(PolicyError) {
        for (name, value, path) in try Self.members(of: value, at: path, known: ["allow", "deny", "require"]) {
            let selectors = try Self.list(value, path) { text, path throws(PolicyError) in
                try LocationSelector(text, at: path, bareCertification: name == "require")
            }
            switch name {
            case "allow": residency.allow = selectors
            case "deny": residency.deny = selectors
            default: residency.require = selectors
            }
        }
    }

    private mutating func readReplicas(_ value: JSONValue, _ path: String) throws(PolicyError) {
        let known = ["count", "distinct", "within", "spread", "acknowledge", "order"]
        for (name, value, path) in try Self.members(of: value, at: path, known: known) {
            switch name {
            case "count": replicas.count = try Self.replicaNumber(value, path)
            case "distinct": replicas.distinct = try Self.word(value, path)
            case "within": replicas.within = try Self.word(value, path)
            case "spread": replicas.spread = try Self.spread(value, path)
            case "acknowledge": replicas.acknowledge = try Self.acknowledge(value, path)
            default: replicas.order = try Self.list(value, path, Self.regionLabel)
            }
        }
    }

    private static func replicaNumber(_ value: JSONValue, _ path: String) throws(PolicyError) -> Int {
        guard case .integer(let number) = value, let count = Int(exactly: number), replicaCounts.contains(count) else {
            let range = "a whole number from \(replicaCounts.lowerBound) to \(replicaCounts.upperBound)"
            throw PolicyError(path, "should be \(range)\(found(value))")
        }
        return count
    }

    private static func word<Word: RawRepresentable<String> & CaseIterable>(
        _ value: JSONValue, _ path: String
    ) throws(PolicyError) -> Word {
        guard case .string(let text) = value, let word = Word(rawValue: text) else {
            let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw PolicyError(path, "should be one of \(words)\(found(value))")
        }
        return word
    }

    private static func spread(_ value: JSONValue, _ path: String) throws(PolicyError) -> Spread {
        let attributes = Attribute.allCases.map(\.rawValue)
        let members = try members(of: value, at: path, known: attributes)
        guard members.count == 1, let member = members.first, let attribute = Attribute(rawValue: member.name) else {
            throw PolicyError(path, "should have one member, one of \(attributes.joined(separator: ", "))")
        }
        let count = try replicaNumber(member.value, member.path)
        guard count > 1 else { throw PolicyError(member.path, "should be 2 or more") }
        return Spread(attribute: attribute, count: count)
    }

    private static func acknowledge(_ value: JSONValue, _ path: String) throws(PolicyError) -> Acknowledge {
        switch value {
        case .string("quorum"): return .quorum
        case .string("all"): return .all
        case .integer: return .number(try replicaNumber(value, path))
        default: throw PolicyError(path, "should be a whole number, \"quorum\" or \"all\"\(found(value))")
        }
    }

    private static func regionLabel(_ text: String, _ path: String) throws(PolicyError) -> String {
        guard Location.isRegionLabel(text) else { throw PolicyError(path, "\"\(text)\" is not a region label") }
        return text
    }

    /// Returns the members of an object with their paths, or throws when one is not known.
    private static func members(
        of value: JSONValue, at path: String, known: [String]
    ) throws(PolicyError) -> [(name: String, value: JSONValue, path: String)] {
        guard case .object(let members) = value else { throw PolicyError(path, "should be an object\(found(value))") }
        for member in members where !known.contains(member.name) {
            let nearest = NearestWord.nearest(to: member.name, among: known) ?? ""
            throw PolicyError("\(path).\(member.name)", "unknown; the nearest known name is \"\(nearest)\"")
        }
        return members.map { ($0.name, $0.value, "\(path).\($0.name)") }
    }

    /// Returns what the strings of a list stand for, or throws when it is empty or says one thing twice.
    private static func list<Element: Equatable>(
        _ value: JSONValue, _ path: String, _ read: (String, String) throws(PolicyError) -> Element
    ) throws(PolicyError) -> [Element] {
        guard case .array(let values) = value else {
            throw PolicyError(path, "should be a list of strings\(found(value))")
        }
        guard (1...maximumListLength).contains(values.count) else {
            throw PolicyError(path, "should have 1 to \(maximumListLength) entries; leave it out to have no such rule")
        }
        var elements: [Element] = []
        for (index, value) in values.enumerated() {
            let place = "\(path)[\(index)]"
            guard case .string(let text) = value else { throw PolicyError(place, "should be a string\(found(value))") }
            let element = try read(text, place)
            guard !elements.contains(element) else { throw PolicyError(place, "\"\(text)\" stands twice in the list") }
            elements.append(element)
        }
        return elements
    }

    private static func found(_ value: JSONValue) -> String {
        switch value {
        case .integer(let number): ", not \(number)"
        case .string(let text): ", not \"\(text)\""
        default: ", not \(value.kind)"
        }
    }
}
