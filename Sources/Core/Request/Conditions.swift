/// The conditional headers of a request.
///
/// Source: RFC 9110 13.1 and 13.2.2 (order of evaluation); Amazon S3 API Reference, GetObject and PutObject.
package struct Conditions: Sendable {
    private let ifMatch: [UInt8]?
    private let ifNoneMatch: [UInt8]?
    private let ifModifiedSince: Timestamp?
    private let ifUnmodifiedSince: Timestamp?
    private let ifRange: [UInt8]?

    package init(_ headers: HeaderFields) {
        ifMatch = headers["if-match"]
        ifNoneMatch = headers["if-none-match"]
        // A date that cannot be read is ignored (RFC 9110 13.1.3).
        ifModifiedSince = headers["if-modified-since"].flatMap(Timestamp.init(httpDate:))
        ifUnmodifiedSince = headers["if-unmodified-since"].flatMap(Timestamp.init(httpDate:))
        ifRange = headers["if-range"]
    }

    /// The conditions of a copy on its source.
    package init(copySource headers: HeaderFields) {
        ifMatch = headers["x-amz-copy-source-if-match"]
        ifNoneMatch = headers["x-amz-copy-source-if-none-match"]
        ifModifiedSince = headers["x-amz-copy-source-if-modified-since"].flatMap(Timestamp.init(httpDate:))
        ifUnmodifiedSince = headers["x-amz-copy-source-if-unmodified-since"].flatMap(Timestamp.init(httpDate:))
        ifRange = nil
    }

    /// Checks a read for a copy: as `checkRead`, but every failure is `PreconditionFailed`.
    ///
    /// Source: Amazon S3 API Reference, CopyObject (which of two conditions holds).
    package func checkCopySource(eTag: String, lastModified: Timestamp) throws(S3Error) {
        do throws(S3Error) { try checkRead(eTag: eTag, lastModified: lastModified) } catch {
            throw error.code == .notModified ? S3Error(.preconditionFailed) : error
        }
    }

    /// Checks a read of a version: throws `PreconditionFailed`, or `NotModified` for 304.
    package func checkRead(eTag: String, lastModified: Timestamp) throws(S3Error) {
        if let ifMatch {
            guard Self.matches(ifMatch, eTag) else { throw Self.failed("If-Match") }
        } else if let ifUnmodifiedSince, lastModified.seconds > ifUnmodifiedSince.seconds {
            throw Self.failed("If-Unmodified-Since")
        }
        if let ifNoneMatch {
            if Self.matches(ifNoneMatch, eTag) { throw S3Error(.notModified) }
        } else if let ifModifiedSince, lastModified.seconds <= ifModifiedSince.seconds {
            throw S3Error(.notModified)
        }
    }

    /// Tells whether a Range counts: without `If-Range` always, with it only while the object is the one it names.
    ///
    /// Else a client that resumes would join the bytes of two versions (RFC 9110 13.1.5).
    package func rangeCounts(eTag: String, lastModified: Timestamp) -> Bool {
        guard let ifRange else { return true }
        if let date = Timestamp(httpDate: ifRange) { return date.seconds == lastModified.seconds }
        return ifRange.elementsEqual("\"\(eTag)\"".utf8)
    }

    /// Tells whether a write has to look at what is there.
    package var concernWrites: Bool { ifMatch != nil || ifNoneMatch != nil }

    /// Refuses what S3 does not offer on a write: `If-None-Match` with anything but `*`.
    package func checkWriteForm() throws(S3Error) {
        if let ifNoneMatch, !Self.isStar(ifNoneMatch) {
            throw S3Error.unimplemented(.header, "If-None-Match")
        }
    }

    /// Checks a write over the version whose ETag is `current`, nil when there is none: throws `PreconditionFailed`, or
    /// `NoSuchKey` for `If-Match` on nothing.
    package func checkWrite(overETag current: String?) throws(S3Error) {
        if ifNoneMatch != nil, current != nil { throw Self.failed("If-None-Match") }
        guard let ifMatch else { return }
        guard let current else { throw S3Error(.noSuchKey) }
        guard Self.matches(ifMatch, current) else { throw Self.failed("If-Match") }
    }

    private static func failed(_ condition: String) -> S3Error {
        S3Error(.preconditionFailed).detail("Condition", condition)
    }

    private static func isStar(_ value: [UInt8]) -> Bool { value == [UInt8(ascii: "*")] }

    /// Compares a list of entity tags, quoted or (as S3 clients do) bare, with an ETag without quotes.
    package static func matches(_ list: [UInt8], _ eTag: String) -> Bool {
        if isStar(list) { return true }
        return list.split(separator: UInt8(ascii: ",")).contains { item in
            var tag = item.filter { $0 != 0x20 && $0 != 0x09 }[...]
            if tag.starts(with: Array("W/".utf8)) { tag = tag.dropFirst(2) }
            if tag.count >= 2, tag.first == UInt8(ascii: "\""), tag.last == UInt8(ascii: "\"") {
                tag = tag.dropFirst().dropLast()
            }
            return tag.elementsEqual(eTag.utf8)
        }
    }
}
