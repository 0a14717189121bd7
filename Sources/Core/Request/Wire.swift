/// The head of an answer.
///
/// `Content-Length` is written from `contentLength`; every answer with an object in it has one, because nginx would end a
/// broken body cleanly without it.
package struct ResponseHead: Sendable {
    package var status: Int
    package private(set) var headers: [(name: String, value: [UInt8])] = []
    /// Length of the body in bytes; nil for 204 and 304, which have none, and for an open-ended body.
    package var contentLength: Int64?
    /// The body's length is not known: each piece goes to the client at once, and the answer ends with the request.
    package var isOpenEnded = false

    package init(status: Int, contentLength: Int64? = 0) {
        self.status = status
        self.contentLength = contentLength
        headers.reserveCapacity(16)
    }

    /// Adds a header.
    ///
    /// A value with a control byte (below 0x20 except tab, or 0x7F) is percent-encoded at that byte, so that nothing
    /// stored can split a header (SECURITY.md 8).
    package mutating func add(_ name: String, _ value: [UInt8]) {
        guard value.contains(where: Self.isControl) else {
            headers.append((name, value))
            return
        }
        var safe: [UInt8] = []
        for byte in value {
            if Self.isControl(byte) { Hex.appendPercentEncoded(byte, to: &safe) } else { safe.append(byte) }
        }
        headers.append((name, safe))
    }

    package mutating func add(_ name: String, _ value: String) { add(name, Array(value.utf8)) }

    private static func isControl(_ byte: UInt8) -> Bool { (byte < 0x20 && byte != 0x09) || byte == 0x7F }
}

/// The client went away, or the wire broke: nothing more can be said to it.
package struct WireClosed: Error {
    package init() {}
}

/// Where an answer goes: one head, then as many bytes as it promised.
///
/// Two implementations: the FastCGI slot, and memory for tests.
package protocol Wire: ~Copyable {
    /// Sends the head; called once a request.
    mutating func send(_ head: ResponseHead) throws(WireClosed)

    /// Called before work that may take long: waiting for a store or for the disk, or a large answer.
    mutating func willTakeLong()

    /// Sends a piece of the body. The memory is only borrowed for the call.
    mutating func send(body piece: UnsafeRawBufferPointer) throws(WireClosed)
}

extension Wire where Self: ~Copyable {
    package mutating func willTakeLong() {}

    /// Sends a whole answer whose body stands in memory; `contentLength` is set from it.
    package mutating func send(_ head: ResponseHead, body: [UInt8]) throws(WireClosed) {
        var head = head
        head.contentLength = Int64(body.count)
        try send(head)
        try send(body: body)
    }

    package mutating func send(body: [UInt8]) throws(WireClosed) {
        guard !body.isEmpty else { return }
        var failure: WireClosed?
        unsafe body.withUnsafeBytes { piece in
            do throws(WireClosed) { try unsafe send(body: piece) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
