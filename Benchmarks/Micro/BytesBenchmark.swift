import Core

/// What it costs to look at every byte of a body.
enum BytesBenchmark {
    private static let sizeBytes = 4 << 20
    private static let chunkBytes = 64 << 10

    static func run() throws -> [Measurement] {
        let content = Crypto.randomBytes(sizeBytes)
        var measurements = ChecksumAlgorithm.allCases.map { algorithm in
            Measurement(algorithm.rawValue, bytes: sizeBytes) {
                var stream = ChecksumStream(algorithm)
                unsafe content.withUnsafeBytes { bytes in unsafe stream.update(bytes) }
                require(!stream.finish().value.isEmpty, "a checksum has a value")
            }
        }
        measurements.append(
            Measurement("MD5", bytes: sizeBytes) { require(Crypto.md5(content).count == 16, "MD5 has 16 bytes") })
        measurements.append(try unsignedChunks(content))
        measurements.append(try signedChunks(content))
        return measurements
    }

    private static func signedChunks(_ content: [UInt8]) throws -> Measurement {
        let request = try SigningClient().chunked(content, chunkBytes: chunkBytes)
        let mode = try SignatureBenchmark().verify(request)
        return try Measurement("aws-chunked, signed chunks of 64 KiB", bytes: sizeBytes) {
            let payload = try PayloadVerifier.verify(request, mode: mode, wantMD5: false)
            require(payload.decodedSizeBytes == Int64(sizeBytes), "the whole body is there")
        }
    }

    /// What today's SDKs send over TLS: unsigned chunks and a CRC32 in the trailer.
    private static func unsignedChunks(_ content: [UInt8]) throws -> Measurement {
        var checksum = ChecksumStream(.crc32)
        unsafe content.withUnsafeBytes { bytes in unsafe checksum.update(bytes) }
        var body: [UInt8] = []
        for start in stride(from: 0, to: content.count, by: chunkBytes) {
            body += Array("\(String(chunkBytes, radix: 16))\r\n".utf8) + content[start..<(start + chunkBytes)]
            body += [0x0D, 0x0A]
        }
        body += Array("0\r\nx-amz-checksum-crc32:".utf8) + Base64.encode(checksum.finish().value)
        body += Array("\r\n\r\n".utf8)
        var headers = HeaderFields()
        try headers.add("x-amz-decoded-content-length", Array(String(content.count).utf8))
        try headers.add("x-amz-trailer", Array("x-amz-checksum-crc32".utf8))
        let request = HTTPRequest(
            id: RequestID(), method: .put, target: try RequestTarget(parsing: Array("/bench/key".utf8)),
            headers: headers, body: .memory(body), site: SiteSettings(), isHTTPS: false, remoteAddress: "127.0.0.1",
            receivedAt: .now())
        return try Measurement("aws-chunked, unsigned chunks, CRC32 trailer", bytes: sizeBytes) {
            let payload = try PayloadVerifier.verify(request, mode: .streaming(nil, hasTrailer: true), wantMD5: false)
            require(payload.decodedSizeBytes == Int64(sizeBytes), "the whole body is there")
        }
    }
}
