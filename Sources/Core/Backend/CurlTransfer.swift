private import CCurl
private import Glibc
private import Synchronization

/// Why no complete answer came.
struct TransferFailure: Error, Equatable {
    enum Reason: Equatable {
        /// Refused, timed out, TLS, or the connection died before the head.
        case unreachable
        /// The connection died, or stalled, after a head that was accepted.
        case cut
        /// A closure of the exchange stopped it.
        case stopped
        /// The store broke the protocol.
        case hostile
    }

    let reason: Reason
    let text: String
    /// A deadline ended it.
    var isHang = false
}

/// HTTP/1.1 to one store over libcurl, with connections that are kept for the next request.
///
/// Many threads use one client: each transfer leases a handle, and a handle keeps its connection. No proxy, no redirect, no
/// cookie, no configuration file and no environment variable has a say; TLS is verified, always.
final class CurlClient: Sendable {
    private let caFile: String?
    private let isHTTPS: Bool
    let deadlines: TransferDeadlines
    private let idle = Mutex<[CurlHandle]>([])

    /// Handles, and so connections, kept when nobody uses them.
    private static let maximumIdleHandles = 64

    /// `caFile`: PEM certificates that verify the store's; nil for the system's.
    init(isHTTPS: Bool, caFile: String?, deadlines: TransferDeadlines) {
        self.isHTTPS = isHTTPS
        self.caFile = caFile
        self.deadlines = deadlines
    }

    func exchange() -> TransferExchange { TransferExchange(deadlines: deadlines, now: MonotonicClock.milliseconds) }

    /// For a call in which nothing may move for as long as the store works.
    func patientExchange() -> TransferExchange {
        var patient = deadlines
        patient.stallMilliseconds = deadlines.longCallMilliseconds
        patient.answerMilliseconds = deadlines.longCallMilliseconds
        return TransferExchange(deadlines: patient, now: MonotonicClock.milliseconds)
    }

    /// Sends `request` and returns the head of the answer, whatever its status, after the whole body came.
    ///
    /// A kept connection that the store closed meanwhile is replaced by a new one, once, when nothing came back: for a
    /// PUT or POST too, because every one of ours speaks of a key of its own, whose state tells what came of it.
    func perform(_ request: TransferRequest, _ exchange: TransferExchange) throws(TransferFailure) -> TransferHead {
        let handle = try lease()
        defer { giveBack(handle) }
        do throws(TransferFailure) {
            return try handle.perform(request, exchange, settings, isRetry: false)
        } catch {
            guard error.reason == .unreachable, exchange.stop == nil, !exchange.hasAnswer,
                handle.usedKeptConnection
            else { throw error }
            return try handle.perform(request, exchange, settings, isRetry: true)
        }
    }

    private var settings: CurlSettings { CurlSettings(isHTTPS: isHTTPS, caFile: caFile, deadlines: deadlines) }

    private func lease() throws(TransferFailure) -> CurlHandle {
        if let handle = idle.withLock({ $0.popLast() }) { return handle }
        return try CurlHandle()
    }

    private func giveBack(_ handle: CurlHandle) {
        idle.withLock { if $0.count < Self.maximumIdleHandles { $0.append(handle) } }
    }
}

private struct CurlSettings {
    let isHTTPS: Bool
    let caFile: String?
    let deadlines: TransferDeadlines
}

/// One easy handle and the connection it keeps.
///
/// Sendable although it is mutable, because it is leased to one thread at a time, and libcurl allows a handle to move
/// between threads that do not use it at once (libcurl-thread(3)).
@safe private final class CurlHandle: @unchecked Sendable {
    private let handle: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private(set) var usedKeptConnection = false
    /// What the callbacks of the transfer that runs speak to.
    fileprivate private(set) var exchange: TransferExchange?
    /// True while the options are those of a GET: most transfers are one after another.
    private var isSetForGET = false

    /// Only the pages that an answer fills are touched; with 64 KiB a large object costs 40 % more CPU.
    private static let receiveBufferBytes = 256 << 10
    private static let largeBodyBytes: Int64 = 64 << 10
    private static let largeSendBufferBytes = 512 << 10
    private static let smallSendBufferBytes = 16 << 10

    /// libcurl's own state, made once; with NOSIGNAL it leaves SIGPIPE alone, which OpenSSL's writes can raise.
    private static let isReady: Bool = {
        signal(SIGPIPE, SIG_IGN)
        return curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
    }()

    init() throws(TransferFailure) {
        guard Self.isReady, let handle = unsafe curl_easy_init() else {
            throw TransferFailure(reason: .unreachable, text: "libcurl has no memory")
        }
        unsafe self.handle = handle
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe errorText.deallocate()
    }

    func perform(
        _ request: TransferRequest, _ exchange: TransferExchange, _ settings: CurlSettings, isRetry: Bool
    ) throws(TransferFailure) -> TransferHead {
        usedKeptConnection = false
        guard exchange.begin(isRetry: isRetry) else {
            throw TransferFailure(reason: .stopped, text: "the body cannot be sent again")
        }
        var headers = CurlHeaderList()
        for header in request.headers { headers.append(header.name, header.value) }
        // An empty value takes away what libcurl would add; Expect costs a round trip or a second.
        headers.append("Accept:")
        if request.method == .put || request.method == .post {
            headers.append("Expect:")
            if !request.headers.contains(where: { $0.name == "Content-Type" }) { headers.append("Content-Type:") }
        }
        guard headers.isComplete, prepare(request, settings), set(request, headers, isRetry: isRetry) else {
            isSetForGET = false
            throw TransferFailure(reason: .unreachable, text: "libcurl refused an option")
        }
        unsafe errorText.pointee = 0
        self.exchange = exchange
        defer { self.exchange = nil }
        let code = withExtendedLifetime(headers) { unsafe curl_easy_perform(handle) }
        var connects = 0
        usedKeptConnection =
            unsafe s3gw_curl_get_long(handle, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects == 0
        return try outcome(code, exchange)
    }

    // MARK: Options

    /// Sets what belongs to the store and the method.
    private func prepare(_ request: TransferRequest, _ settings: CurlSettings) -> Bool {
        if isSetForGET && request.method == .get { return true }
        // Forgets all options, and keeps the connection.
        unsafe curl_easy_reset(handle)
        isSetForGET = request.method == .get
        let scheme = settings.isHTTPS ? "https" : "http"
        let isLarge = request.bodySizeBytes > Self.largeBodyBytes
        let isDone =
            set(CURLOPT_PROTOCOLS_STR, scheme) && set(CURLOPT_NOSIGNAL, 1)
            && set(CURLOPT_PATH_AS_IS, 1) && set(CURLOPT_PROXY, "") && set(CURLOPT_NOPROXY, "*")
            && set(CURLOPT_FOLLOWLOCATION, 0) && set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
            && set(CURLOPT_TCP_NODELAY, 1) && set(CURLOPT_MAXCONNECTS, 1)
            && set(CURLOPT_CONNECTTIMEOUT_MS, settings.deadlines.connectMilliseconds)
            && set(CURLOPT_SSL_VERIFYPEER, 1) && set(CURLOPT_SSL_VERIFYHOST, 2)
            && set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
            && set(CURLOPT_BUFFERSIZE, Self.receiveBufferBytes)
            && set(CURLOPT_UPLOAD_BUFFERSIZE, isLarge ? Self.largeSendBufferBytes : Self.smallSendBufferBytes)
            && setErrorBuffer() && setCallbacks()
        guard isDone, settings.caFile.map({ set(CURLOPT_CAINFO, $0) }) ?? true else { return false }
        switch request.method {
        case .get: return set(CURLOPT_HTTPGET, 1)
        case .head: return set(CURLOPT_NOBODY, 1)
        case .delete: return set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        case .put, .post:
            let size = curl_off_t(request.bodySizeBytes)
            guard unsafe s3gw_curl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, size) == CURLE_OK else { return false }
            return set(CURLOPT_UPLOAD, 1) && set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        }
    }

    /// Sets what belongs to this one request.
    private func set(_ request: TransferRequest, _ headers: borrowing CurlHeaderList, isRetry: Bool) -> Bool {
        set(CURLOPT_URL, request.origin + request.target) && set(CURLOPT_TIMEOUT_MS, request.totalMilliseconds)
            && set(CURLOPT_FRESH_CONNECT, isRetry ? 1 : 0) && set(headers)
    }

    private func set(_ option: CURLoption, _ value: Int) -> Bool {
        unsafe s3gw_curl_set_long(handle, option, value) == CURLE_OK
    }

    private func set(_ option: CURLoption, _ value: String) -> Bool {
        unsafe s3gw_curl_set_text(handle, option, value) == CURLE_OK
    }

    private func set(_ headers: borrowing CurlHeaderList) -> Bool {
        unsafe s3gw_curl_set_list(handle, CURLOPT_HTTPHEADER, headers.start) == CURLE_OK
    }

    private func setErrorBuffer() -> Bool {
        unsafe s3gw_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText) == CURLE_OK
    }

    // MARK: Callbacks

    /// Each callback makes one hop to this handle, which outlives every `curl_easy_perform` of its own.
    private func setCallbacks() -> Bool {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        for option in [
            CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA, CURLOPT_XFERINFODATA,
        ] {
            guard unsafe s3gw_curl_set_pointer(handle, option, context) == CURLE_OK else { return false }
        }
        let codes = unsafe [
            s3gw_curl_set_data_callback(handle, CURLOPT_HEADERFUNCTION, receiveHeader),
            s3gw_curl_set_data_callback(handle, CURLOPT_WRITEFUNCTION, receiveBody),
            s3gw_curl_set_data_callback(handle, CURLOPT_READFUNCTION, sendBody),
            s3gw_curl_set_seek_callback(handle, seekBody), s3gw_curl_set_progress_callback(handle, watch),
        ]
        return codes.allSatisfy { $0 == CURLE_OK } && set(CURLOPT_NOPROGRESS, 0)
    }

    // MARK: Outcome

    private func outcome(_ code: CURLcode, _ exchange: TransferExchange) throws(TransferFailure) -> TransferHead {
        let hasHead = exchange.hasAcceptedHead
        switch exchange.stop {
        case .caller: throw TransferFailure(reason: .stopped, text: "stopped")
        case .hostile(let text): throw TransferFailure(reason: .hostile, text: text)
        case .stalled:
            throw TransferFailure(
                reason: hasHead ? .cut : .unreachable, text: "the store stopped answering in time", isHang: true)
        case nil: break
        }
        guard code != CURLE_OK else {
            guard let head = exchange.head, !head.isInterim else {
                throw TransferFailure(reason: .hostile, text: "the answer has no head")
            }
            return head
        }
        throw TransferFailure(
            reason: hasHead ? .cut : .unreachable, text: text(of: code), isHang: code == CURLE_OPERATION_TIMEDOUT)
    }

    /// What libcurl says, as one line of ASCII: parts of it may come from the store.
    private func text(of code: CURLcode) -> String {
        var bytes: [UInt8] = []
        for index in 0..<Int(CURL_ERROR_SIZE) {
            let byte = unsafe UInt8(bitPattern: errorText[index])
            if byte == 0 { break }
            bytes.append((0x20...0x7E).contains(byte) ? byte : UInt8(ascii: "?"))
        }
        guard bytes.isEmpty else { return "curl \(code.rawValue): \(String(decoding: bytes, as: UTF8.self))" }
        return unsafe "curl \(code.rawValue): \(String(cString: curl_easy_strerror(code)))"
    }
}

/// A list of header lines, freed once.
@safe private struct CurlHeaderList: ~Copyable {
    private(set) var start: UnsafeMutablePointer<curl_slist>?
    /// False when memory ran out on the way.
    private(set) var isComplete = true

    init() { unsafe start = nil }
    deinit { unsafe curl_slist_free_all(start) }

    mutating func append(_ name: String, _ value: String) {
        var line = name
        line.reserveCapacity(name.utf8.count + value.utf8.count + 3)
        line += ": "
        line += value
        append(line)
    }

    mutating func append(_ line: String) {
        guard let longer = unsafe curl_slist_append(start, line) else {
            isComplete = false
            return
        }
        unsafe start = longer
    }
}

private func exchange(_ context: UnsafeMutableRawPointer?) -> TransferExchange? {
    guard let context = unsafe context else { return nil }
    return unsafe Unmanaged<CurlHandle>.fromOpaque(context).takeUnretainedValue().exchange
}

private func receiveHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let exchange = unsafe exchange(context) else { return 0 }
    let line = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
    return unsafe exchange.receive(headerLine: line) ? line.count : -1
}

private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let exchange = unsafe exchange(context) else { return 0 }
    let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
    return unsafe exchange.receive(body: piece) ? piece.count : -1
}

private func sendBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let exchange = unsafe exchange(context) else { return Int(CURL_READFUNC_ABORT) }
    let buffer = unsafe UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
    return unsafe exchange.send(into: buffer) ?? Int(CURL_READFUNC_ABORT)
}

private func seekBody(_ context: UnsafeMutableRawPointer?, _ offset: curl_off_t, _ origin: Int32) -> Int32 {
    guard let exchange = unsafe exchange(context), offset == 0, origin == SEEK_SET, exchange.rewindBody() else {
        return CURL_SEEKFUNC_FAIL
    }
    return CURL_SEEKFUNC_OK
}

private func watch(
    _ context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> Int32 {
    guard let exchange = unsafe exchange(context) else { return 1 }
    return exchange.isMoving() ? 0 : 1
}
