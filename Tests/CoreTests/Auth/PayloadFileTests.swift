import Foundation
import Synchronization
import Testing

@testable import Core

/// Bodies that stand in a spool file.
@Suite struct PayloadFileTests {
    let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }

    /// Calls `body` with a spool file of `bytes`, and removes it.
    func withSpool(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("s3gw-\(UUID().uuidString)").path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { unsafe unlink(path) }
        try body(path)
    }

    func verify(
        _ body: RequestBody, _ mode: PayloadMode, wantMD5: Bool = false, _ headers: (String, String)...
    ) throws -> VerifiedPayload {
        let request = try SignedRequest(headers: headers, body: body).anonymous()
        return try PayloadVerifier.verify(request, mode: mode, wantMD5: wantMD5)
    }

    func chunked(_ sizes: [Int]) -> [UInt8] {
        var framed: [UInt8] = []
        var rest = content[...]
        for size in sizes {
            framed += Array("\(String(size, radix: 16))\r\n".utf8) + rest.prefix(size) + [13, 10]
            rest = rest.dropFirst(size)
        }
        precondition(rest.isEmpty)
        return framed + Array("0\r\n\r\n".utf8)
    }

    func read(_ reader: PayloadReader, step: Int) throws -> [UInt8] {
        let buffer = ByteBuffer(sizeBytes: step)
        var all: [UInt8] = []
        while true {
            let count = try unsafe reader.read(into: buffer.bytes)
            unsafe all += Array(buffer.prefix(count))
            if count < step { return all }
        }
    }

    @Test(arguments: [[3_000_000], [8192, 8192, 2_983_616], [1_500_000, 1_499_999, 1], [65536, 16384, 2_918_080]])
    func `a chunked file reads as its content, at any step, twice`(sizes: [Int]) throws {
        let framed = chunked(sizes)
        try withSpool(framed) { path in
            let body = RequestBody.file(path: path, sizeBytes: Int64(framed.count))
            let payload = try verify(
                body, .streaming(nil, hasTrailer: true), wantMD5: true, ("x-amz-decoded-content-length", "3000000"))
            #expect(payload.md5 == Crypto.md5(content))
            for step in [4093, 131_072] {
                let reader = try payload.makeReader()
                #expect(try read(reader, step: step) == content)
                reader.rewind()
                #expect(try read(reader, step: step * 2) == content)
            }
        }
    }

    @Test func `many readers of one file run at once`() throws {
        let framed = chunked([65536, 1_000_000, 1_934_464])
        try withSpool(framed) { path in
            let payload = try verify(
                .file(path: path, sizeBytes: Int64(framed.count)), .streaming(nil, hasTrailer: true),
                ("x-amz-decoded-content-length", "3000000"))
            let rightReads = Atomic<Int>(0)
            let threads = (0..<4).map { number in
                Thread {
                    guard let reader = try? payload.makeReader() else { return }
                    if (try? read(reader, step: 10_000 + number)) == content {
                        rightReads.wrappingAdd(1, ordering: .sequentiallyConsistent)
                    }
                    _ = rightReads.load(ordering: .relaxed)
                }
            }
            for thread in threads { thread.start() }
            let deadline = Date().addingTimeInterval(30)
            while rightReads.load(ordering: .sequentiallyConsistent) < 4, Date() < deadline { usleep(10_000) }
            #expect(rightReads.load(ordering: .sequentiallyConsistent) == 4)
        }
    }

    @Test func `a plain file with nothing to verify is not read`() throws {
        try withSpool(content) { path in
            let body = RequestBody.file(path: path, sizeBytes: Int64(content.count))
            // The name is gone, as when the client left: whoever opened it now would fail.
            unsafe unlink(path)
            let payload = try verify(body, .unsigned)
            #expect(payload.decodedSizeBytes == 3_000_000 && payload.md5 == nil)
            #expect(refusal { try payload.makeReader() } == .incompleteBody)
            #expect(refusal { try verify(body, .unsigned, wantMD5: true) } == .incompleteBody)
        }
    }

    @Test func `a plain file is verified by its hash, and its MD5 comes when wanted or small`() throws {
        try withSpool(content) { path in
            let body = RequestBody.file(path: path, sizeBytes: Int64(content.count))
            let payload = try verify(body, .hash(Crypto.sha256(content)), wantMD5: true)
            #expect(payload.md5 == Crypto.md5(content))
            #expect(try read(payload.makeReader(), step: 100_000) == content)
            #expect(try verify(body, .hash(Crypto.sha256(content))).md5 == nil)
            #expect(refusal { try verify(body, .hash(Crypto.sha256([]))) } == .contentSHA256Mismatch)
        }
        let small = Array(content[..<1000])
        try withSpool(small) { path in
            let payload = try verify(.file(path: path, sizeBytes: 1000), .unsigned)
            #expect(payload.md5 == Crypto.md5(small))
        }
    }

    @Test func `a file that is not as long as it was said to be is an incomplete body`() throws {
        try withSpool(Array(content[..<1000])) { path in
            for size in [999, 1001] as [Int64] {
                #expect(refusal { try verify(.file(path: path, sizeBytes: size), .unsigned) } == .incompleteBody)
            }
        }
    }
}
