import Testing

@testable import Core

@Suite struct PostPolicyTests {
    static let expiration = #""expiration": "2030-01-01T00:00:00.000Z""#

    func policy(_ conditions: String, _ expiration: String = PostPolicyTests.expiration) throws(S3Error) -> PostPolicy {
        try PostPolicy(parsing: Array("{\(expiration), \"conditions\": \(conditions)}".utf8))
    }

    func check(_ conditions: String, _ fields: [(String, String)], exempt: String = "") throws(S3Error) {
        let fields = fields.map { FormField(name: Array($0.0.utf8), value: Array($0.1.utf8)) }
        try policy(conditions).check(fields) { $0.elementsEqual(exempt.utf8) }
    }

    func refusalText(_ body: () throws(S3Error) -> Void) -> String? {
        do throws(S3Error) {
            try body()
            return nil
        } catch { return error.code == .accessDenied ? error.message : "\(error.code.name): \(error.message)" }
    }

    @Test(arguments: [
        (#"[{"acl": "private"}]"#, "acl", "private", true), (#"[{"acl": "private"}]"#, "acl", "Private", false),
        (#"[{"ACL": "private"}]"#, "acl", "private", true), (#"[["eq", "$acl", "private"]]"#, "acl", "private", true),
        (#"[["EQ", "$aCl", "private"]]"#, "acl", "private", true), (#"[["eq", "$acl", ""]]"#, "acl", "", true),
        (#"[["eq", "$acl", "private"]]"#, "acl", "privat", false),
        (#"[["starts-with", "$key", "up/"]]"#, "key", "up/x", true),
        (#"[["StArTs-WiTh", "$KeY", "up/"]]"#, "key", "up/", true),
        (#"[["starts-with", "$key", "up/"]]"#, "key", "UP/x", false),
        (#"[["starts-with", "$key", "up/"]]"#, "key", "up", false),
        (#"[["starts-with", "$key", ""]]"#, "key", "anything", true),
        (#"[["starts-with", "$key", "a"], ["starts-with", "$key", "ab"]]"#, "key", "abc", true),
        (#"[["starts-with", "$key", "a"], ["starts-with", "$key", "ab"]]"#, "key", "ac", false),
        (#"[["starts-with", "$content-type", "image/"]]"#, "content-type", "image/jpg, image/png", true),
        (#"[["starts-with", "$content-type", "image/"]]"#, "content-type", "image/jpg,video/mpg", false),
        (#"[["starts-with", "$content-type", "image/"]]"#, "content-type", "image/jpg,", false),
        (#"[["starts-with", "$key", "image/"]]"#, "key", "image/jpg,video/mpg", true),
        (#"[["starts-with", "$key", "\$a\v"],]"#, "key", "$a\u{B}c", true),
        (#"[{"key": "e\u0301"}]"#, "key", "\u{E9}", false), (#"[{"key": "e\u0301"}]"#, "key", "e\u{301}", true),
    ])
    func `a field meets its conditions or not`(conditions: String, field: String, value: String, holds: Bool) throws {
        #expect((refusal { try check(conditions, [(field, value)]) } == nil) == holds)
    }

    @Test func `the refusal names the condition or the fields, as S3 does`() {
        #expect(
            refusalText { () throws(S3Error) in try check(#"[{"acl": "public-read"}]"#, [("acl", "private")]) }
                == #"Invalid according to Policy: Policy Condition failed: ["eq", "$acl", "public-read"]"#)
        #expect(
            refusalText { () throws(S3Error) in try check(#"[["starts-with", "$key", "a\"b"]]"#, [("key", "c")]) }
                == #"Invalid according to Policy: Policy Condition failed: ["starts-with", "$key", "a\"b"]"#)
        #expect(
            refusalText { () throws(S3Error) in
                try check(#"[{"key": "k"}]"#, [("key", "k"), ("x-amz-meta-a", "1"), ("other", "")])
            } == "Invalid according to Policy: Extra input fields: x-amz-meta-a, other")
    }

    @Test func `a condition on a field that was not sent fails, even on an empty value`() {
        for conditions in [#"[{"acl": ""}]"#, #"[["starts-with", "$acl", ""]]"#] {
            #expect(refusal { try check(conditions, []) } == .accessDenied)
        }
    }

    @Test func `only exempt fields need no condition`() {
        #expect(refusal { try check("[]", [("policy", "x")], exempt: "policy") } == nil)
        #expect(refusal { try check("[]", [("policy", "x")], exempt: "polic") } == .accessDenied)
        #expect(refusal { try check(#"[["content-length-range", 0, 9]]"#, [("a", "x")]) } == .accessDenied)
    }

    @Test func `the size of the file has its range, both ends inside`() throws {
        let policy = try policy(#"[["content-length-range", 2, "4"], ["content-length-range", 1, 3]]"#)
        #expect((2...3).allSatisfy { size in refusal { try policy.checkSize(size) } == nil })
        #expect(refusal { try policy.checkSize(1) } == .entityTooSmall)
        #expect(refusal { try policy.checkSize(4) } == .entityTooLarge)
        #expect(refusal { try policy.checkSize(5) } == .entityTooLarge)
    }

    @Test func `it holds up to its expiration`() throws {
        for text in ["2030-01-01T00:00:00.000Z", "2030-01-01T00:00:00Z"] {
            let policy = try policy("[]", "\"expiration\": \"\(text)\"")
            let end = Timestamp(milliseconds: 1_893_456_000_000)
            #expect(policy.expiration == end)
            #expect(refusal { try policy.checkTime(Timestamp(milliseconds: end.milliseconds - 1)) } == nil)
            #expect(refusal { try policy.checkTime(end) } == .accessDenied)
        }
    }

    @Test(arguments: [
        "", "x", "[]", "null", "{", "{}", #"{"expiration": "2030-01-01T00:00:00.000Z"}"#, #"{"conditions": []}"#,
        #"{"EXPIRATION": "2030-01-01T00:00:00.000Z", "conditions": []}"#,
        #"{"expiration": "2030-01-01T00:00:00.000Z", "CONDITIONS": []}"#,
        #"{"expiration": "2030-01-01T00:00:00.000Z", "conditions": [], "more": 1}"#,
        #"{"expiration": "2030-01-01 00:00:00", "conditions": []}"#, #"{"expiration": 1893456000, "conditions": []}"#,
        #"{"expiration": "2030-01-01T00:00:00.Z", "conditions": []}"#,
        #"{"expiration": "2030-02-30T00:00:00Z", "conditions": []}"#,
        #"{"expiration": "2030-01-01T00:00:00+00:00", "conditions": []}"#,
    ])
    func `what is no policy is refused`(text: String) {
        #expect(refusal { try PostPolicy(parsing: Array(text.utf8)) } == .invalidPolicyDocument)
    }

    @Test(arguments: [
        "{}", "null", #"["x"]"#, "[[]]", "[{}]", #"[{"acl": 1}]"#, #"[{"acl": ["private"]}]"#,
        #"[{"a": "b", "c": "d"}]"#,
        #"[["eq", "$acl"]]"#, #"[["eq", "acl", "private"]]"#, #"[["eq", "$", "private"]]"#, #"[["eq", "$acl", 1]]"#,
        #"[["eq", "$acl", "a", "b"]]"#, #"[["ends-with", "$acl", "a"]]"#, #"[[1, 2, 3]]"#, #"[{"": "x"}]"#,
        #"[["content-length-range", 0]]"#, #"[["content-length-range", -1, 0]]"#, #"[["content-length-range", 2, 1]]"#,
        #"[["content-length-range", 0, 1.5]]"#, #"[["content-length-range", "a", "b"]]"#,
        #"[["content-length-range", 0, 99999999999999999999]]"#, #"[["content-length-range", "+1", 2]]"#,
    ])
    func `what is no condition is refused`(conditions: String) {
        #expect(refusal { try policy(conditions) } == .invalidPolicyDocument)
    }
}
