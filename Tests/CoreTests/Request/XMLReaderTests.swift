import Core
import Testing

@Suite struct XMLReaderTests {
    private func read(_ text: String) throws(S3Error) -> XMLElement {
        try XMLReader.parse(Array(text.utf8), root: "Delete")
    }

    @Test func `text keeps every byte and resolves references`() throws {
        let root = try read(
            """
            <?xml version="1.0" encoding="UTF-8"?><!-- c --><d:Delete xmlns:d="http://s3.amazonaws.com/doc/2006-03-01/">
            <Object><Key> a&amp;b&lt;&#x1;&#233;<![CDATA[<raw>]]></Key></Object><Quiet/></d:Delete>
            """)
        #expect(root.children("Object").first?.child("Key")?.text == Array(" a&b<\u{1}é<raw>".utf8))
        #expect(root.child("Quiet")?.text == [])
    }

    @Test(arguments: [
        "", "<Delete>", "<Delete></Other>", "<Other/>", "<Delete/><Delete/>", "<Delete/>x", "<Delete>&nbsp;</Delete>",
        "<!DOCTYPE a [<!ENTITY e \"x\">]><Delete/>", "<Delete a=b/>", "<Delete a='<'/>", "<Delete>&#0;</Delete>",
        "<Delete>&#xD800;</Delete>", "<Delete>\u{1}</Delete>", "<Delete>]]></Delete>", "<Delete><1/></Delete>",
        "<Delete>&#x;</Delete>", "<Delete>& </Delete>", "<Delete><![CDATA[</Delete>",
        "<Delete><![CDATA[\u{0}]]></Delete>", "<Delete><a:/></Delete>", "<Delete><:a/></Delete>",
        "<Delete><a:1/></Delete>",
        "<Delete><a:b:c/></Delete>", "<:Delete/>",
    ])
    func `anything less than a whole well-formed document is malformed`(text: String) {
        #expect(code { _ = try read(text) } == .malformedXML)
    }

    @Test func `line ends are one line feed, in CDATA too`() throws {
        #expect(try read("<Delete>a\r\nb\rc<![CDATA[d\r\ne\rf\n]]></Delete>").word == "a\nb\ncd\ne\nf\n")
    }

    @Test func `depth, size and encoding have bounds`() {
        let deep = String(repeating: "<a>", count: 20) + String(repeating: "</a>", count: 20)
        #expect(code { _ = try read("<Delete>\(deep)</Delete>") } == .malformedXML)
        #expect(
            code { _ = try XMLReader.parse(Array("<Delete/>".utf8), root: "Delete", maximumBytes: 8) } == .malformedXML)
        let bad = Array("<Delete>".utf8) + [0xFF] + Array("</Delete>".utf8)
        #expect(code { _ = try XMLReader.parse(bad, root: "Delete") } == .malformedXML)
    }

    @Test func `every prefix of a document is refused`() {
        let whole = Array("<Delete x='1'><Object><Key>k&amp;</Key></Object></Delete>".utf8)
        for length in 0..<whole.count {
            #expect(code { _ = try XMLReader.parse(Array(whole[..<length]), root: "Delete") } == .malformedXML)
        }
    }
}
