/// The framing of an aws-chunked body as a bounded state machine: it sees bytes in pieces of any size, and keeps no
/// more than one line of at most `maximumLineBytes`.
///
/// Shape: for each chunk `SIZE[;chunk-signature=SIGNATURE] CRLF data CRLF`, a chunk of size 0 without data, trailer
/// lines `name:value CRLF`, and an empty line; nothing after it.
/// Sources: Amazon S3 API Reference, "Transferring Payload in Multiple Chunks" and "... Including Trailing Headers".
struct AWSChunkedFraming {
    /// What the sender declared about the body.
    struct Format: Sendable {
        /// `x-amz-decoded-content-length`.
        var decodedSizeBytes: Int64
        /// Whether each chunk carries a signature.
        var isSigned: Bool
        var hasTrailer: Bool
    }

    enum Event: Equatable {
        /// All input is used up.
        case needsInput
        /// A chunk begins; `sizeBytes` 0 is the final one.
        ///
        /// The signature is 64 bytes, or nil when chunks are unsigned.
        case chunk(sizeBytes: Int64, signature: [UInt8]?)
        /// These bytes of the input are data of the chunk.
        case data(Range<Int>)
        /// A trailer; the name is lower case.
        case trailer(name: [UInt8], value: [UInt8])
        /// The body ended as it should; there may be no further input.
        case end
    }

    private enum State {
        case sizeLine, data, dataEnd, trailerLine, done
    }

    static let maximumLineBytes = 256
    static let maximumTrailers = 16
    /// Every chunk but the last one with data has at least so many bytes (same source).
    static let minimumChunkBytes: Int64 = 8192
    private static let signatureMark = Array(";chunk-signature=".utf8)
    private static let signatureBytes = 64

    private let format: Format
    private var state = State.sizeLine
    private var line: [UInt8] = []
    private var trailerCount = 0
    private var lastChunkBytes: Int64?
    /// Bytes of the declared length that no chunk has claimed yet.
    private var undeclaredBytes: Int64
    /// Bytes of the present chunk that are still to come.
    private(set) var chunkBytesLeft: Int64 = 0

    init(_ format: Format) {
        self.format = format
        undeclaredBytes = format.decodedSizeBytes
        line.reserveCapacity(Self.maximumLineBytes + 2)
    }

    /// Whether the body came to its proper end.
    var isDone: Bool { state == .done }

    /// Returns the next event in `input` from `position` on, and moves `position` behind it.
    ///
    /// Throws `IncompleteBody` for broken framing and wrong lengths, `InvalidChunkSizeError`, `MalformedTrailerError`.
    mutating func next(_ input: UnsafeRawBufferPointer, _ position: inout Int) throws(S3Error) -> Event {
        while position < input.count {
            switch state {
            case .done:
                throw Self.broken
            case .data:
                let count = Int(min(chunkBytesLeft, Int64(input.count - position)))
                let range = position..<(position + count)
                position += count
                skipData(count)
                return .data(range)
            case .sizeLine, .dataEnd, .trailerLine:
                guard try unsafe takeLine(input, &position) else { return .needsInput }
                defer { line.removeAll(keepingCapacity: true) }
                if let event = try endOfLine() { return event }
            }
        }
        return .needsInput
    }

    /// Passes over `count` bytes of the present chunk that the caller read by itself.
    mutating func skipData(_ count: Int) {
        chunkBytesLeft -= Int64(count)
        if chunkBytesLeft == 0 { state = .dataEnd }
    }

    /// Appends input to the line up to CR LF; tells whether the line is whole.
    ///
    /// The line comes without CR LF.
    private mutating func takeLine(_ input: UnsafeRawBufferPointer, _ position: inout Int) throws(S3Error) -> Bool {
        let limit = state == .dataEnd ? 0 : Self.maximumLineBytes
        while position < input.count {
            let byte = unsafe input[position]
            position += 1
            if byte == 0x0A, line.last == 0x0D {
                line.removeLast()
                return true
            }
            line.append(byte)
            // One byte more may be the CR of the end.
            guard line.count <= limit || (line.count == limit + 1 && byte == 0x0D) else { throw Self.broken }
        }
        return false
    }

    private mutating func endOfLine() throws(S3Error) -> Event? {
        switch state {
        case .sizeLine:
            return try beginChunk()
        case .dataEnd:
            state = .sizeLine
            return nil
        case .trailerLine:
            guard !line.isEmpty else {
                state = .done
                return .end
            }
            return try takeTrailer()
        case .data, .done:
            return nil
        }
    }

    private mutating func beginChunk() throws(S3Error) -> Event {
        let digits = line.prefix { Hex.value($0) != nil }
        guard (1...16).contains(digits.count) else { throw Self.broken }
        var size: UInt64 = 0
        for digit in digits { size = size << 4 | UInt64(Hex.value(digit) ?? 0) }
        guard size <= UInt64(undeclaredBytes) else { throw Self.broken }
        let sizeBytes = Int64(size)
        let signature = try takeSignature(line[digits.endIndex...])
        if sizeBytes == 0 {
            guard undeclaredBytes == 0 else { throw Self.broken }
            state = .trailerLine
            return .chunk(sizeBytes: 0, signature: signature)
        }
        if let lastChunkBytes, lastChunkBytes < Self.minimumChunkBytes {
            throw S3Error(.invalidChunkSize).detail("BadChunkSize", String(lastChunkBytes))
        }
        lastChunkBytes = sizeBytes
        undeclaredBytes -= sizeBytes
        chunkBytesLeft = sizeBytes
        state = .data
        return .chunk(sizeBytes: sizeBytes, signature: signature)
    }

    private func takeSignature(_ rest: ArraySlice<UInt8>) throws(S3Error) -> [UInt8]? {
        guard format.isSigned else {
            guard rest.isEmpty else { throw Self.broken }
            return nil
        }
        guard rest.starts(with: Self.signatureMark) else { throw Self.broken }
        let signature = Array(rest.dropFirst(Self.signatureMark.count))
        guard signature.count == Self.signatureBytes else { throw Self.broken }
        return signature
    }

    private mutating func takeTrailer() throws(S3Error) -> Event {
        // The API reference prints a trailer as `name:value LF CR LF`.
        if line.last == 0x0A { line.removeLast() }
        trailerCount += 1
        guard format.hasTrailer else { throw Self.broken }
        guard trailerCount <= Self.maximumTrailers, let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
            throw S3Error(.malformedTrailer)
        }
        var value = line[(colon + 1)...]
        while value.first == 0x20 || value.first == 0x09 { value.removeFirst() }
        while value.last == 0x20 || value.last == 0x09 { value.removeLast() }
        guard !value.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { throw S3Error(.malformedTrailer) }
        return .trailer(name: line[..<colon].map(ASCII.lower), value: Array(value))
    }

    static let broken = S3Error(.incompleteBody, "The request body terminated unexpectedly")
}
