@testable import Core

extension FuzzTarget {
    /// The parts that a completion names rise, can be, and are the same after they were written and read again.
    static func completion(_ bytes: [UInt8]) -> String? {
        let outcome = Outcome { () throws(S3Error) in try CompletionDocument(parsing: bytes) }
        guard let read = outcome.value else { return nil }
        guard !read.items.isEmpty, read.items.count <= PartNumber.maximum else { return "no parts, or too many" }
        for (one, next) in zip(read.items, read.items.dropFirst()) where one.number >= next.number {
            return "parts out of order"
        }
        guard read.items.allSatisfy({ (1...PartNumber.maximum).contains($0.number.value) }) else {
            return "a number that no part has"
        }
        var xml = XMLWriter()
        xml.openRoot("CompleteMultipartUpload")
        for item in read.items {
            xml.open("Part")
            xml.element("PartNumber", item.number.value)
            xml.element("ETag", "\"\(item.eTag)\"")
            for claim in item.checksums { xml.element(claim.algorithm.elementName, claim.base64) }
            xml.close("Part")
        }
        xml.close("CompleteMultipartUpload")
        let again = Outcome { () throws(S3Error) in try CompletionDocument(parsing: xml.bytes) }
        return again.value == read ? nil : "reads differently after writing: \(again)"
    }

    /// The keys that are to be deleted are the same bytes after they were written and read again.
    static func deletion(_ bytes: [UInt8]) -> String? {
        let outcome = Outcome { () throws(S3Error) in try DeletionDocument(parsing: bytes) }
        guard let read = outcome.value else { return nil }
        guard (1...DeletionDocument.maximumKeys).contains(read.entries.count) else { return "no keys, or too many" }
        guard read.entries.allSatisfy({ !$0.key.isEmpty }) else { return "a key without a byte" }
        var xml = XMLWriter()
        xml.openRoot("Delete")
        xml.element("Quiet", read.isQuiet)
        for entry in read.entries {
            xml.open("Object")
            xml.element("Key", entry.key)
            if let versionID = entry.versionID { xml.element("VersionId", versionID) }
            if let eTag = entry.eTag { xml.element("ETag", eTag) }
            xml.close("Object")
        }
        xml.close("Delete")
        let again = Outcome { () throws(S3Error) in try DeletionDocument(parsing: xml.bytes) }
        // Written out, references are shorter or longer: the document may then be above its limit.
        guard xml.bytes.count <= DeletionDocument.maximumBytes else { return nil }
        return again.value == read ? nil : "reads differently after writing: \(again)"
    }

    /// A configuration that was read is told in words that read as the same one, and what it says of objects is the same.
    static func lifecycle(_ bytes: [UInt8]) -> String? {
        let outcome = Outcome { () throws(S3Error) in try Lifecycle(parsing: bytes) }
        guard let read = outcome.value else { return nil }
        guard (1...Lifecycle.maximumRules).contains(read.rules.count) else { return "no rules, or too many" }
        let again = Outcome { () throws(S3Error) in try Lifecycle(parsing: read.document.bytes) }
        guard again.value == read else { return "reads differently after writing: \(again)" }
        let written = Timestamp(milliseconds: 1_700_000_000_000)
        for prefix in read.versionPrefixes {
            let subject = LifecycleSubject(
                key: prefix + [0x6B], isDeleteMarker: false, sizeBytes: 1, tags: [], lastModified: written)
            for standing in [LifecycleStanding.current(isOnly: true), .noncurrent(since: written, newer: 9)] {
                if let due = read.due(subject, standing), !due.at.isMidnight { return "an end that is no midnight" }
            }
        }
        return nil
    }

    /// A policy that was read is told in words that read as the same one, and its numbers can be kept together.
    static func policy(_ bytes: [UInt8]) -> String? {
        let read: PolicyDocument
        do throws(PolicyError) { read = try PolicyDocument(parsing: bytes) } catch { return nil }
        let again: PolicyDocument
        do throws(PolicyError) { again = try PolicyDocument(parsing: read.json) } catch {
            return "does not read after writing: \(error)"
        }
        guard again == read else { return "reads differently after writing" }
        if let count = read.replicas.count {
            guard PolicyDocument.replicaCounts.contains(count) else { return "a number of replicas that cannot be" }
            if let acknowledge = read.replicas.acknowledge, !(1...count).contains(acknowledge.resolved(count: count)) {
                return "more acknowledgements than replicas"
            }
        }
        return nil
    }
}
