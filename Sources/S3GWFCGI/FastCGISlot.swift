import Core
import Glibc
import Logging

private import CFastCGI

/// One request thread's place in libfcgi: reads a request from a connection and writes its answer.
///
/// libfcgi reads the records of the request. The answer is written past it, in records of our own: one write for a
/// small answer, with the end of the request in the same write; for a large one `writev` straight from the caller's
/// memory. libfcgi promises thread safety across requests, and one slot belongs to one thread.
@safe struct FastCGISlot: ~Copyable, Wire {
    /// An answer whose head and body fit in this is sent in one write.
    private static let smallAnswerBytes = 32 * 1024
    /// Pieces of memory given to one `writev`: a record header and its content, sixteen times, the head and the tail.
    private static let maximumVectors = 34

    /// Allocated, because libfcgi keeps its address.
    private let request: UnsafeMutablePointer<FCGX_Request>
    private let vectors: UnsafeMutablePointer<iovec>
    private let log = Logger(label: "s3gw.requests")
    private let beforeLongWork: () -> Void

    private var connection: Int32 = -1
    private var requestNumber: UInt16 = 1
    /// Set by whoever reads the request: the answer to HEAD has no body.
    var isHEAD = false

    /// Head, and body of a small answer, behind room for one record header.
    private var pending: [UInt8] = []
    private var recordHeaders: [UInt8]
    private var isHeadSent = false
    private var isEnded = false
    private var isBroken = false
    /// Bytes of the body that were promised and are still to come.
    private var remaining: Int64 = 0
    /// Nothing was promised: every piece goes out at once.
    private var isOpenEnded = false

    /// Prepares libfcgi for this process; without it every accept fails at once.
    static func prepareLibrary() -> Bool { FCGX_Init() == 0 }

    /// `beforeLongWork` is called, once or more often, when a request begins to take long.
    init(beforeLongWork: @escaping () -> Void = {}) {
        self.beforeLongWork = beforeLongWork
        unsafe request = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
        unsafe request.initialize(to: FCGX_Request())
        unsafe vectors = UnsafeMutablePointer<iovec>.allocate(capacity: Self.maximumVectors)
        // The descriptor -1 keeps libfcgi from accepting a connection by itself after one that broke.
        unsafe FCGX_InitRequest(request, -1, 0)
        recordHeaders = [UInt8](repeating: 0, count: 16 * ResponseBytes.recordHeaderBytes)
        pending.reserveCapacity(Self.smallAnswerBytes + 1024)
    }

    deinit {
        unsafe request.deallocate()
        unsafe vectors.deallocate()
    }

    /// Reads the parameters of the request on `connection` and owns it from here on; false when there is none.
    mutating func begin(_ connection: Int32) -> Bool {
        unsafe request.pointee.ipcFd = connection
        // Keeps the clean-up of the request before, in FCGX_Accept_r, from closing this one's connection.
        unsafe request.pointee.keepConnection = 1
        unsafe request.pointee.in = nil
        guard unsafe FCGX_Accept_r(request) == 0 else { return false }
        self.connection = connection
        unsafe requestNumber = UInt16(truncatingIfNeeded: request.pointee.requestId)
        isHEAD = false
        isHeadSent = false
        isEnded = false
        isBroken = false
        isOpenEnded = false
        remaining = 0
        pending.removeAll(keepingCapacity: true)
        return true
    }

    /// Calls `body` with each parameter of the request, as `NAME=value` without its NUL.
    func forEachParameter(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard var entry = unsafe request.pointee.envp else { return }
        while let text = unsafe entry.pointee {
            unsafe body(UnsafeRawBufferPointer(start: text, count: strlen(text)))
            unsafe entry += 1
        }
    }

    /// Fills `buffer` from the request's body; fewer bytes only at its end.
    ///
    /// Nil when the connection broke before.
    func readBody(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        guard let stream = unsafe request.pointee.in, let start = buffer.baseAddress else { return nil }
        let bytes = unsafe start.assumingMemoryBound(to: CChar.self)
        let count = unsafe FCGX_GetStr(bytes, Int32(min(buffer.count, Int(Int32.max))), stream)
        guard unsafe FCGX_GetError(stream) == 0 else { return nil }
        return Int(count)
    }

    /// Whether nginx has closed the connection, which it does when the client leaves; its body file is gone then.
    func hasPeerLeft() -> Bool {
        var entry = pollfd(fd: connection, events: 0, revents: 0)
        return unsafe poll(&entry, 1, 0) > 0 && Int32(entry.revents) & (POLLHUP | POLLERR) != 0
    }

    // MARK: Wire

    mutating func willTakeLong() { beforeLongWork() }

    mutating func send(_ head: ResponseHead) throws(WireClosed) {
        guard !isHeadSent else { return cutShort("a second head was sent for one request") }
        isHeadSent = true
        isOpenEnded = head.isOpenEnded
        let promisedBytes = isOpenEnded ? Int64.max : head.contentLength ?? 0
        remaining = isHEAD || !ResponseBytes.hasBody(head.status) ? 0 : promisedBytes
        pending.append(contentsOf: [0, 0, 0, 0, 0, 0, 0, 0])
        ResponseBytes.append(head, to: &pending)
        guard pending.count <= ResponseBytes.maximumRecordBytes else {
            isHeadSent = false
            remaining = 0
            pending.removeAll(keepingCapacity: true)
            log.error("the head of an answer is too large for FastCGI")
            return
        }
    }

    mutating func send(body piece: UnsafeRawBufferPointer) throws(WireClosed) {
        guard !isBroken else { throw WireClosed() }
        guard !isHEAD, remaining > 0, piece.count > 0 else { return }
        let piece = unsafe UnsafeRawBufferPointer(rebasing: piece.prefix(Int(min(remaining, Int64(piece.count)))))
        let isSmall = !isOpenEnded && Int64(pending.count) + remaining <= Int64(Self.smallAnswerBytes)
        remaining -= Int64(piece.count)
        guard !(isSmall && !pending.isEmpty) else {
            unsafe pending.append(contentsOf: piece)
            return
        }
        unsafe sendRecords(piece)
        guard !isBroken else { throw WireClosed() }
    }

    /// Ends the request: what is promised and missing stays missing, so that nginx cuts the transfer.
    ///
    /// A request that got no head is answered with 500. The rest of the request's body is read, because closing
    /// before that would make nginx drop our answer.
    mutating func finish() {
        if !isHeadSent { sendBareFailure() }
        if !isEnded && !isBroken {
            closePendingRecord()
            ResponseBytes.appendTail(&pending, request: requestNumber)
            unsafe pending.withUnsafeBytes { bytes in
                unsafe vectors[0] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
                if unsafe !Self.writeAll(connection, vectors, 1) { isBroken = true }
            }
        }
        if !isBroken { drainBody() }
        unsafe FCGX_Free(request, 0)
        unsafe request.pointee.in = nil
        unsafe request.pointee.ipcFd = -1
        close(connection)
        connection = -1
    }

    // MARK: Inside

    private mutating func sendBareFailure() {
        log.error("a request got no answer from the gateway")
        var head = ResponseHead(status: S3Error.Code.internalError.status)
        head.add("Content-Type", "application/xml")
        let document = ErrorDocument.render(S3Error(.internalError), resource: [], requestID: "", hostID: "")
        do throws(WireClosed) { try send(head, body: document) } catch { isBroken = true }
    }

    private mutating func cutShort(_ mistake: String) {
        log.error("\(mistake)")
        remaining = 0
    }

    /// Writes the header in front of what is pending; with nothing pending there is no record.
    private mutating func closePendingRecord() {
        guard !pending.isEmpty else { return }
        let count = pending.count - ResponseBytes.recordHeaderBytes
        ResponseBytes.setRecordHeader(&pending, at: 0, request: requestNumber, count: count)
    }

    /// Sends what is pending and then `piece`, in records; with the last promised byte also the end of the request.
    private mutating func sendRecords(_ piece: UnsafeRawBufferPointer) {
        closePendingRecord()
        var tail: [UInt8] = []
        if remaining == 0 {
            ResponseBytes.appendTail(&tail, request: requestNumber)
            isEnded = true
        }
        let batchBytes = (Self.maximumVectors - 2) / 2 * ResponseBytes.maximumRecordBytes
        var offset = 0
        while offset < piece.count, !isBroken {
            let end = min(offset + batchBytes, piece.count)
            let batch = unsafe UnsafeRawBufferPointer(rebasing: piece[offset..<end])
            unsafe sendBatch(batch, tail: end == piece.count ? tail : [])
            offset = end
        }
    }

    private mutating func sendBatch(_ batch: UnsafeRawBufferPointer, tail: [UInt8]) {
        let recordCount = (batch.count + ResponseBytes.maximumRecordBytes - 1) / ResponseBytes.maximumRecordBytes
        for record in 0..<recordCount {
            let count = min(batch.count - record * ResponseBytes.maximumRecordBytes, ResponseBytes.maximumRecordBytes)
            ResponseBytes.setRecordHeader(
                &recordHeaders, at: record * ResponseBytes.recordHeaderBytes, request: requestNumber, count: count)
        }
        let isWritten = unsafe pending.withUnsafeBytes { front in
            unsafe recordHeaders.withUnsafeBytes { headers in
                unsafe tail.withUnsafeBytes { back in
                    var count = 0
                    unsafe Self.add(front, to: vectors, &count)
                    for record in 0..<recordCount {
                        let header = record * ResponseBytes.recordHeaderBytes
                        unsafe Self.add(
                            UnsafeRawBufferPointer(
                                rebasing: headers[header..<(header + ResponseBytes.recordHeaderBytes)]),
                            to: vectors, &count)
                        let start = record * ResponseBytes.maximumRecordBytes
                        let end = min(start + ResponseBytes.maximumRecordBytes, batch.count)
                        unsafe Self.add(UnsafeRawBufferPointer(rebasing: batch[start..<end]), to: vectors, &count)
                    }
                    unsafe Self.add(back, to: vectors, &count)
                    return unsafe Self.writeAll(connection, vectors, count)
                }
            }
        }
        pending.removeAll(keepingCapacity: true)
        if !isWritten { isBroken = true }
    }

    private static func add(
        _ bytes: UnsafeRawBufferPointer, to vectors: UnsafeMutablePointer<iovec>, _ count: inout Int
    ) {
        guard bytes.count > 0 else { return }
        unsafe vectors[count] = iovec(
            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        count += 1
    }

    /// Writes all vectors; false when the peer is gone or took nothing until the send deadline.
    private static func writeAll(_ descriptor: Int32, _ vectors: UnsafeMutablePointer<iovec>, _ count: Int) -> Bool {
        var first = 0
        while first < count {
            var written = unsafe writev(descriptor, vectors + first, Int32(count - first))
            if written < 0 {
                guard errno == EINTR else { return false }
                continue
            }
            while first < count, unsafe written >= vectors[first].iov_len {
                unsafe written -= vectors[first].iov_len
                first += 1
            }
            if written > 0 {
                unsafe vectors[first].iov_base += written
                unsafe vectors[first].iov_len -= written
            }
        }
        return true
    }

    /// Reads what is left of the request's body, after telling nginx that the answer is complete.
    ///
    /// Without that, nginx and a client that stopped sending would wait for each other and for us.
    private func drainBody() {
        guard let stream = unsafe request.pointee.in, unsafe FCGX_HasSeenEOF(stream) == 0 else { return }
        shutdown(connection, Int32(SHUT_WR))
        unsafe withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 8) { buffer in
            guard let start = buffer.baseAddress else { return }
            let bytes = unsafe start.assumingMemoryBound(to: CChar.self)
            while unsafe FCGX_GetStr(bytes, Int32(buffer.count), stream) == Int32(buffer.count) {}
        }
    }
}
