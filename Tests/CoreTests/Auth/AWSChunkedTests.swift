import Testing

@testable import Core

@Suite struct AWSChunkedTests {
    /// Runs the framing over `body` cut into `pieces`; the trace is data joined, and events as words.
    func decode(_ pieces: [ArraySlice<UInt8>], _ format: AWSChunkedFraming.Format) throws(S3Error) -> (
        [UInt8], [String]
    ) {
        var framing = AWSChunkedFraming(format)
        var data: [UInt8] = []
        var words: [String] = []
        for piece in pieces {
            let bytes = Array(piece)
            var position = 0
            while true {
                var event = AWSChunkedFraming.Event.needsInput
                var failure: S3Error?
                unsafe bytes.withUnsafeBytes { input in
                    do throws(S3Error) { event = try unsafe framing.next(input, &position) } catch { failure = error }
                }
                if let failure { throw failure }
                if event == .needsInput { break }
                switch event {
                case .needsInput: break
                case .chunk(let size, let signature): words.append("chunk \(size) \(signature?.count ?? 0)")
                case .data(let range): data += bytes[range]
                case .trailer(let name, let value):
                    words.append("\(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))")
                case .end: words.append("end")
                }
            }
        }
        guard framing.isDone else { throw AWSChunkedFraming.broken }
        return (data, words)
    }

    func format(_ size: Int64, signed: Bool = false, trailer: Bool = true) -> AWSChunkedFraming.Format {
        .init(decodedSizeBytes: size, isSigned: signed, hasTrailer: trailer)
    }

    @Test func `however a body is cut, the same comes out`() throws {
        let mark = ";chunk-signature=" + String(repeating: "a", count: 64)
        for (text, form) in [
            ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32: NhCmhg==\r\n\r\n", format(5)),
            ("5\(mark)\r\nhello\r\n0\(mark)\r\na:b\n\r\nX-B:c\r\n\r\n", format(5, signed: true)),
            ("0\r\n\r\n", format(0)), ("00B\r\n0\r\n\r\n0\r\n\r\nx\r\n0\r\n\r\n", format(11)),
        ] {
            let body = Array(text.utf8)
            let whole = try decode([body[...]], form)
            #expect(whole.1.last == "end")
            for cut in 0...body.count {
                for other in cut...body.count {
                    let again = try decode([body[..<cut], body[cut..<other], body[other...]], form)
                    #expect(again == whole)
                }
            }
            let single = try decode(body.indices.map { body[$0...$0] }, form)
            #expect(single == whole)
        }
    }

    @Test(arguments: [
        "A\ndummy data\r\n0\r\n\r\n", "A\r\ndummy data0\r\n\r\n", "A\r\nXYZ\r\ndummy data\r\n0\r\n\r\n",
        "B\r\ndummy data\r\n0\r\n\r\n", "A\r\ndummy data\r\n0\r\n", "A\r\ndummy data\r\n", "A\r\n", "", "\r\n",
        "A\r\ndummy data\r\n0\r\nx-amz-checksum-crc64nvme:dPVWc2vU1+Q=\r\n", "-A\r\ndummy data\r\n0\r\n\r\n",
        "A;x=y\r\ndummy data\r\n0\r\n\r\n", "size\r\ndummy data\r\n0\r\n\r\n", "A\r\ndummy data\r\nJ\r\n\r\n",
        "A\r\ndummy data\r\n0\r\n\r\nx", "A\r\ndummy data\r\n0\r\n\r\n0\r\n\r\n", "9\r\ndummy dat\r\n0\r\n\r\n",
        "0\r\n\r\n",
        "FFFFFFFFFFFFFFFF\r\ndummy data", "0000000000000000A\r\ndummy data\r\n0\r\n\r\n",
        "A\r\ndummy data\r\n1\r\nx\r\n0\r\n\r\n", " A\r\ndummy data\r\n0\r\n\r\n", "A\r\ndummy data\n0\r\n\r\n",
    ])
    func `broken framing is an incomplete body`(text: String) {
        let body = Array(text.utf8)
        #expect(refusal { try decode([body[...]], format(10)) } == .incompleteBody)
        #expect(refusal { try decode(body.indices.map { body[$0...$0] }, format(10)) } == .incompleteBody)
    }

    @Test func `signed chunks need their signature, unsigned bodies no trailer they did not announce`() {
        #expect(
            refusal { try decode([Array("5\r\nhello\r\n0\r\n\r\n".utf8)[...]], format(5, signed: true)) }
                == .incompleteBody)
        let short = Array("0;chunk-signature=abc\r\n\r\n".utf8)
        #expect(refusal { try decode([short[...]], format(0, signed: true)) } == .incompleteBody)
        let trailer = Array("0\r\na:b\r\n\r\n".utf8)
        #expect(refusal { try decode([trailer[...]], format(0, trailer: false)) } == .incompleteBody)
    }

    @Test func `a framing line ends at 256 bytes, trailers at sixteen`() throws {
        let longest = "x:" + String(repeating: "y", count: AWSChunkedFraming.maximumLineBytes - 2)
        _ = try decode([Array("0\r\n\(longest)\r\n\r\n".utf8)[...]], format(0))
        #expect(refusal { try decode([Array("0\r\n\(longest)y\r\n\r\n".utf8)[...]], format(0)) } == .incompleteBody)
        let endless = [UInt8](repeating: 0x30, count: 1 << 20)
        #expect(refusal { try decode([endless[...]], format(0)) } == .incompleteBody)
        let many = { (count: Int) in Array("0\r\n\(String(repeating: "x:y\r\n", count: count))\r\n".utf8)[...] }
        _ = try decode([many(16)], format(0))
        #expect(refusal { try decode([many(17)], format(0)) } == .malformedTrailer)
    }

    @Test(arguments: ["novalue", ":value", "a:b\u{1}c"])
    func `a trailer is a name and a value`(line: String) {
        #expect(refusal { try decode([Array("0\r\n\(line)\r\n\r\n".utf8)[...]], format(0)) } == .malformedTrailer)
    }

    @Test(arguments: [(8191, S3Error.Code.invalidChunkSize), (8192, nil)])
    func `only the last chunk may be short`(size: Int, wanted: S3Error.Code?) {
        let data = String(repeating: "x", count: size)
        let body = Array("\(String(size, radix: 16))\r\n\(data)\r\n1\r\ny\r\n0\r\n\r\n".utf8)
        #expect(refusal { try decode([body[...]], format(Int64(size) + 1)) } == wanted)
    }
}
