import Core

/// How fast content is hashed, summed and decoded.
enum ContentBenchmark {
    private static let pieceBytes = 1 << 20
    private static let count = 16

    static func run() -> [String] {
        let content = (0..<pieceBytes).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        var lines = ChecksumAlgorithm.allCases.map { algorithm in
            var stream = ChecksumStream(algorithm)
            return rate("checksum \(algorithm.rawValue)") {
                unsafe content.withUnsafeBytes { unsafe stream.update($0) }
            }
        }
        var md5 = MD5Stream()
        lines.append(rate("checksum MD5") { md5.update(content) })
        lines.append(chunked(content))
        return lines
    }

    /// An aws-chunked body as boto3 sends it over TLS: one verifying pass with CRC32, then one decoding pass.
    private static func chunked(_ content: [UInt8]) -> String {
        var stream = ChecksumStream(.crc32)
        unsafe content.withUnsafeBytes { unsafe stream.update($0) }
        let framed =
            Array("\(String(content.count, radix: 16))\r\n".utf8) + content
            + Array("\r\n0\r\nx-amz-checksum-crc32:\(stream.finish().base64)\r\n\r\n".utf8)
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 * 1024, alignment: 16)
        defer { unsafe piece.deallocate() }
        do throws(S3Error) {
            var headers = HeaderFields()
            try headers.add("x-amz-decoded-content-length", Array(String(content.count).utf8))
            try headers.add("x-amz-trailer", Array("x-amz-checksum-crc32".utf8))
            let request = HTTPRequest(
                id: RequestID(), method: .put, target: try RequestTarget(parsing: Array("/b/k".utf8)), headers: headers,
                body: .memory(framed), site: SiteSettings(), isHTTPS: true, remoteAddress: "127.0.0.1",
                receivedAt: Timestamp(milliseconds: 0))
            var failures = 0
            let line = rate("aws-chunked with CRC32 and MD5, verified and decoded") {
                do throws(S3Error) {
                    let payload = try PayloadVerifier.verify(
                        request, mode: .streaming(nil, hasTrailer: true), wantMD5: false)
                    let reader = try payload.makeReader()
                    while try unsafe reader.read(into: piece) > 0 {}
                } catch { failures += 1 }
            }
            precondition(failures == 0, "a good body was refused")
            return line
        } catch {
            return "aws-chunked failed: \(error)"
        }
    }

    private static func rate(_ name: String, _ body: () -> Void) -> String {
        let value = Stopwatch.microseconds(count: count, body)
        return Stopwatch.line(name, Double(pieceBytes) / value, "MB/s")
    }
}
