import Core
import Glibc

/// The FastCGI parameters of one request, sorted into what they are.
///
/// Headers come from `HTTP_*`; `CONTENT_TYPE` and `CONTENT_LENGTH` stand in for theirs when nginx did not send them as
/// headers too. `REQUEST_URI` is raw. What is not named here is ignored (`HTTP_PROXY` is only a header).
struct RequestParameters {
    private(set) var method = HTTPMethod.other("")
    /// `REQUEST_URI` without a fragment: nginx passes `#` and what follows on as it came.
    private(set) var rawTarget: [UInt8] = []
    private(set) var headers = HeaderFields()
    private(set) var isHTTPS = false
    private(set) var remoteAddress = ""
    /// The name of nginx's spool file; empty without one.
    private(set) var bodyFile = ""
    /// The parameters for `SiteParameters`, each with a NUL behind it.
    private(set) var siteParameters: [UInt8] = []
    /// The first thing that made the request unacceptable while its parameters were read.
    private(set) var error: S3Error?

    /// nginx's `$host`: of the request line when that has one, lower case, without port.
    private var virtualHost: [UInt8] = []
    private var contentLengthText: [UInt8] = []
    private var contentType: [UInt8] = []

    init() {}

    /// Adds `NAME=value`.
    mutating func add(_ entry: UnsafeRawBufferPointer) {
        guard let equals = unsafe entry.firstIndex(of: UInt8(ascii: "=")) else { return }
        let name = unsafe UnsafeRawBufferPointer(rebasing: entry[..<equals])
        let value = unsafe UnsafeRawBufferPointer(rebasing: entry[(equals + 1)...])
        if unsafe Self.begins(name, "HTTP_") {
            unsafe addHeader(name, value)
        } else if unsafe Self.begins(name, "S3GW_") {
            unsafe addOwn(name, value, entry)
        } else {
            unsafe addRequestLine(name, value)
        }
    }

    private mutating func addHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        let letters = unsafe name.dropFirst("HTTP_".utf8.count).map { byte in
            byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : SiteParameters.lowerCased(byte)
        }
        unsafe addField(String(decoding: letters, as: UTF8.self), Array(value))
    }

    private mutating func addField(_ name: String, _ value: [UInt8]) {
        do throws(S3Error) { try headers.add(name, value) } catch { self.error = self.error ?? error }
    }

    private mutating func addOwn(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ entry: UnsafeRawBufferPointer
    ) {
        if unsafe Self.equals(name, "S3GW_BODY_FILE") {
            unsafe bodyFile = String(decoding: value, as: UTF8.self)
        } else if unsafe Self.equals(name, "S3GW_HOST") {
            unsafe virtualHost = Array(value)
        } else {
            unsafe siteParameters.append(contentsOf: entry)
            siteParameters.append(0)
        }
    }

    private mutating func addRequestLine(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if unsafe Self.equals(name, "REQUEST_METHOD") {
            unsafe method = HTTPMethod(String(decoding: value, as: UTF8.self))
        } else if unsafe Self.equals(name, "REQUEST_URI") {
            unsafe rawTarget = Array(value.prefix { $0 != UInt8(ascii: "#") })
        } else if unsafe Self.equals(name, "HTTPS") {
            unsafe isHTTPS = Self.equals(value, "on")
        } else if unsafe Self.equals(name, "REMOTE_ADDR") {
            unsafe remoteAddress = String(decoding: value, as: UTF8.self)
        } else if unsafe Self.equals(name, "CONTENT_LENGTH") {
            unsafe contentLengthText = Array(value)
        } else if unsafe Self.equals(name, "CONTENT_TYPE") {
            unsafe contentType = Array(value)
        }
    }

    /// Gives the headers what only the CGI variables say; called once all parameters are in.
    mutating func complete() {
        if !contentType.isEmpty, headers["content-type"] == nil { addField("content-type", contentType) }
    }

    /// The body's length by CONTENT_LENGTH; nil when it is unknown.
    ///
    /// Throws `InvalidArgument` when it is no number.
    func contentLength() throws(S3Error) -> Int64? {
        guard !contentLengthText.isEmpty else { return nil }
        guard let length = DecimalNumber.parse(contentLengthText) else {
            throw S3Error(.invalidArgument, "The Content-Length is not a number.")
        }
        return Int64(length)
    }

    /// Throws `InvalidRequest` when the request line names another host than the Host header: nginx chose the site by
    /// the one, and the signature covers the other.
    func requireOneHost() throws(S3Error) {
        guard !virtualHost.isEmpty, let header = headers["host"], !header.isEmpty else { return }
        guard Self.hostName(header) == virtualHost else {
            throw S3Error(.invalidRequest, "The request line and the Host header name different hosts.")
        }
    }

    /// Returns a Host header as nginx makes `$host` of it: without port and final dot, in lower case.
    private static func hostName(_ header: [UInt8]) -> [UInt8] {
        var name = header[...]
        if name.first == UInt8(ascii: "[") {
            let bracket = name.firstIndex(of: UInt8(ascii: "]")) ?? name.index(before: name.endIndex)
            name = name[...bracket]
        } else if let colon = name.firstIndex(of: UInt8(ascii: ":")) {
            name = name[..<colon]
        }
        if name.last == UInt8(ascii: ".") { name = name.dropLast() }
        return name.map(SiteParameters.lowerCased)
    }

    private static func begins(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count >= text.utf8CodeUnitCount, let start = bytes.baseAddress else { return false }
        return unsafe memcmp(start, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    private static func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        unsafe bytes.count == text.utf8CodeUnitCount && begins(bytes, text)
    }
}
