/// One version as the rules see it.
package struct LifecycleSubject: Sendable, Hashable {
    package var key: [UInt8]
    package var isDeleteMarker: Bool
    package var sizeBytes: Int64
    package var tags: [Tag]
    package var lastModified: Timestamp

    package init(key: [UInt8], isDeleteMarker: Bool, sizeBytes: Int64, tags: [Tag], lastModified: Timestamp) {
        self.key = key
        self.isDeleteMarker = isDeleteMarker
        self.sizeBytes = sizeBytes
        self.tags = tags
        self.lastModified = lastModified
    }
}

/// How one version stands to the others of its key.
package enum LifecycleStanding: Sendable, Hashable {
    /// What clients see; `isOnly` when the key has no other version.
    case current(isOnly: Bool)
    /// `since` the next newer version was written; `newer` noncurrent versions of its key are newer, counted as far as
    /// `Lifecycle.maximumNewerVersions`.
    case noncurrent(since: Timestamp, newer: Int)
}

/// What a rule says of one version or upload.
package struct LifecycleDue: Sendable, Hashable {
    package var ruleID: [UInt8]
    /// From then on it goes.
    package var at: Timestamp
}

/// When something goes, by the rules alone.
///
/// Of several rules that apply the earliest wins. Source: Amazon S3 User Guide, "Expiring objects".
extension Lifecycle {
    /// Tells when the version goes, nil for never.
    ///
    /// Of a current version only the visible state goes: in a bucket with versioning a delete marker takes its place.
    package func due(_ subject: LifecycleSubject, _ standing: LifecycleStanding) -> LifecycleDue? {
        var earliest: LifecycleDue?
        for rule in rules where rule.isEnabled {
            guard let time = rule.time(of: subject, standing) else { continue }
            if let earliest, earliest.at <= time { continue }
            earliest = LifecycleDue(ruleID: rule.id, at: time)
        }
        return earliest
    }

    /// Tells when an upload in parts ends that is not completed, nil for never.
    package func due(uploadOf key: [UInt8], initiatedAt: Timestamp) -> LifecycleDue? {
        var earliest: LifecycleDue?
        for rule in rules where rule.isEnabled && rule.filter.matches(key: key) {
            guard let days = rule.abortDays else { continue }
            let time = initiatedAt.midnight(afterDays: days)
            if let earliest, earliest.at <= time { continue }
            earliest = LifecycleDue(ruleID: rule.id, at: time)
        }
        return earliest
    }

    /// Beginnings of keys such that no other key has a version that goes; none begins with another one.
    package var versionPrefixes: [[UInt8]] {
        Self.shortest(rules.filter { $0.isEnabled && ($0.expiration != nil || $0.noncurrentExpiration != nil) })
    }

    /// The same of uploads.
    package var uploadPrefixes: [[UInt8]] { Self.shortest(rules.filter { $0.isEnabled && $0.abortDays != nil }) }

    private static func shortest(_ rules: [LifecycleRule]) -> [[UInt8]] {
        var prefixes: [[UInt8]] = []
        for prefix in rules.map({ $0.filter.prefix ?? [] }).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            if let last = prefixes.last, prefix.starts(with: last) { continue }
            prefixes.append(prefix)
        }
        return prefixes
    }
}

extension LifecycleRule {
    fileprivate func time(of subject: LifecycleSubject, _ standing: LifecycleStanding) -> Timestamp? {
        switch standing {
        case .current(let isOnly):
            guard subject.isDeleteMarker else { return matches(subject) ? expiry(of: subject) : nil }
            return isOnly ? expiry(ofLoneMarker: subject) : nil
        case .noncurrent(let since, let newer):
            guard let noncurrentExpiration, newer >= noncurrentExpiration.newerVersions ?? 0, matches(subject) else {
                return nil
            }
            return since.midnight(afterDays: noncurrentExpiration.days)
        }
    }

    /// A delete marker has no tags and no size: a rule that asks for some is about objects only.
    private func matches(_ subject: LifecycleSubject) -> Bool {
        if subject.isDeleteMarker && (filter.hasSizes || !filter.tags.isEmpty) { return false }
        return filter.matches(key: subject.key, sizeBytes: subject.sizeBytes, tags: subject.tags)
    }

    private func expiry(of subject: LifecycleSubject) -> Timestamp? {
        switch expiration {
        case .days(let days): subject.lastModified.midnight(afterDays: days)
        case .date(let date): date
        case .loneMarkers, nil: nil
        }
    }

    /// Days and dates are also about delete markers, once these hide nothing (User Guide, "Lifecycle configuration
    /// elements", on `ExpiredObjectDeleteMarker`).
    private func expiry(ofLoneMarker subject: LifecycleSubject) -> Timestamp? {
        guard matches(subject) else { return nil }
        switch expiration {
        case .loneMarkers(let go): return go ? subject.lastModified : nil
        case .days, .date, nil: return expiry(of: subject)
        }
    }
}

extension Timestamp {
    private static let dayMilliseconds: Int64 = 86_400_000

    /// The first midnight UTC that is not before this time and `days` more.
    func midnight(afterDays days: Int) -> Timestamp {
        let time = milliseconds + Int64(days) * Self.dayMilliseconds
        let over = (time % Self.dayMilliseconds + Self.dayMilliseconds) % Self.dayMilliseconds
        return Timestamp(milliseconds: over == 0 ? time : time - over + Self.dayMilliseconds)
    }

    var isMidnight: Bool { milliseconds % Self.dayMilliseconds == 0 }
}
