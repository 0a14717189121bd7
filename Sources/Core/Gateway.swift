/// The gateway of one process, shared by its request threads.
package final class Gateway: Sendable {
    package init() {}

    /// Answers one request; the body of this function is the map of `Sources/Core`.
    package func serve(_ request: HTTPRequest, on wire: inout some Wire & ~Copyable) {
        refuse(S3Error(.notImplemented), request, &wire)
    }

    private func refuse(_ error: S3Error, _ request: HTTPRequest, _ wire: inout some Wire & ~Copyable) {
        let document = ErrorDocument.render(
            error, resource: request.target.rawPath, requestID: request.id.description, hostID: request.id.description)
        var head = ResponseHead(status: error.code.status)
        head.add("x-amz-request-id", request.id.description)
        head.add("Content-Type", "application/xml")
        for header in error.headers { head.add(header.name, header.value) }
        do throws(WireClosed) { try wire.send(head, body: document) } catch { return }
    }
}
