/// Reading a `LifecycleConfiguration` as clients send it, and as the database keeps it.
extension Lifecycle {
    /// Our own words for a document may be longer than the client's: a character of it becomes six at most.
    private static let maximumStoredBytes = 6 * XMLReader.maximumBytes

    /// Throws `MalformedXML`, `InvalidArgument`, `InvalidRequest`, `InvalidTag`, and `NotImplemented` for transitions:
    /// there is no other class for an object to go to.
    package init(parsing document: [UInt8]) throws(S3Error) {
        let root = try XMLReader.parse(
            document, root: "LifecycleConfiguration", maximumBytes: Self.maximumStoredBytes)
        guard (1...Self.maximumRules).contains(root.children.count),
            root.children.allSatisfy({ $0.name == "Rule" })
        else { throw S3Error(.malformedXML) }
        var ids: Set<[UInt8]> = []
        rules = []
        for element in root.children {
            let rule = try LifecycleRule(reading: element)
            guard rule.id.isEmpty || ids.insert(rule.id).inserted else {
                throw S3Error(
                    .invalidArgument, "Rule ID must be unique. Found same ID for more than one rule"
                ).detail("ArgumentName", "ID").detail("ArgumentValue", String(decoding: rule.id, as: UTF8.self))
            }
            rules.append(rule)
        }
    }
}

extension LifecycleRule {
    private static let transitions = ["Transition", "NoncurrentVersionTransition"]

    fileprivate init(reading element: XMLElement) throws(S3Error) {
        if let transition = element.children.first(where: { Self.transitions.contains($0.name) }) {
            throw S3Error(.notImplemented, "Transitions between storage classes are not implemented")
                .detail("Element", transition.name)
        }
        try element.requireOnly([
            "ID", "Status", "Filter", "Prefix", "Expiration", "NoncurrentVersionExpiration",
            "AbortIncompleteMultipartUpload",
        ])
        id = try Self.id(element.child("ID"))
        switch element.child("Status")?.word {
        case "Enabled": isEnabled = true
        case "Disabled": isEnabled = false
        default: throw S3Error(.malformedXML)
        }
        switch (element.child("Filter"), element.child("Prefix")) {
        case (let filter?, nil): self.filter = try LifecycleFilter(reading: filter)
        case (nil, let prefix?):
            filter = LifecycleFilter(form: .legacyPrefix, prefix: try LifecycleFilter.prefix(prefix))
        default: throw S3Error(.malformedXML)
        }
        expiration = try element.child("Expiration").map { each throws(S3Error) in try Self.expiration(each) }
        noncurrentExpiration = try element.child("NoncurrentVersionExpiration").map { each throws(S3Error) in
            try Self.noncurrentExpiration(each)
        }
        abortDays = try element.child("AbortIncompleteMultipartUpload").map { each throws(S3Error) in
            try each.requireOnly(["DaysAfterInitiation"])
            return try each.days("DaysAfterInitiation", of: "AbortIncompleteMultipartUpload")
        }
        try checkTogether()
    }

    private static func id(_ element: XMLElement?) throws(S3Error) -> [UInt8] {
        guard let element else { return [] }
        guard element.children.isEmpty else { throw S3Error(.malformedXML) }
        guard element.word.unicodeScalars.count <= Lifecycle.maximumRuleIDCharacters else {
            throw S3Error(
                .invalidArgument, "ID length should not exceed allowed limit of \(Lifecycle.maximumRuleIDCharacters)"
            ).detail("ArgumentName", "ID").detail("ArgumentValue", element.word)
        }
        return element.text
    }

    /// One of `Days`, `Date` and `ExpiredObjectDeleteMarker`.
    private static func expiration(_ element: XMLElement) throws(S3Error) -> Expiration {
        guard element.children.count == 1, let child = element.children.first else { throw S3Error(.malformedXML) }
        switch child.name {
        case "Days": return .days(try element.days("Days", of: "Expiration"))
        case "Date": return .date(try date(child))
        case "ExpiredObjectDeleteMarker":
            switch child.trimmed {
            case "true": return .loneMarkers(true)
            case "false": return .loneMarkers(false)
            default: throw S3Error(.malformedXML)
            }
        default: throw S3Error(.malformedXML)
        }
    }

    /// ISO 8601: `2027-01-01`, or with a time, which has to be midnight UTC.
    private static func date(_ element: XMLElement) throws(S3Error) -> Timestamp {
        let text = Array(element.trimmed.utf8)
        let midnight = Array("T00:00:00Z".utf8)
        let offset = Array("+00:00".utf8)
        var time = Timestamp(iso8601: text) ?? Timestamp(iso8601: text + midnight)
        if time == nil, text.suffix(offset.count).elementsEqual(offset) {
            time = Timestamp(iso8601: text.dropLast(offset.count) + [UInt8(ascii: "Z")])
        }
        guard let time else { throw S3Error(.malformedXML) }
        guard time.isMidnight else {
            throw S3Error(.invalidArgument, "'Date' must be at midnight GMT").detail("ArgumentName", "Date")
                .detail("ArgumentValue", element.trimmed)
        }
        return time
    }

    private static func noncurrentExpiration(_ element: XMLElement) throws(S3Error) -> NoncurrentExpiration {
        try element.requireOnly(["NoncurrentDays", "NewerNoncurrentVersions"])
        let action = "NoncurrentVersionExpiration"
        let days = try element.days("NoncurrentDays", of: action)
        guard element.child("NewerNoncurrentVersions") != nil else { return NoncurrentExpiration(days: days) }
        let newer = try element.days("NewerNoncurrentVersions", of: action)
        guard newer <= Lifecycle.maximumNewerVersions else {
            throw S3Error(
                .invalidArgument,
                "'NewerNoncurrentVersions' for \(action) action must be between 1 and \(Lifecycle.maximumNewerVersions)"
            ).detail("ArgumentName", "NewerNoncurrentVersions").detail("ArgumentValue", String(newer))
        }
        return NoncurrentExpiration(days: days, newerVersions: newer)
    }

    /// What a rule may not ask for beside its filter.
    private func checkTogether() throws(S3Error) {
        guard expiration != nil || noncurrentExpiration != nil || abortDays != nil else {
            throw S3Error(.invalidRequest, "At least one action needs to be specified in a rule")
        }
        var named: [String] = []
        if case .loneMarkers = expiration { named.append("ExpiredObjectDeleteMarker") }
        if abortDays != nil { named.append("AbortIncompleteMultipartUpload") }
        for name in named {
            if !filter.tags.isEmpty { throw S3Error(.invalidRequest, "\(name) cannot be specified with Tags") }
            if filter.hasSizes { throw S3Error(.invalidRequest, "\(name) cannot be specified with Object Size") }
        }
    }
}

extension LifecycleFilter {
    private static let conditions = ["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"]

    fileprivate init(reading element: XMLElement) throws(S3Error) {
        guard element.children.count <= 1 else { throw S3Error(.malformedXML) }
        guard let and = element.child("And") else {
            self.init(form: .single)
            try add(element)
            return
        }
        guard and.children.count >= 2 else { throw S3Error(.malformedXML) }
        self.init(form: .and)
        try add(and)
    }

    private mutating func add(_ element: XMLElement) throws(S3Error) {
        try element.requireOnly(Self.conditions, many: ["Tag"])
        prefix = try element.child("Prefix").map { each throws(S3Error) in try Self.prefix(each) }
        for tag in element.children("Tag") {
            guard tag.children.count == 2, let key = tag.child("Key"), let value = tag.child("Value") else {
                throw S3Error(.malformedXML)
            }
            guard !tags.contains(where: { $0.key == key.text }) else {
                throw S3Error(.invalidRequest, "Duplicate Tag Keys are not allowed.")
            }
            tags.append(try Tag(validatingKey: key.text, value: value.text))
        }
        try Tag.check(tags, for: .object)
        greaterThanBytes = try element.sizeBytes("ObjectSizeGreaterThan", from: 0)
        lessThanBytes = try element.sizeBytes("ObjectSizeLessThan", from: 1)
        if let greaterThanBytes, let lessThanBytes, lessThanBytes <= greaterThanBytes {
            throw S3Error(
                .invalidRequest, "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
        }
    }

    fileprivate static func prefix(_ element: XMLElement) throws(S3Error) -> [UInt8] {
        guard element.children.isEmpty else { throw S3Error(.malformedXML) }
        guard element.text.count <= Lifecycle.maximumPrefixBytes else {
            throw S3Error(.invalidRequest, "The maximum size of a prefix is \(Lifecycle.maximumPrefixBytes).")
        }
        return element.text
    }
}

extension XMLElement {
    /// Throws `MalformedXML` for a child of another name, and for one that stands twice unless it is one of `many`.
    fileprivate func requireOnly(_ names: [String], many: Set<String> = []) throws(S3Error) {
        var seen: Set<String> = []
        for child in children {
            guard names.contains(child.name), seen.insert(child.name).inserted || many.contains(child.name) else {
                throw S3Error(.malformedXML)
            }
        }
    }

    /// The text of a number or a word, around which XML Schema allows white space.
    fileprivate var trimmed: String {
        let blanks: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        let start = text.drop { blanks.contains($0) }
        guard let end = start.lastIndex(where: { !blanks.contains($0) }) else { return "" }
        return String(decoding: start[...end], as: UTF8.self)
    }

    /// A whole number, also below 0; throws `MalformedXML` for anything else, and for one above `limit`.
    private func number(_ name: String, limit: Int) throws(S3Error) -> Int? {
        guard let element = child(name) else { return nil }
        let text = Array(element.trimmed.utf8)
        let isNegative = text.first == UInt8(ascii: "-")
        guard element.children.isEmpty, let value = DecimalNumber.parse(isNegative ? Array(text.dropFirst()) : text),
            value <= limit
        else { throw S3Error(.malformedXML) }
        return isNegative ? -value : value
    }

    /// A number above 0 that has to be there.
    fileprivate func days(_ name: String, of action: String) throws(S3Error) -> Int {
        guard let value = try number(name, limit: Int(Int32.max)) else { throw S3Error(.malformedXML) }
        guard value > 0 else {
            throw S3Error(.invalidArgument, "'\(name)' for \(action) action must be a positive integer")
                .detail("ArgumentName", name).detail("ArgumentValue", String(value))
        }
        return value
    }

    fileprivate func sizeBytes(_ name: String, from lowest: Int) throws(S3Error) -> Int64? {
        guard let value = try number(name, limit: Int.max) else { return nil }
        guard value >= lowest else { throw S3Error(.invalidRequest, "'\(name)' should be \(lowest) or more") }
        return Int64(value)
    }
}
