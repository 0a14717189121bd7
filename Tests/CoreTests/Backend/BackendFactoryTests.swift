import Core
import Testing

@Suite struct BackendFactoryTests {
    private func endpoint(_ text: String) -> String? {
        do {
            let endpoint = try StoreEndpoint(parsing: text)
            return "\(endpoint.isHTTPS ? "tls" : "plain") \(endpoint.host) \(endpoint.port.map(String.init) ?? "-")"
        } catch { return nil }
    }

    @Test(arguments: [
        ("https://s3.example.com", "tls s3.example.com -"), ("https://S3.Example.com:443/", "tls s3.example.com -"),
        ("https://s3.example.com:9000", "tls s3.example.com 9000"), ("http://127.0.0.1:80", "plain 127.0.0.1 -"),
        ("http://localhost:9000", "plain localhost 9000"), ("http://[::1]:9000", "plain [::1] 9000"),
        ("http+insecure://minio.lan:9000", "plain minio.lan 9000"), ("http://s3.localhost", "plain s3.localhost -"),
        ("https://my_store:9000", "tls my_store 9000"),
    ]) func `an endpoint is a scheme, a host and a port`(text: String, expected: String) {
        #expect(endpoint(text) == expected)
    }

    @Test(arguments: [
        "http://minio.lan:9000", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://127.1", "http://2130706433",
        "ftp://a", "s3.example.com", "https://", "https://user@host", "https://a/b", "https://a?b", "https://a#b",
        "https://a:0", "https://a:99999", "https://a:+1", "https://a\r\nb", "https://.a", "https://[::1", "https://a b",
    ]) func `anything else is refused`(text: String) { #expect(endpoint(text) == nil) }

    @Test func `a record becomes its kind of store`() throws {
        let file = BackendScenario.record(.file, endpoint: "/srv/data")
        #expect(try BackendFactory.make(file, secret: nil) is FileBackend)
        let s3 = BackendScenario.record(.s3, endpoint: "https://a", accessKeyID: "AKIAEXAMPLE")
        #expect(try BackendFactory.make(s3, secret: [0x61]) is S3Backend)
        #expect(throws: S3Error.self) { try BackendFactory.make(s3, secret: nil) }
        let plain = BackendScenario.record(.s3, endpoint: "http://a", accessKeyID: "AKIAEXAMPLE")
        #expect(throws: S3Error.self) { try BackendFactory.make(plain, secret: [0x61]) }
    }
}
