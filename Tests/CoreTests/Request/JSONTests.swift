import Core
import Testing

@Suite struct JSONTests {
    @Test func `every kind of value is read and written back`() throws {
        let text =
            #"{"a":[1,-2.5e3,true,false,null,"x"],"b":{},"c":[],"d":9223372036854775807,"e":9223372036854775808}"#
        let value = try JSONReader.read(Array(text.utf8))
        #expect(String(decoding: value.compact, as: UTF8.self) == text)
        #expect(try JSONReader.read(value.indented) == value)
        #expect(value["d"] == .integer(.max) && value["e"] == .decimal("9223372036854775808"))
    }

    @Test func `escapes become characters, and dangerous characters escapes`() throws {
        let value = try JSONReader.read(Array(#""\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00""#.utf8))
        #expect(value == .string("\"\\/\u{8}\u{C}\n\r\tä😀"))
        #expect(
            String(decoding: JSONValue.string("a\u{1B}\n\"\u{7F}").compact, as: UTF8.self) == #""a\u001b\n\"\u007f""#)
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "1 2", "01", "+1", "1.", ".5", "1e", "-",
        "tru",
        "nul", "True", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"",
        "\"\n\"",
        "'a'", "// x\n1", "[1 2]", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "NaN", "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
    ])
    func `what RFC 8259 does not allow is refused`(text: String) {
        #expect(throws: JSONReader.SyntaxError.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func `bytes that are no text are refused`() {
        #expect(throws: JSONReader.SyntaxError.self) { try JSONReader.read([0x22, 0xC3, 0x28, 0x22]) }
        #expect(throws: JSONReader.SyntaxError.self) { try JSONReader.read([0x22, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test func `depth and length are bounded before anything is decoded`() throws {
        let nested = { (depth: Int) in [UInt8](repeating: 0x5B, count: depth) + [UInt8](repeating: 0x5D, count: depth) }
        _ = try JSONReader.read(nested(32))
        #expect(throws: JSONReader.SyntaxError.self) { try JSONReader.read(nested(33)) }
        #expect(throws: JSONReader.SyntaxError.self) { try JSONReader.read(nested(30_000)) }
        let padded = { (count: Int) in [0x31] + [UInt8](repeating: 0x20, count: count - 1) }
        _ = try JSONReader.read(padded(65_536))
        #expect(throws: JSONReader.SyntaxError.self) { try JSONReader.read(padded(65_537)) }
    }

    @Test func `an error names line and column`() {
        #expect {
            try JSONReader.read(Array("{\n  \"a\": 1,\n  \"a\": 2\n}".utf8))
        } throws: {
            ($0 as? JSONReader.SyntaxError)?.description
                == "line 3, column 3: the member \"a\" stands twice in one object"
        }
    }
}
