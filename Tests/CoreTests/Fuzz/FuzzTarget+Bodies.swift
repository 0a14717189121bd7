@testable import Core

extension FuzzTarget {
    /// A first byte of flags (1: signed, 2: trailer), two bytes of declared length, then an aws-chunked body.
    ///
    /// However it is cut, it reads the same; and what was verified is what a reader then reads.
    static func chunked(_ bytes: [UInt8]) -> String? {
        guard bytes.count >= 3 else { return nil }
        let format = AWSChunkedFraming.Format(
            decodedSizeBytes: Int64(bytes[1]) << 8 | Int64(bytes[2]), isSigned: bytes[0] & 1 != 0,
            hasTrailer: bytes[0] & 2 != 0)
        let body = Array(bytes[3...])
        let whole = Outcome { () throws(S3Error) in try frames(body, format, step: body.count) }
        for step in [1, 7] {
            let cut = Outcome { () throws(S3Error) in try frames(body, format, step: step) }
            guard cut == whole else { return "in steps of \(step): \(cut), whole: \(whole)" }
        }
        guard !format.isSigned else { return nil }
        let verified = Outcome { () throws(S3Error) in try content(body, format) }
        guard let content = verified.value else { return nil }
        guard Int64(content.count) == format.decodedSizeBytes, content == whole.value else {
            return "a verified body reads otherwise"
        }
        return nil
    }

    private static func frames(
        _ body: [UInt8], _ format: AWSChunkedFraming.Format, step: Int
    ) throws(S3Error) -> [UInt8] {
        var framing = AWSChunkedFraming(format)
        var data: [UInt8] = []
        var start = 0
        while start < body.count {
            let piece = Array(body[start..<min(body.count, start + step)])
            try take(piece, &framing, &data)
            start += piece.count
        }
        guard framing.isDone else { throw AWSChunkedFraming.broken }
        return data
    }

    private static func take(
        _ piece: [UInt8], _ framing: inout AWSChunkedFraming, _ data: inout [UInt8]
    ) throws(S3Error) {
        let buffer = ByteBuffer(sizeBytes: piece.count)
        unsafe buffer.bytes.copyBytes(from: piece)
        var position = 0
        while true {
            switch try unsafe framing.next(buffer.prefix(piece.count), &position) {
            case .needsInput: return
            case .data(let range): data += piece[range]
            case .chunk, .trailer, .end: break
            }
        }
    }

    private static func content(_ body: [UInt8], _ format: AWSChunkedFraming.Format) throws(S3Error) -> [UInt8] {
        var headers = HeaderFields()
        try headers.add("x-amz-decoded-content-length", Array(String(format.decodedSizeBytes).utf8))
        if format.hasTrailer { try headers.add("x-amz-trailer", Array("x-amz-checksum-crc32".utf8)) }
        let request = try post(headers, body)
        let mode = PayloadMode.streaming(nil, hasTrailer: format.hasTrailer)
        return try PayloadVerifier.verify(request, mode: mode, wantMD5: true).bytes(atMost: maximumBytes)
    }

    private static func post(_ headers: HeaderFields, _ body: [UInt8]) throws(S3Error) -> HTTPRequest {
        HTTPRequest(
            id: RequestID(), method: .post, target: try RequestTarget(parsing: Array("/bucket".utf8)),
            headers: headers, body: .memory(body), site: SiteSettings(allowsSignatureV2: true), isHTTPS: true,
            remoteAddress: "", receivedAt: Timestamp(milliseconds: 1_700_000_000_000))
    }

    // MARK: Forms

    /// A form body whose boundary is `b`; its field `policy` holds the policy's JSON as it is.
    ///
    /// However it is cut, it reads the same; and the file is what stands between its head and the next boundary.
    static func form(_ bytes: [UInt8]) -> String? {
        let whole = Outcome { () throws(S3Error) in try parts(bytes, step: max(1, bytes.count)) }
        for step in [1, 5] {
            let cut = Outcome { () throws(S3Error) in try parts(bytes, step: step) }
            // Where a body has two faults, the cuts decide which is met first.
            guard cut == whole || (cut.value == nil && whole.value == nil) else {
                return "in steps of \(step): \(cut), whole: \(whole)"
            }
        }
        guard let form = Outcome({ () throws(S3Error) in try FormReading(post(formHeaders(), bytes)) }).value else {
            return nil
        }
        if let file = form.file {
            let delimiter = Array("\r\n--b".utf8)
            guard (0..<file.count).allSatisfy({ !file[$0...].starts(with: delimiter) }) else {
                return "a file that holds its boundary"
            }
            guard whole.value != nil else { return "a form was read that the parser refuses" }
        }
        return evaluate(form)
    }

    private static func evaluate(_ form: FormReading) -> String? {
        guard let text = form.fields.first(where: { $0.name.elementsEqual("policy".utf8) })?.value,
            let policy = Outcome({ () throws(S3Error) in PolicyReading(try PostPolicy(parsing: text)) }).value?.policy
        else { return nil }
        let check = Outcome { () throws(S3Error) in
            try policy.check(form.fields) { $0.elementsEqual("policy".utf8) }
            try policy.checkSize(Int64(form.file?.count ?? 0))
            return true
        }
        if check.value == true {
            let named = Set(policy.conditions.compactMap(\.field))
            let stray = form.fields.contains { !named.contains($0.name) && !$0.name.elementsEqual("policy".utf8) }
            if stray { return "a field passed that no condition names" }
        }
        return nil
    }

    private static func formHeaders() throws(S3Error) -> HeaderFields {
        var headers = HeaderFields()
        try headers.add("content-type", Array("multipart/form-data; boundary=b".utf8))
        return headers
    }

    private static func parts(_ body: [UInt8], step: Int) throws(S3Error) -> [FormField] {
        var parser = try MultipartFormParser(contentType: Array("multipart/form-data; boundary=b".utf8))
        var start = 0
        while start < body.count {
            let count = min(step, body.count - start)
            let buffer = ByteBuffer(sizeBytes: count)
            unsafe buffer.bytes.copyBytes(from: body[start..<start + count])
            try unsafe parser.take(buffer.prefix(count))
            start += count
        }
        try parser.finish()
        guard let file = parser.file, let size = file.sizeBytes else { return parser.fields }
        let content = Array(body[Int(file.offset)..<Int(file.offset + size)])
        return parser.fields + [FormField(name: file.name, value: content)]
    }

    private struct FormReading: Equatable {
        let fields: [FormField]
        let file: [UInt8]?

        init(_ request: HTTPRequest) throws(S3Error) {
            let form = try PostForm(reading: request)
            fields = form.fields
            let body = try form.file()
            let buffer = ByteBuffer(sizeBytes: Int(body.sizeBytes))
            file = unsafe Array(buffer.prefix(try PayloadReader(plain: body).read(into: buffer.bytes)))
        }
    }

    private struct PolicyReading: Equatable {
        let policy: PostPolicy

        init(_ policy: PostPolicy) { self.policy = policy }

        static func == (one: PolicyReading, other: PolicyReading) -> Bool {
            one.policy.conditions == other.policy.conditions
        }
    }

    // MARK: Signatures

    /// Lines: the Authorization header, the date, x-amz-content-sha256, and the request target with its query.
    ///
    /// Nobody knows the secret, so no input is signed.
    static func signature(_ bytes: [UInt8]) -> String? {
        let parts = lines(bytes, 4)
        let answer = Outcome { () throws(S3Error) in
            var headers = HeaderFields()
            try headers.add("host", Array("s3.example.com".utf8))
            for (name, value) in [
                ("authorization", parts[0]), ("x-amz-date", parts[1]), ("x-amz-content-sha256", parts[2]),
            ]
            where !value.isEmpty { try headers.add(name, value) }
            var request = HTTPRequest(
                id: RequestID(), method: .get, target: try RequestTarget(parsing: parts[3]), headers: headers,
                body: .empty, site: SiteSettings(), isHTTPS: true, remoteAddress: "", receivedAt: moment)
            let answer = try authenticator.authenticate(&request, now: moment) { id throws(S3Error) in
                Credential(accessKeyID: id, secret: secret, isActive: true, tenantID: 1)
            }
            guard case .anonymous = answer else { return true }
            return false
        }
        return answer == .value(true) ? "signed without the secret" : nil
    }

    /// 2013-05-24T00:00:00Z, the day of the examples in the Amazon S3 API Reference.
    private static let moment = Timestamp(milliseconds: 1_369_353_600_000)
    private static let secret = Crypto.randomBytes(32)
    private static let authenticator = Authenticator(signingKeys: SigningKeyCache(capacity: 64))
}
