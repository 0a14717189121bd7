/// The XML body of a refusal.
///
/// Source: Amazon S3 API Reference, "REST error responses".
package enum ErrorDocument {
    /// Returns the document for `error`; `resource` is the raw request path, as it arrived.
    package static func render(_ error: S3Error, resource: [UInt8], requestID: String, hostID: String) -> [UInt8] {
        var xml = XMLWriter()
        xml.open("Error")
        xml.element("Code", error.code.name)
        xml.element("Message", error.message)
        for detail in error.details { xml.element(detail.name, detail.value) }
        xml.element("Resource", resource)
        xml.element("RequestId", requestID)
        xml.element("HostId", hostID)
        xml.close("Error")
        return xml.bytes
    }
}
