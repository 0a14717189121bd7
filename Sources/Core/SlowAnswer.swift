/// Answers of operations during which a backend may work for minutes: CompleteMultipartUpload and the copies.
///
/// Clients, and nginx, give a silent connection up. As AWS does, such an answer begins with `200` after a while, then comes
/// white space, and at last the document: the result or an error. What is found wrong before keeps its status.
/// Source: Amazon S3 API Reference, CompleteMultipartUpload and CopyObject.
extension Gateway {
    /// How long the client hears nothing: clients give up after 60 s by default, load balancers after less.
    static let silenceMilliseconds: Int64 = 10_000

    /// Runs `operation` and sends its answer.
    ///
    /// Throws only while nothing has been sent.
    func executeSlowly(
        _ call: Call, on wire: inout some Wire & ~Copyable,
        _ operation: @escaping @Sendable (Call) throws(S3Error) -> Answer
    ) throws(S3Error) {
        var call = call
        let early = EarlyHead()
        call.earlyHead = early
        var body = SlowBody()
        do throws(S3Error) {
            let work = SlowWork { [call] () throws(S3Error) in try operation(call) }
            let answer = try work.run(silenceMilliseconds: Self.silenceMilliseconds) {
                guard let head = early.allowed else { return }
                body.waits(head, on: &wire)
            }
            guard body.hasBegun else { return send(answer, of: call, on: &wire) }
            body.end(with: answer.body, on: &wire)
        } catch {
            guard body.hasBegun else { throw error }
            log(error, rawPath: call.request.target.rawPath, id: call.request.id)
            let document = ErrorDocument.render(
                error, resource: call.request.target.rawPath, requestID: call.request.id.description,
                hostID: call.request.id.hostID)
            body.end(with: document, on: &wire)
        }
    }
}

/// An XML document of which the declaration and white space are sent before the rest is known.
private struct SlowBody {
    private(set) var hasBegun = false
    /// The client left; the work goes on all the same, for it cannot be taken back.
    private var isClosed = false

    mutating func waits(_ head: ResponseHead, on wire: inout some Wire & ~Copyable) {
        guard !isClosed else { return }
        do throws(WireClosed) {
            if !hasBegun {
                hasBegun = true
                var head = head
                head.contentLength = nil
                head.isOpenEnded = true
                try wire.send(head)
                try wire.send(body: XMLWriter.declaration)
            }
            try wire.send(body: [0x20])
        } catch {
            isClosed = true
        }
    }

    mutating func end(with document: [UInt8], on wire: inout some Wire & ~Copyable) {
        guard !isClosed else { return }
        do throws(WireClosed) {
            try wire.send(body: Array(document.dropFirst(XMLWriter.declaration.count)))
        } catch {
            isClosed = true
        }
    }
}
