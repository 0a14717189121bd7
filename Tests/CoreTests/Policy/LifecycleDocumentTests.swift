import Testing

@testable import Core

/// Reading and writing of configurations; the codes of refusals are in `test_lifecycle.py` too, as clients see them.
@Suite struct LifecycleDocumentTests {
    private func read(_ inside: String) throws(S3Error) -> Lifecycle {
        try Lifecycle(parsing: Array("<LifecycleConfiguration>\(inside)</LifecycleConfiguration>".utf8))
    }

    private static let days = "<Expiration><Days>1</Days></Expiration>"
    private static let abort =
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>4</DaysAfterInitiation></AbortIncompleteMultipartUpload>"

    @Test(arguments: [
        "<Filter/>\(days)", "<Filter><Prefix/></Filter>\(days)", "<Prefix>a&amp;b&#13;</Prefix>\(days)",
        "<Filter><Tag><Key>a</Key><Value/></Tag></Filter>\(days)", "<Filter/>\(abort)",
        "<Filter><And><Prefix>p</Prefix><ObjectSizeGreaterThan>0</ObjectSizeGreaterThan></And></Filter>\(days)",
        "<Filter><ObjectSizeLessThan>1</ObjectSizeLessThan></Filter>\(days)",
        "<Filter/><Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>",
        "<Filter/><Expiration><Date>2030-01-01T00:00:00+00:00</Date></Expiration>",
        "<Filter/><Expiration><Date>2030-01-01</Date></Expiration>",
        "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>\(abort)",
        """
        <Filter/><NoncurrentVersionExpiration><NoncurrentDays> 5
        </NoncurrentDays><NewerNoncurrentVersions>100</NewerNoncurrentVersions></NoncurrentVersionExpiration>
        """,
    ])
    func `what is told reads as what was meant`(inside: String) throws {
        for status in ["Enabled", "Disabled"] {
            let given = try read("<Rule><ID>a &lt; b</ID>\(inside)<Status>\(status)</Status></Rule>")
            #expect(given.rules[0].isEnabled == (status == "Enabled"))
            #expect(try Lifecycle(parsing: given.document.bytes) == given)
        }
    }

    @Test func `dates are told as midnights`() throws {
        for text in ["2030-01-01", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00.000Z", "2030-01-01T00:00:00+00:00"] {
            let lifecycle = try read(
                "<Rule><Status>Enabled</Status><Filter/><Expiration><Date>\(text)</Date></Expiration></Rule>")
            let told = String(decoding: lifecycle.document.bytes, as: UTF8.self)
            #expect(told.contains("<Date>2030-01-01T00:00:00.000Z</Date>"))
        }
    }

    @Test func `an id may be as long as 255 characters, of any script`() throws {
        func rule(_ id: String) -> String { "<Rule><ID>\(id)</ID><Status>Enabled</Status><Filter/>\(Self.days)</Rule>" }
        #expect(try read(rule(String(repeating: "é", count: 255))).rules[0].id.count == 510)
        #expect(code { _ = try read(rule(String(repeating: "é", count: 256))) } == .invalidArgument)
        #expect(code { _ = try read(rule("a") + rule("b") + rule("a")) } == .invalidArgument)
        #expect(try read(rule("") + rule("")).rules.count == 2)
    }

    @Test(arguments: ["Transition", "NoncurrentVersionTransition"])
    func `a transition is not implemented, whatever else is wrong`(name: String) {
        #expect(code { _ = try read("<Rule><\(name)><Days>1</Days></\(name)></Rule>") } == .notImplemented)
    }

    @Test func `the largest configuration reads back, however long its own words are`() throws {
        let prefix = String(repeating: "&", count: 1000)
        let rule = "<Rule><Status>Enabled</Status><Prefix><![CDATA[\(prefix)]]></Prefix>\(Self.days)</Rule>"
        let given = try read(String(repeating: rule, count: 900))
        let told = given.document.bytes
        #expect(told.count > XMLReader.maximumBytes)
        #expect(try Lifecycle(parsing: told) == given)
    }
}
