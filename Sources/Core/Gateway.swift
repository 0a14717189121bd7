/// The gateway of one process, shared by its request threads.
package final class Gateway: Sendable {
    package init() {}

    /// Answers one request; the body of this function is the map of `Sources/Core`.
    package func serve(_ request: HTTPRequest, on wire: inout some Wire & ~Copyable) {
        refuse(S3Error(.notImplemented), request, &wire)
    }

    private func refuse(_ error: S3Error, _ request: HTTPRequest, _ wire: inout some Wire & ~Copyable) {
        refuse(error, rawPath: request.target.rawPath, id: request.id, on: &wire)
    }

    /// Answers a request that could not even be read, so that it has no `HTTPRequest`.
    package func refuse(_ error: S3Error, rawPath: [UInt8], id: RequestID, on wire: inout some Wire & ~Copyable) {
        let document = ErrorDocument.render(
            error, resource: rawPath, requestID: id.description, hostID: id.description)
        var head = ResponseHead(status: error.code.status)
        head.add("x-amz-request-id", id.description)
        head.add("Content-Type", "application/xml")
        for header in error.headers { head.add(header.name, header.value) }
        do throws(WireClosed) { try wire.send(head, body: document) } catch { return }
    }
}
