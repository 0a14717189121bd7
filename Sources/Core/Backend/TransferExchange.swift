/// How long a store may take; every transfer has all of them (DESIGN.md 7).
package struct TransferDeadlines: Sendable {
    /// Name resolution, TCP and TLS together.
    package var connectMilliseconds = 3_000
    /// From the request to the head of the answer, for a read of an object.
    package var firstByteMilliseconds = 5_000
    /// The same where nobody else can go on with a read: less than a client waits for the next byte of an answer.
    package var lastFirstByteMilliseconds = 30_000
    /// The same for every other call, counted from the last byte of the body that is sent: the store has to make it durable.
    package var answerMilliseconds = 10_000
    /// What is added to that for a body: the time it takes at this speed.
    package var durableBytesPerMillisecond: Int64 = 16 << 10
    /// The longest time in which fewer than `minimumBytes` of a body move while we wait for the store.
    ///
    /// Time that our own caller spends with a piece does not count, so a slow client is not taken for a slow store.
    package var stallMilliseconds = 10_000
    package var minimumBytes: Int64 = 16 << 10
    /// The whole of a call that moves no object.
    package var smallCallMilliseconds = 30_000
    /// The whole of a call after which the store has to work before it answers: CompleteMultipartUpload of many
    /// parts, and copies.
    package var longCallMilliseconds = 600_000

    package init() {}
}

/// One request to a store, signed already.
struct TransferRequest {
    enum Method: String { case get = "GET", head = "HEAD", put = "PUT", post = "POST", delete = "DELETE" }

    var method: Method
    /// `https://host[:port]`.
    var origin: String
    /// Path and query, percent-encoded.
    var target: String
    /// All headers but `Content-Length`, `Host` among them, so that what is signed is what is sent.
    var headers: [(name: String, value: String)]
    /// Bytes of the body of a PUT or POST.
    var bodySizeBytes: Int64 = 0
    /// Milliseconds for all of it; 0 when only the stall deadline holds.
    var totalMilliseconds = 0
}

/// What one transfer brings and takes; used by one thread, for one request.
///
/// The closures never throw: what stops a transfer is kept by whoever made the closure, which then returns false or nil.
@safe final class TransferExchange {
    /// Called once with a 2xx head, before the first byte of its body.
    var acceptHead: (TransferHead) -> Bool = { _ in true }
    /// Called with each header line of the answer, without its line break; for the few who need more than the head keeps.
    var watchHeader: ((UnsafeRawBufferPointer) -> Void)?
    /// Called with each piece of the body of a 2xx answer.
    var acceptBody: (UnsafeRawBufferPointer) -> Bool = { _ in true }
    /// Fills a buffer with the next bytes to send and returns their number, 0 at the end, nil to stop.
    var source: (UnsafeMutableRawBufferPointer) -> Int? = { _ in 0 }
    /// Goes back to the first byte to send.
    var rewind: () -> Bool = { true }

    private(set) var head: TransferHead?
    /// The body of an answer that is no success, cut at a bound.
    private(set) var errorBody: [UInt8] = []
    /// Why we ended the transfer ourselves.
    private(set) var stop: Stop?
    /// How long the store may take until the head of its answer, in milliseconds, counted from the last byte we sent.
    var answerMilliseconds: Int64
    /// Bytes of the body that is sent.
    var bodySizeBytes: Int64 = 0

    enum Stop: Equatable {
        /// A closure said so.
        case caller
        /// The store sent what no store sends.
        case hostile(String)
        case stalled
    }

    private let deadlines: TransferDeadlines
    private var headIsComplete = false
    private var headerBytes = 0
    private var headerLines = 0
    private var windowStart: Int64 = 0
    private var windowBytes: Int64 = 0
    private var sentBytes: Int64 = 0
    private var waitingSince: Int64 = 0
    private var now: () -> Int64

    /// Bounds over all header lines of a transfer, interim answers and trailers included.
    static let maximumHeaderBytes = 65_536
    static let maximumHeaderLines = 256
    static let maximumErrorBodyBytes = 65_536

    /// `now` gives milliseconds of a clock that never steps.
    init(deadlines: TransferDeadlines, now: @escaping () -> Int64) {
        self.deadlines = deadlines
        self.now = now
        answerMilliseconds = Int64(deadlines.answerMilliseconds)
    }

    /// Makes `body` what is sent.
    func send(_ body: [UInt8]) {
        var sent = 0
        unsafe source = { buffer in
            let count = min(buffer.count, body.count - sent)
            unsafe buffer.copyBytes(from: body[sent..<sent + count])
            sent += count
            return count
        }
        rewind = {
            sent = 0
            return true
        }
    }

    /// True when a body that somebody waits for has begun.
    var hasAcceptedHead: Bool { headIsComplete && head?.isSuccess ?? false }

    /// True when the store has said anything at all.
    var hasAnswer: Bool { headerBytes > 0 }

    /// Begins the (next) attempt; false when the body cannot be sent again.
    func begin(isRetry: Bool) -> Bool {
        windowStart = now()
        waitingSince = windowStart
        windowBytes = 0
        sentBytes = 0
        return !isRetry || rewind()
    }

    // MARK: What the transfer calls

    func receive(headerLine line: UnsafeRawBufferPointer) -> Bool {
        headerBytes += line.count
        headerLines += 1
        guard headerBytes <= Self.maximumHeaderBytes, headerLines <= Self.maximumHeaderLines else {
            return halt(.hostile("the answer's headers have no end"))
        }
        // What comes after the body are trailers, which nobody needs.
        if headIsComplete { return true }
        var length = 0
        while length < line.count, unsafe line[length] != 0x0D && line[length] != 0x0A { length += 1 }
        guard unsafe line[length...].allSatisfy({ $0 == 0x0D || $0 == 0x0A }) else {
            return halt(.hostile("a header line holds a line break"))
        }
        if length == 0 { return completeHead() }
        let text = unsafe UnsafeRawBufferPointer(rebasing: line[..<length])
        if let watchHeader = unsafe watchHeader { unsafe watchHeader(text) }
        if unsafe TransferHead.isStatusLine(text) {
            head = unsafe TransferHead(statusLine: text)
            return head != nil || halt(.hostile("the status line is malformed"))
        }
        guard unsafe head?.add(line: text) ?? false else { return halt(.hostile("a header line is malformed")) }
        return true
    }

    private func completeHead() -> Bool {
        guard let head else { return halt(.hostile("the answer has no status line")) }
        if head.isInterim { return true }
        headIsComplete = true
        windowStart = now()
        guard head.isSuccess else { return true }
        return timeless { acceptHead(head) } ? true : halt(.caller)
    }

    func receive(body piece: UnsafeRawBufferPointer) -> Bool {
        windowBytes += Int64(piece.count)
        guard let head, headIsComplete else { return halt(.hostile("a body came before its head")) }
        guard head.isSuccess else {
            let room = Self.maximumErrorBodyBytes - errorBody.count
            guard room > 0 else { return halt(.hostile("the error document has no end")) }
            unsafe errorBody.append(contentsOf: piece.prefix(room))
            return true
        }
        return timeless { unsafe acceptBody(piece) } ? true : halt(.caller)
    }

    /// Returns nil to stop.
    func send(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        guard let count = timeless({ unsafe source(buffer) }) else {
            _ = halt(.caller)
            return nil
        }
        windowBytes += Int64(count)
        sentBytes += Int64(count)
        if count > 0 { waitingSince = now() }
        return count
    }

    func rewindBody() -> Bool {
        sentBytes = 0
        return rewind() ? true : halt(.caller)
    }

    /// Called about once a second; false when the store is too slow.
    func isMoving() -> Bool {
        if !headIsComplete {
            if now() - waitingSince >= answerMilliseconds { return halt(.stalled) }
            // All is sent, nothing has to move: the store works, and has the deadline above for it.
            if sentBytes >= bodySizeBytes { return true }
        }
        // The window begins anew as soon as enough has moved: a store that falls silent is given up one window later.
        if windowBytes >= deadlines.minimumBytes {
            windowStart = now()
            windowBytes = 0
            return true
        }
        return now() - windowStart < Int64(deadlines.stallMilliseconds) || halt(.stalled)
    }

    /// Runs what is not the store's fault: the window is moved by the time it takes.
    private func timeless<Result>(_ body: () -> Result) -> Result {
        let start = now()
        defer { windowStart += now() - start }
        return body()
    }

    private func halt(_ reason: Stop) -> Bool {
        if stop == nil { stop = reason }
        return false
    }
}
