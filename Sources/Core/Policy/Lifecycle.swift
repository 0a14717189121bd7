/// What is to become of a bucket's objects with time: the rules as their owner wrote them, checked.
///
/// Source: Amazon S3 User Guide, "Lifecycle configuration elements"; API Reference, PutBucketLifecycleConfiguration.
package struct Lifecycle: Sendable, Hashable {
    /// In the order in which they were written; at least one.
    package var rules: [LifecycleRule]

    package init(rules: [LifecycleRule]) { self.rules = rules }

    /// As the User Guide has it.
    package static let maximumRules = 1000
    package static let maximumRuleIDCharacters = 255
    /// As long as the longest key.
    package static let maximumPrefixBytes = 1024
    /// The most noncurrent versions that a rule can keep.
    package static let maximumNewerVersions = 100
}

package struct LifecycleRule: Sendable, Hashable {
    package enum Expiration: Sendable, Hashable {
        /// 1 or more.
        case days(Int)
        /// Midnight UTC.
        case date(Timestamp)
        /// Whether delete markers that hide nothing any more go at once.
        case loneMarkers(Bool)
    }

    package struct NoncurrentExpiration: Sendable, Hashable {
        /// 1 or more.
        package var days: Int
        /// This many noncurrent versions of a key stay, whatever their age: the newest ones.
        package var newerVersions: Int?
    }

    /// UTF-8; empty until the gateway gives it one.
    package var id: [UInt8]
    package var isEnabled: Bool
    package var filter: LifecycleFilter
    package var expiration: Expiration?
    package var noncurrentExpiration: NoncurrentExpiration?
    /// After this many days an upload in parts that is not completed ends; 1 or more.
    package var abortDays: Int?
}

/// Which objects a rule is about: those that meet all that is named.
package struct LifecycleFilter: Sendable, Hashable {
    /// How it was written, so that it is told in the same words.
    package enum Form: Sendable, Hashable {
        /// `Prefix` right below `Rule`, as before filters were invented.
        case legacyPrefix
        /// `Filter` with one condition, or none.
        case single
        /// `Filter` with `And`.
        case and
    }

    package var form: Form
    package var prefix: [UInt8]?
    package var tags: [Tag] = []
    package var greaterThanBytes: Int64?
    package var lessThanBytes: Int64?

    package init(form: Form, prefix: [UInt8]? = nil) {
        self.form = form
        self.prefix = prefix
    }

    package var hasSizes: Bool { greaterThanBytes != nil || lessThanBytes != nil }

    func matches(key: [UInt8]) -> Bool {
        guard let prefix else { return true }
        return key.starts(with: prefix)
    }

    func matches(key: [UInt8], sizeBytes: Int64, tags own: [Tag]) -> Bool {
        guard matches(key: key), tags.allSatisfy(own.contains) else { return false }
        if let greaterThanBytes, sizeBytes <= greaterThanBytes { return false }
        if let lessThanBytes, sizeBytes >= lessThanBytes { return false }
        return true
    }
}
