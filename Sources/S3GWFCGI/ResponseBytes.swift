import Core

/// The bytes of a response head as FastCGI carries them, and the records around them.
enum ResponseBytes {
    /// FastCGI Specification 1.0, section 3.3 and appendix: `FCGI_STDOUT`, `FCGI_END_REQUEST`.
    private static let version: UInt8 = 1
    private static let endRequest: UInt8 = 3
    private static let standardOutput: UInt8 = 6

    static let recordHeaderBytes = 8
    /// The largest content of a record that is a multiple of 8, so that no record needs padding.
    static let maximumRecordBytes = 65_528

    /// Writes the header of an `FCGI_STDOUT` record with `count` content bytes at `offset`.
    static func setRecordHeader(_ bytes: inout [UInt8], at offset: Int, request: UInt16, count: Int) {
        bytes[offset] = version
        bytes[offset + 1] = standardOutput
        bytes[offset + 2] = UInt8(request >> 8)
        bytes[offset + 3] = UInt8(truncatingIfNeeded: request)
        bytes[offset + 4] = UInt8(count >> 8)
        bytes[offset + 5] = UInt8(truncatingIfNeeded: count)
        bytes[offset + 6] = 0
        bytes[offset + 7] = 0
    }

    /// Appends an empty `FCGI_STDOUT` record and an `FCGI_END_REQUEST` record.
    static func appendTail(_ bytes: inout [UInt8], request: UInt16) {
        let high = UInt8(request >> 8)
        let low = UInt8(truncatingIfNeeded: request)
        bytes.append(contentsOf: [version, standardOutput, high, low, 0, 0, 0, 0])
        bytes.append(contentsOf: [version, endRequest, high, low, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    /// Appends `Status`, the headers and the empty line.
    static func append(_ head: ResponseHead, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "Status: ".utf8)
        bytes.append(contentsOf: String(head.status).utf8)
        bytes.append(0x20)
        bytes.append(contentsOf: reason(head.status).utf8)
        newLine(&bytes)
        for header in head.headers where isToken(header.name) {
            bytes.append(contentsOf: header.name.utf8)
            bytes.append(UInt8(ascii: ":"))
            bytes.append(0x20)
            bytes.append(contentsOf: header.value)
            newLine(&bytes)
        }
        if head.isOpenEnded {
            // nginx sends each record on at once, and does not tell the client (s3gw-server.conf does not ignore it).
            bytes.append(contentsOf: "X-Accel-Buffering: no".utf8)
            newLine(&bytes)
        } else if let length = head.contentLength, hasBody(head.status) {
            bytes.append(contentsOf: "Content-Length: ".utf8)
            bytes.append(contentsOf: String(length).utf8)
            newLine(&bytes)
        }
        newLine(&bytes)
    }

    /// Whether answers of this status have a body and a length (RFC 9110 15.3.5, 15.4.5).
    static func hasBody(_ status: Int) -> Bool { status != 204 && status != 304 }

    private static func newLine(_ bytes: inout [UInt8]) {
        bytes.append(0x0D)
        bytes.append(0x0A)
    }

    /// Whether `name` can be a header name; names may come from what a client stored.
    private static func isToken(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 416: "Requested Range Not Satisfiable"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        default: "Status"
        }
    }
}
