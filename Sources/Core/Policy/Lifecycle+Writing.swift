/// Telling a configuration: to clients, and to the database.
extension Lifecycle {
    /// The document that `init(parsing:)` reads as this very configuration.
    package var document: XMLWriter {
        var xml = XMLWriter(reserving: 256 + rules.count * 256)
        xml.openRoot("LifecycleConfiguration")
        for rule in rules {
            xml.open("Rule")
            rule.write(to: &xml)
            xml.close("Rule")
        }
        xml.close("LifecycleConfiguration")
        return xml
    }
}

extension LifecycleRule {
    fileprivate func write(to xml: inout XMLWriter) {
        xml.element("ID", id)
        filter.write(to: &xml)
        xml.element("Status", isEnabled ? "Enabled" : "Disabled")
        if let expiration {
            xml.open("Expiration")
            switch expiration {
            case .days(let days): xml.element("Days", days)
            case .date(let date): xml.element("Date", date.iso8601)
            case .loneMarkers(let go): xml.element("ExpiredObjectDeleteMarker", go)
            }
            xml.close("Expiration")
        }
        if let noncurrentExpiration {
            xml.open("NoncurrentVersionExpiration")
            xml.element("NoncurrentDays", noncurrentExpiration.days)
            if let newer = noncurrentExpiration.newerVersions { xml.element("NewerNoncurrentVersions", newer) }
            xml.close("NoncurrentVersionExpiration")
        }
        if let abortDays {
            xml.open("AbortIncompleteMultipartUpload")
            xml.element("DaysAfterInitiation", abortDays)
            xml.close("AbortIncompleteMultipartUpload")
        }
    }
}

extension LifecycleFilter {
    fileprivate func write(to xml: inout XMLWriter) {
        guard form != .legacyPrefix else { return xml.element("Prefix", prefix ?? []) }
        xml.open("Filter")
        if form == .and { xml.open("And") }
        if let prefix { xml.element("Prefix", prefix) }
        for tag in tags {
            xml.open("Tag")
            xml.element("Key", tag.key)
            xml.element("Value", tag.value)
            xml.close("Tag")
        }
        if let greaterThanBytes { xml.element("ObjectSizeGreaterThan", Int(greaterThanBytes)) }
        if let lessThanBytes { xml.element("ObjectSizeLessThan", Int(lessThanBytes)) }
        if form == .and { xml.close("And") }
        xml.close("Filter")
    }
}
