/// Reading one condition of a POST policy.
extension PostPolicy {
    /// `{"acl": "private"}`, `["eq", "$acl", "private"]`, `["starts-with", "$key", ""]` or
    /// `["content-length-range", 1, 1024]`.
    static func condition(_ element: JSONValue) throws(S3Error) -> Condition {
        switch element {
        case .object(let members):
            guard members.count == 1 else {
                throw invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
            }
            guard case .string(let value) = members[0].value else {
                throw invalid("Invalid Simple-Condition: value must be a string.")
            }
            return .equal(field: try fieldName(members[0].name.utf8), value: Array(value.utf8))
        case .array(let parts):
            guard case .string(let operation)? = parts.first, parts.count == 3 else {
                throw invalid("Invalid Condition: a condition has an operation and two arguments.")
            }
            let name = operation.utf8.map(ASCII.lower)
            if name.elementsEqual("content-length-range".utf8) { return try contentLength(parts[1], parts[2]) }
            guard case .string(let variable) = parts[1], variable.utf8.first == UInt8(ascii: "$"),
                case .string(let value) = parts[2]
            else {
                throw invalid("Invalid Condition: the arguments must be a field, such as $key, and a string.")
            }
            let field = try fieldName(variable.utf8.dropFirst())
            if name.elementsEqual("eq".utf8) { return .equal(field: field, value: Array(value.utf8)) }
            if name.elementsEqual("starts-with".utf8) { return .startsWith(field: field, prefix: Array(value.utf8)) }
            throw invalid("Invalid Condition: unknown operation '\(operation)'.")
        default:
            throw invalid("Invalid Condition: must be a List or an Object.")
        }
    }

    /// Field names have no case.
    private static func fieldName(_ name: some Collection<UInt8>) throws(S3Error) -> [UInt8] {
        guard !name.isEmpty else { throw invalid("Invalid Condition: a field has no name.") }
        return name.map(ASCII.lower)
    }

    private static func contentLength(_ first: JSONValue, _ last: JSONValue) throws(S3Error) -> Condition {
        guard let minimum = size(first), let maximum = size(last), minimum <= maximum else {
            throw invalid("Invalid content-length-range: the arguments must be a minimum and a maximum.")
        }
        return .contentLength(minimum...maximum)
    }

    /// A number, or a string of digits as form generators in languages without types write it.
    private static func size(_ value: JSONValue) -> Int64? {
        switch value {
        case .integer(let number): number >= 0 ? number : nil
        case .string(let digits): DecimalNumber.parse(Array(digits.utf8)).map(Int64.init)
        default: nil
        }
    }
}
