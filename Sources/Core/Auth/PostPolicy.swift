/// What a form upload may be, as the owner of the key signed it.
///
/// Shape: `{"expiration": "2015-12-30T12:00:00.000Z", "conditions": [{"bucket": "b"}, ["starts-with", "$key", "up/"],
/// ["content-length-range", 1, 1024]]}`.
/// Source: Amazon S3 API Reference, "POST Policy".
package struct PostPolicy: Sendable {
    enum Condition: Sendable, Equatable {
        /// The field of that name, in lower case, has this value.
        case equal(field: [UInt8], value: [UInt8])
        case startsWith(field: [UInt8], prefix: [UInt8])
        /// Of the file, in bytes.
        case contentLength(ClosedRange<Int64>)
    }

    let expiration: Timestamp
    let conditions: [Condition]

    /// Reads the JSON text; throws `InvalidPolicyDocument`.
    init(parsing text: [UInt8]) throws(S3Error) {
        let document: JSONValue
        do throws(JSONReader.SyntaxError) {
            document = try JSONReader.read(text, dialect: .postPolicy)
        } catch {
            throw Self.invalid("Invalid JSON.")
        }
        guard case .object(let members) = document else { throw Self.invalid("Invalid JSON.") }
        // The names are case sensitive; one that means nothing may be a restriction misspelt.
        for member in members where member.name != "expiration" && member.name != "conditions" {
            throw Self.invalid("Unexpected: '\(member.name)'.")
        }
        guard let end = document["expiration"] else { throw Self.invalid("Policy missing expiration.") }
        guard case .string(let endText) = end, let moment = Timestamp(iso8601: Array(endText.utf8)) else {
            throw Self.invalid("Invalid 'expiration' value.")
        }
        guard let list = document["conditions"] else { throw Self.invalid("Policy missing conditions.") }
        guard case .array(let elements) = list else {
            throw Self.invalid("Invalid 'conditions' value: must be a List.")
        }
        expiration = moment
        var conditions: [Condition] = []
        for element in elements { conditions.append(try Self.condition(element)) }
        self.conditions = conditions
    }

    // MARK: Evaluation

    /// Throws `AccessDenied` when the policy has expired.
    func checkTime(_ now: Timestamp) throws(S3Error) {
        guard now < expiration else { throw Self.violated("Policy expired.") }
    }

    /// Throws `AccessDenied` when a condition does not hold, or a field is neither named by one nor exempt.
    func check(_ fields: [FormField], isExempt: ([UInt8]) -> Bool) throws(S3Error) {
        var named: Set<[UInt8]> = []
        for condition in conditions {
            guard let name = condition.field else { continue }
            named.insert(name)
            // A field that was not sent matches nothing, not even an empty value.
            guard let field = fields.first(where: { $0.name == name }), condition.holds(field) else {
                throw Self.violated("Policy Condition failed: \(condition.text)")
            }
        }
        let extra = fields.map(\.name).filter { !named.contains($0) && !isExempt($0) }
        guard extra.isEmpty else {
            let names = extra.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ", ")
            throw Self.violated("Extra input fields: \(names)")
        }
    }

    /// Throws `EntityTooLarge` or `EntityTooSmall`.
    func checkSize(_ sizeBytes: Int64) throws(S3Error) {
        for case .contentLength(let range) in conditions {
            guard sizeBytes <= range.upperBound else {
                throw S3Error(.entityTooLarge)
                    .detail("ProposedSize", String(sizeBytes)).detail("MaxSizeAllowed", String(range.upperBound))
            }
            guard sizeBytes >= range.lowerBound else {
                throw S3Error(.entityTooSmall)
                    .detail("ProposedSize", String(sizeBytes)).detail("MinSizeAllowed", String(range.lowerBound))
            }
        }
    }

    static func violated(_ text: String) -> S3Error { S3Error(.accessDenied, "Invalid according to Policy: \(text)") }

    static func invalid(_ text: String) -> S3Error { S3Error(.invalidPolicyDocument, "Invalid Policy: \(text)") }
}

extension PostPolicy.Condition {
    /// The field it speaks of; nil for the size of the file.
    var field: [UInt8]? {
        switch self {
        case .equal(let field, _), .startsWith(let field, _): field
        case .contentLength: nil
        }
    }

    func holds(_ field: FormField) -> Bool {
        switch self {
        case .equal(_, let value): return field.value == value
        case .startsWith(_, let prefix):
            guard field.name.elementsEqual("content-type".utf8) else { return field.value.starts(with: prefix) }
            // Source: Amazon S3 API Reference, "POST Policy": commas make a list of types, and each must match.
            return field.value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                .allSatisfy { $0.drop { $0 == 0x20 }.starts(with: prefix) }
        case .contentLength: return true
        }
    }

    /// The condition as a policy writes it, for the refusal.
    var text: String {
        let parts: [JSONValue]
        switch self {
        case .equal(let field, let value): parts = [.string("eq"), Self.variable(field), Self.string(value)]
        case .startsWith(let field, let prefix):
            parts = [.string("starts-with"), Self.variable(field), Self.string(prefix)]
        case .contentLength(let range):
            parts = [.string("content-length-range"), .integer(range.lowerBound), .integer(range.upperBound)]
        }
        let texts = parts.map { String(decoding: $0.compact, as: UTF8.self) }
        return "[\(texts.joined(separator: ", "))]"
    }

    private static func variable(_ name: [UInt8]) -> JSONValue { string([UInt8(ascii: "$")] + name) }

    private static func string(_ bytes: [UInt8]) -> JSONValue { .string(String(decoding: bytes, as: UTF8.self)) }
}
