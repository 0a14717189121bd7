/// A form upload as it arrived: the fields before the file, and where the file begins.
///
/// Source: Amazon S3 API Reference, "POST Object" and "HTML form fields".
package struct PostForm: Sendable {
    /// In the order of the form; no name stands here twice, and `${filename}` is replaced.
    package let fields: [FormField]
    private let body: RequestBody
    /// The parser as it stands after `offset` bytes.
    private let parser: MultipartFormParser
    private let offset: Int64

    private static let bufferSizeBytes = 128 * 1024
    private static let variable = Array("${filename}".utf8)

    /// Reads the body of `request` up to its file, or to its end when it has none.
    ///
    /// Throws `MalformedPOSTRequest`, `MaxPostPreDataLengthExceededError`, `IncorrectNumberOfFilesInPostRequest`, and
    /// `InvalidArgument` for a field given twice.
    init(reading request: HTTPRequest) throws(S3Error) {
        var parser = try MultipartFormParser(contentType: request.headers["content-type"] ?? [])
        var offset: Int64 = 0
        try Self.read(request.body, from: &offset, with: &parser) { $0.file != nil }
        if parser.file == nil { try parser.finish() }
        body = request.body
        fields = try Self.expanded(parser.fields, fileName: parser.file?.name ?? [])
        self.parser = parser
        self.offset = offset
    }

    /// Returns the value of the field `name`, which is in lower case.
    package subscript(name: StaticString) -> [UInt8]? {
        fields.first { field in name.withUTF8Buffer { unsafe field.name.elementsEqual($0) } }?.value
    }

    /// Reads on to the end of the form and returns the content of the file as a body of its own.
    ///
    /// Throws `IncorrectNumberOfFilesInPostRequest`, and `MalformedPOSTRequest` for a form cut short.
    func file() throws(S3Error) -> RequestBody {
        var parser = parser
        var offset = offset
        try Self.read(body, from: &offset, with: &parser) { $0.isDone }
        guard let file = parser.file else { throw S3Error(.incorrectNumberOfFiles) }
        try parser.finish()
        guard let sizeBytes = file.sizeBytes else { throw S3Error(.malformedPOSTRequest) }
        guard sizeBytes > 0 else { return .empty }
        switch body {
        case .empty: return .empty
        case .memory(let bytes): return .memory(Array(bytes[Int(file.offset)..<Int(file.offset + sizeBytes)]))
        case .file(let path, _): return .filePart(path: path, offset: file.offset, sizeBytes: sizeBytes)
        case .filePart(let path, let start, _):
            return .filePart(path: path, offset: start + file.offset, sizeBytes: sizeBytes)
        }
    }

    private static func read(
        _ body: RequestBody, from offset: inout Int64, with parser: inout MultipartFormParser,
        until isEnough: (MultipartFormParser) -> Bool
    ) throws(S3Error) {
        guard !isEnough(parser), offset < body.sizeBytes else { return }
        let source = try PayloadSource(body)
        let buffer = ByteBuffer(sizeBytes: Int(min(body.sizeBytes - offset, Int64(bufferSizeBytes))))
        while !isEnough(parser), offset < body.sizeBytes {
            let count = try unsafe source.read(into: buffer.bytes, at: offset)
            guard count > 0 else { throw AWSChunkedFraming.broken }
            try unsafe parser.take(buffer.prefix(count))
            offset += Int64(count)
        }
    }

    /// Puts the file's name in the place of `${filename}`, before any field is compared with the policy.
    ///
    /// Source: Amazon S3 API Reference, "HTML form fields": it is recognised in all of them.
    private static func expanded(_ fields: [FormField], fileName: [UInt8]) throws(S3Error) -> [FormField] {
        // Clients on Windows may send a whole path.
        let lastSeparator = fileName.lastIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
        let name = lastSeparator.map { Array(fileName[($0 + 1)...]) } ?? fileName
        var names: Set<[UInt8]> = []
        var result: [FormField] = []
        result.reserveCapacity(fields.count)
        for field in fields {
            guard names.insert(field.name).inserted else {
                throw S3Error(.invalidArgument, "A form field was given more than once.")
                    .detail("ArgumentName", String(decoding: field.name, as: UTF8.self))
            }
            result.append(FormField(name: field.name, value: replacing(field.value, name)))
        }
        let sizeBytes = result.reduce(0) { $0 + $1.value.count }
        guard sizeBytes <= maximumExpandedBytes else { throw S3Error(.maxPostPreDataLengthExceeded) }
        return result
    }

    /// Many short variables and one long name could make much of little.
    private static let maximumExpandedBytes = 256 * 1024

    private static func replacing(_ value: [UInt8], _ name: [UInt8]) -> [UInt8] {
        guard value.count >= variable.count, value.contains(UInt8(ascii: "$")) else { return value }
        var result: [UInt8] = []
        var rest = value[...]
        while let byte = rest.first {
            if byte == UInt8(ascii: "$"), rest.starts(with: variable) {
                result += name
                rest = rest.dropFirst(variable.count)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
            if result.count > maximumExpandedBytes { break }
        }
        return result
    }
}
