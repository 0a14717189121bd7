/// One header field; the name is lower case, the value is the bytes as sent, without outer blanks.
package struct HeaderField: Hashable, Sendable {
    package var name: String
    package var value: [UInt8]

    package init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// The header fields of a request, in order of arrival; fields of one name are joined with "," (RFC 9110 5.2).
///
/// CGI variables cannot tell `-` from `_` in a name, so a name holds `-` for both until `recoverNames(from:)` has
/// compared it with the names that the client signed.
package struct HeaderFields: Sendable {
    package private(set) var fields: [HeaderField] = []
    /// Names that arrived more than once; most of those that matter to a signature may not.
    package private(set) var repeated: [String] = []

    /// More header fields than any S3 client sends (SECURITY.md 16).
    package static let maximumCount = 100

    /// Headers whose repetition is an attack or a mistake, never a use (SECURITY.md 3).
    private static let single: Set<String> = [
        "authorization", "content-length", "content-type", "host", "range", "x-amz-content-sha256",
        "x-amz-copy-source", "x-amz-date", "x-amz-security-token",
    ]

    package init() { fields.reserveCapacity(16) }

    /// Adds one field; `name` must be lower case.
    ///
    /// Throws `InvalidRequest` when there are too many or one is repeated that must not be.
    package mutating func add(_ name: String, _ value: [UInt8]) throws(S3Error) {
        if let index = fields.firstIndex(where: { $0.name == name }) {
            guard !Self.single.contains(name) else {
                throw S3Error(.invalidRequest, "The header \(name) was given more than once.")
            }
            fields[index].value.append(UInt8(ascii: ","))
            fields[index].value.append(contentsOf: value)
            repeated.append(name)
            return
        }
        guard fields.count < Self.maximumCount else {
            throw S3Error(.requestHeaderSectionTooLarge)
        }
        fields.append(HeaderField(name: name, value: value))
    }

    /// Returns the value of the field called `name` (lower case), or nil.
    package subscript(name: String) -> [UInt8]? {
        for field in fields where field.name == name { return field.value }
        return nil
    }

    /// Returns the value as text; nil when the field is missing.
    ///
    /// Bytes that are not UTF-8 become U+FFFD: use it for values that are compared with ASCII words only.
    package func text(_ name: String) -> String? { self[name].map { String(decoding: $0, as: UTF8.self) } }

    /// Gives fields back the names the client signed: a signed `x-amz-meta-a_b` names the field that CGI shows as
    /// `x-amz-meta-a-b`.
    ///
    /// Throws `InvalidRequest` when two signed names fold to the same CGI name.
    package mutating func recoverNames(from signedNames: [String]) throws(S3Error) {
        for signed in signedNames where signed.utf8.contains(UInt8(ascii: "_")) {
            let folded = String(
                decoding: signed.utf8.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }, as: UTF8.self)
            let twins = signedNames.filter { name in
                name.utf8.elementsEqual(signed.utf8) { one, other in
                    one == other || (Self.isFoldable(one) && Self.isFoldable(other))
                }
            }
            guard twins.count == 1 else {
                throw S3Error(
                    .invalidRequest, "Header names that differ only in - and _ cannot be told apart: \(folded).")
            }
            if let index = fields.firstIndex(where: { $0.name == folded }) { fields[index].name = signed }
        }
    }

    private static func isFoldable(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") }
}
