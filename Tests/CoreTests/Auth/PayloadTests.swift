import Foundation
import Testing

@testable import Core

@Suite struct PayloadTests {
    func request(_ body: RequestBody, _ headers: [(String, String)]) throws -> HTTPRequest {
        try SignedRequest(headers: headers, body: body).anonymous()
    }

    func verify(
        _ text: String, _ mode: PayloadMode = .unsigned, _ headers: (String, String)...
    ) throws -> VerifiedPayload {
        try PayloadVerifier.verify(request(.memory(Array(text.utf8)), headers), mode: mode, wantMD5: false)
    }

    func content(_ payload: VerifiedPayload, step: Int = 7) throws -> [UInt8] {
        let reader = try payload.makeReader()
        let buffer = ByteBuffer(sizeBytes: step)
        var content: [UInt8] = []
        while true {
            let count = try unsafe reader.read(into: buffer.bytes)
            guard count > 0 else { return content }
            unsafe content += Array(buffer.prefix(count))
        }
    }

    let unsignedTrailer = PayloadMode.streaming(nil, hasTrailer: true)
    let hello = "5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:M3eFcAZSQlc=\r\n\r\n"
    let length5 = ("x-amz-decoded-content-length", "5")
    let trailer64 = ("x-amz-trailer", "x-amz-checksum-crc64nvme")

    // MARK: Vectors

    @Test(arguments: SigV4Vector.all.filter { $0.kind.hasPrefix("chunked") && $0.id != "crt-three-trailers" })
    func `the chunked vectors verify, and read back`(vector: SigV4Vector) throws {
        let request = try vector.request(signature: vector.signature, body: .memory(vector.framedBody))
        let answer = try Authenticator(signingKeys: SigningKeyCache()).check(
            request, now: vector.moment, vector.credential)
        let payload = try PayloadVerifier.verify(request, mode: answer.payload, wantMD5: true)
        #expect(payload.decodedSizeBytes == Int64(vector.bodyBytes.count))
        #expect(payload.md5 == Crypto.md5(vector.bodyBytes))
        #expect(payload.checksum?.base64 == vector.trailers?.first?[1])
        for step in [1, 1000, 20_000, 1 << 20] where step > 1 || vector.bodyBytes.count < 10_000 {
            #expect(try content(payload, step: step) == vector.bodyBytes)
        }
    }

    @Test(arguments: SigV4Vector.all.filter { $0.trailer_signature != nil })
    func `the trailer vectors verify, also in the form that the API reference prints`(vector: SigV4Vector) throws {
        let key = SigningKey(
            secret: vector.secret, date: vector.date.utf8.prefix(8), region: Array(vector.regionName.utf8))
        let signing = ChunkSigning(
            key: key, date: Array(vector.date.utf8), scope: Array(vector.scope.utf8),
            seedSignature: Array(vector.signature.utf8))
        let format = AWSChunkedFraming.Format(
            decodedSizeBytes: Int64(vector.bodyBytes.count), isSigned: true, hasTrailer: true)
        let mode = PayloadMode.streaming(signing, hasTrailer: true)
        var digests = ContentDigests()
        let trailers = try PayloadVerifier.readChunked(.memory(vector.framedBody), format, mode, &digests)
        #expect(trailers.map { String(decoding: $0.name, as: UTF8.self) } == vector.trailers?.map { $0[0] })
        let name = Array((vector.trailers?.last?[1] ?? "").utf8)
        let printed = vector.framedBody.replacing(name + [13, 10], with: name + [10, 13, 10])
        #expect(printed != vector.framedBody)
        _ = try PayloadVerifier.readChunked(.memory(printed), format, mode, &digests)
        // Nobody signed what stands behind the signature.
        let more = vector.framedBody.dropLast(2) + Array("x-amz-meta-a:b\r\n\r\n".utf8)
        let body = RequestBody.memory(Array(more))
        #expect(refusal { try PayloadVerifier.readChunked(body, format, mode, &digests) } == .malformedTrailer)
    }

    // MARK: What a good signer signs passes, any flipped byte fails

    @Test(arguments: SigV4Vector.all.filter { $0.trailer_signature != nil || $0.kind == "chunked" })
    func `any flipped byte of a signed body is refused`(vector: SigV4Vector) throws {
        let key = SigningKey(
            secret: vector.secret, date: vector.date.utf8.prefix(8), region: Array(vector.regionName.utf8))
        let signing = ChunkSigning(
            key: key, date: Array(vector.date.utf8), scope: Array(vector.scope.utf8),
            seedSignature: Array(vector.signature.utf8))
        let format = AWSChunkedFraming.Format(
            decodedSizeBytes: Int64(vector.bodyBytes.count), isSigned: true, hasTrailer: vector.trailers != nil)
        let mode = PayloadMode.streaming(signing, hasTrailer: vector.trailers != nil)
        let body = vector.framedBody
        var generator = SeededGenerator(seed: 20_261_122)
        // All of the framing at both ends, and samples of the data between.
        var places = Array(body.indices.prefix(90)) + Array(body.indices.suffix(300))
        for _ in 0..<40 { places.append(Int.random(in: body.indices, using: &generator)) }
        for place in Set(places) {
            var broken = body
            broken[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            if Self.meansTheSame(broken, body, at: place) { continue }
            var digests = ContentDigests()
            #expect(throws: S3Error.self, "byte \(place)") {
                try PayloadVerifier.readChunked(.memory(broken), format, mode, &digests)
            }
        }
        for count in [0, 1, 85, body.count / 2, body.count - 2, body.count - 1] where count < body.count {
            var digests = ContentDigests()
            #expect(throws: S3Error.self) {
                try PayloadVerifier.readChunked(.memory(Array(body[..<count])), format, mode, &digests)
            }
        }
    }

    /// A flipped case bit in the hex digits of a size, or in a trailer's name, is another spelling of the same.
    static func meansTheSame(_ broken: [UInt8], _ body: [UInt8], at place: Int) -> Bool {
        guard broken[place] ^ body[place] == 0x20 else { return false }
        let lineStart = (body[..<place].lastIndex(of: 0x0A) ?? -1) + 1
        let isSize = body[lineStart...place].allSatisfy { Hex.value($0) != nil }
        let isName = body[lineStart...place].allSatisfy {
            ($0 | 0x20) >= 0x61 || $0 == 0x2D || (0x30...0x39).contains($0)
        }
        return (isSize || isName) && (body[place] | 0x20) >= 0x61 && (body[place] | 0x20) <= 0x7A
    }

    // MARK: Claims about the content

    @Test func `a right hash, MD5 and checksum pass together`() throws {
        let payload = try verify(
            "hello", .hash(Crypto.sha256(Array("hello".utf8))), ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
            ("x-amz-checksum-crc32", "NhCmhg=="), ("x-amz-sdk-checksum-algorithm", "crc32"))
        #expect(payload.checksum == ObjectChecksum(algorithm: .crc32, base64: Array("NhCmhg==".utf8)))
        #expect(payload.md5 == Crypto.md5(Array("hello".utf8)) && payload.sha256 == Crypto.sha256(Array("hello".utf8)))
        #expect(try payload.bytes(atMost: 5) == Array("hello".utf8))
        #expect(refusal { try payload.bytes(atMost: 4) } == .maxMessageLengthExceeded)
    }

    @Test func `a wrong hash, MD5 or checksum is refused`() {
        #expect(refusal { try verify("hellO", .hash(Crypto.sha256(Array("hello".utf8)))) } == .contentSHA256Mismatch)
        #expect(refusal { try verify("hellO", .unsigned, ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")) } == .badDigest)
        #expect(refusal { try verify("hellO", .unsigned, ("x-amz-checksum-crc32", "NhCmhg==")) } == .badDigest)
        #expect(refusal { try verify("", .hash(Crypto.sha256([0]))) } == .contentSHA256Mismatch)
    }

    @Test(arguments: ["", "x", "XUFAKrxLKna5cZ2REBfF", "XUFAKrxLKna5cZ2REBfFkg", "5d41402abc4b2a76b9719d911017c592"])
    func `a Content-MD5 that cannot be one is invalid`(value: String) {
        #expect(refusal { try verify("hello", .unsigned, ("content-md5", value)) } == .invalidDigest)
    }

    @Test(arguments: [
        [("x-amz-checksum-crc32", "NhCmhg=")], [("x-amz-checksum-crc32", "NhCmhgA=")],
        [("x-amz-checksum-sha512", "AA==")],
        [("x-amz-checksum-crc32", "NhCmhg=="), ("x-amz-checksum-crc32c", "mnG7TA==")],
        [("x-amz-sdk-checksum-algorithm", "CRC32")],
        [("x-amz-sdk-checksum-algorithm", "x"), ("x-amz-checksum-crc32", "NhCmhg==")],
        [("x-amz-sdk-checksum-algorithm", "SHA1"), ("x-amz-checksum-crc32", "NhCmhg==")],
        [("x-amz-trailer", "x-amz-meta-a")],
    ])
    func `checksum headers that contradict themselves are invalid`(headers: [(String, String)]) throws {
        let request = try request(.memory(Array("hello".utf8)), headers)
        #expect(refusal { try PayloadVerifier.verify(request, mode: .unsigned, wantMD5: false) } == .invalidRequest)
    }

    // MARK: Trailers

    @Test func `a checksum in the trailer is verified and kept`() throws {
        let payload = try verify(hello, unsignedTrailer, length5, trailer64)
        #expect(payload.checksum?.base64 == "M3eFcAZSQlc=" && payload.decodedSizeBytes == 5)
        #expect(try content(payload) == Array("hello".utf8))
        let plain = try verify("5\r\nhello\r\n0\r\n\r\n", unsignedTrailer, length5)
        #expect(plain.checksum == nil)
        let header = try verify(
            "5\r\nhello\r\n0\r\n\r\n", unsignedTrailer, length5, ("x-amz-checksum-crc32", "NhCmhg=="))
        #expect(header.checksum?.algorithm == .crc32)
    }

    @Test func `a trailer that is missing, other or unannounced is malformed`() {
        let without = "5\r\nhello\r\n0\r\n\r\n"
        let other = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
        #expect(refusal { try verify(without, unsignedTrailer, length5, trailer64) } == .malformedTrailer)
        #expect(refusal { try verify(other, unsignedTrailer, length5, trailer64) } == .malformedTrailer)
        #expect(refusal { try verify(hello, unsignedTrailer, length5) } == .malformedTrailer)
        #expect(refusal { try verify("hello", .unsigned, trailer64) } == .malformedTrailer)
        let twice =
            String(decoding: hello.utf8.dropLast(2), as: UTF8.self) + "x-amz-checksum-crc64nvme:M3eFcAZSQlc=\r\n\r\n"
        #expect(refusal { try verify(twice, unsignedTrailer, length5, trailer64) } == .malformedTrailer)
        let signed = "5\r\nhello\r\n0\r\nx-amz-trailer-signature:00\r\n\r\n"
        #expect(refusal { try verify(signed, unsignedTrailer, length5) } == .malformedTrailer)
    }

    @Test func `a wrong trailer is a bad digest, an impossible one invalid, and one beside a header too many`() {
        let wrong = "5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:QFRKMGE3tuw=\r\n\r\n"
        let impossible = "5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:invalid\r\n\r\n"
        #expect(refusal { try verify(wrong, unsignedTrailer, length5, trailer64) } == .badDigest)
        #expect(refusal { try verify(impossible, unsignedTrailer, length5, trailer64) } == .invalidRequest)
        let header = ("x-amz-checksum-crc64nvme", "M3eFcAZSQlc=")
        #expect(refusal { try verify(hello, unsignedTrailer, length5, trailer64, header) } == .invalidRequest)
    }

    @Test(arguments: ["", "abc", "12x", "-5", "+5", "99999999999999999999"])
    func `the decoded length is needed`(length: String) {
        let header = ("x-amz-decoded-content-length", length)
        #expect(refusal { try verify(hello, unsignedTrailer, header, trailer64) } == .missingContentLength)
        #expect(refusal { try verify(hello, unsignedTrailer, trailer64) } == .missingContentLength)
    }

    @Test func `a body over the site's limit is refused before it is read`() throws {
        var request = try request(.file(path: "/nowhere", sizeBytes: 11 << 30), [])
        #expect(refusal { try PayloadVerifier.verify(request, mode: .unsigned, wantMD5: false) } == .entityTooLarge)
        request = try self.request(.empty, [("x-amz-decoded-content-length", "\(6 << 30)")])
        #expect(
            refusal { try PayloadVerifier.verify(request, mode: unsignedTrailer, wantMD5: false) } == .entityTooLarge)
    }
}

/// The same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
