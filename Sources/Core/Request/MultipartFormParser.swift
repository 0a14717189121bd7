private import Glibc

/// The parts of a multipart/form-data body as a bounded state machine: it sees bytes in pieces of any size, keeps the
/// fields before the file, and of the file only where it stands.
///
/// Shape: `--BOUNDARY CRLF`, lines `name: value CRLF`, an empty line, the content, `CRLF --BOUNDARY`, then the next part
/// or `--`. What stands before the first and behind the last boundary is skipped, and so are fields behind the file, as
/// AWS does.
/// Sources: RFC 2046 5.1.1, RFC 7578; Amazon S3 API Reference, "POST Object".
package struct MultipartFormParser: Sendable {
    /// Everything before the content of the file.
    ///
    /// Source: Amazon S3 API Reference, "Creating an HTML form": 20 KB.
    package static let maximumBytesBeforeFile: Int64 = 20 * 1024
    /// The heads of all parts behind the file.
    static let maximumHeadBytesAfterFile = 20 * 1024
    /// RFC 2046 5.1.1.
    static let maximumBoundaryBytes = 70

    /// The fields before the file, in their order.
    package private(set) var fields: [FormField] = []
    package private(set) var file: FormFile?

    private enum State: Sendable {
        case content, boundaryEnd, head, epilogue
    }

    private enum Content: Sendable {
        case skipped, field, file
    }

    /// `CRLF --BOUNDARY`: its only CR is the first byte, so a mismatch never goes back further than one byte.
    private let delimiter: [UInt8]
    /// How much of the delimiter has been seen.
    private var matched: Int
    private var state = State.content
    private var content = Content.skipped
    /// The line of a head, or what follows a boundary.
    private var line: [UInt8] = []
    private var head = FormPartHead()
    private var headBytesAfterFile = 0
    private var offset: Int64 = 0

    /// Takes the boundary from a `Content-Type` of `multipart/form-data`.
    ///
    /// Throws `MalformedPOSTRequest` without a boundary of 1...70 visible bytes.
    package init(contentType: [UInt8]) throws(S3Error) {
        guard let type = HeaderParameters(parsing: contentType[...]),
            type.word.elementsEqual("multipart/form-data".utf8), let boundary = type["boundary"],
            (1...Self.maximumBoundaryBytes).contains(boundary.count),
            boundary.allSatisfy({ (0x20...0x7E).contains($0) }), boundary.last != 0x20
        else { throw S3Error(.malformedPOSTRequest) }
        delimiter = Array("\r\n--".utf8) + boundary
        // The body begins as if a line had just ended.
        matched = 2
    }

    /// Whether the closing boundary was seen.
    package var isDone: Bool { state == .epilogue }

    /// Takes the next piece of the body.
    ///
    /// Throws `MalformedPOSTRequest`, `MaxPostPreDataLengthExceededError`, `IncorrectNumberOfFilesInPostRequest`, and
    /// `NotImplemented` for encoded content.
    package mutating func take(_ piece: UnsafeRawBufferPointer) throws(S3Error) {
        var position = 0
        while position < piece.count {
            let start = position
            switch state {
            case .content: unsafe takeContent(piece, &position)
            case .boundaryEnd: try unsafe takeBoundaryEnd(piece[position], &position)
            case .head: try unsafe takeHead(piece[position], &position)
            case .epilogue: position = piece.count
            }
            offset += Int64(position - start)
            if state != .content, content == .file, file?.sizeBytes == nil { endFile() }
            guard file != nil || offset <= Self.maximumBytesBeforeFile || isDone else {
                throw S3Error(.maxPostPreDataLengthExceeded)
            }
        }
    }

    /// Throws `MalformedPOSTRequest` when the body ended before its closing boundary.
    package func finish() throws(S3Error) {
        guard isDone else { throw S3Error(.malformedPOSTRequest) }
    }

    // MARK: Content

    /// Passes over content up to the end of the piece or of the next delimiter.
    private mutating func takeContent(_ piece: UnsafeRawBufferPointer, _ position: inout Int) {
        while position < piece.count {
            if matched == 0 {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: piece[position...])
                let plain = unsafe Self.countBeforeCR(rest)
                unsafe keep(UnsafeRawBufferPointer(rebasing: rest[..<plain]))
                position += plain
                guard position < piece.count else { return }
            }
            if unsafe piece[position] == delimiter[matched] {
                position += 1
                matched += 1
                guard matched == delimiter.count else { continue }
                if content == .field { fields.append(FormField(name: fieldName, value: fieldValue)) }
                matched = 0
                state = .boundaryEnd
                return
            }
            // What looked like a delimiter was content; this byte may be the first of one.
            if content == .field { fieldValue.append(contentsOf: delimiter[..<matched]) }
            matched = 0
        }
    }

    private var fieldName: [UInt8] = []
    private var fieldValue: [UInt8] = []

    private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
        if content == .field { unsafe fieldValue.append(contentsOf: bytes) }
    }

    private static func countBeforeCR(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let start = bytes.baseAddress, let found = unsafe memchr(start, 0x0D, bytes.count) else {
            return bytes.count
        }
        return unsafe UnsafeRawPointer(found) - start
    }

    private mutating func endFile() {
        guard let start = file?.offset else { return }
        file?.sizeBytes = offset - Int64(delimiter.count) - start
    }

    // MARK: Boundaries and heads

    /// `--` ends the form; blanks and CR LF begin the next part.
    private mutating func takeBoundaryEnd(_ byte: UInt8, _ position: inout Int) throws(S3Error) {
        position += 1
        switch (line.last, byte) {
        case (nil, UInt8(ascii: "-")), (nil, 0x0D):
            line.append(byte)
        case (nil, 0x20), (nil, 0x09):
            // RFC 2046 5.1.1, transport-padding; the machine keeps nothing of it.
            headBytesAfterFile += 1
            guard headBytesAfterFile <= Self.maximumHeadBytesAfterFile else { throw S3Error(.malformedPOSTRequest) }
        case (UInt8(ascii: "-"), UInt8(ascii: "-")):
            line = []
            state = .epilogue
        case (0x0D, 0x0A):
            line = []
            head = FormPartHead()
            state = .head
        default: throw S3Error(.malformedPOSTRequest)
        }
    }

    private mutating func takeHead(_ byte: UInt8, _ position: inout Int) throws(S3Error) {
        position += 1
        if file != nil {
            headBytesAfterFile += 1
            guard headBytesAfterFile <= Self.maximumHeadBytesAfterFile else { throw S3Error(.malformedPOSTRequest) }
        }
        guard line.last == 0x0D else {
            guard byte != 0x0A else { throw S3Error(.malformedPOSTRequest) }
            line.append(byte)
            return
        }
        guard byte == 0x0A else { throw S3Error(.malformedPOSTRequest) }
        line.removeLast()
        guard line.isEmpty else {
            try head.take(line)
            line.removeAll(keepingCapacity: true)
            return
        }
        try beginContent(at: offset + 1)
    }

    private mutating func beginContent(at start: Int64) throws(S3Error) {
        guard let name = head.name?.map(ASCII.lower), !name.isEmpty else { throw S3Error(.malformedPOSTRequest) }
        state = .content
        let isFile = name.elementsEqual("file".utf8)
        if file != nil {
            guard !isFile else { throw S3Error(.incorrectNumberOfFiles) }
            content = .skipped
        } else if isFile {
            guard start <= Self.maximumBytesBeforeFile else { throw S3Error(.maxPostPreDataLengthExceeded) }
            content = .file
            file = FormFile(name: head.fileName ?? [], offset: start, sizeBytes: nil)
        } else {
            content = .field
            (fieldName, fieldValue) = (name, [])
        }
    }
}
