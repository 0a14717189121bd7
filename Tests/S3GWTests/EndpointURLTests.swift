import Core
import Testing

@testable import S3GW

@Suite struct EndpointURLTests {
    @Test(arguments: [
        "https://s3.example.net", "https://s3.example.net/", "https://10.1.2.3:9000", "https://[2001:db8::1]:443",
        "http://127.0.0.1:9000", "http://127.9.9.9", "http://localhost:8000", "http://s3.localhost", "http://[::1]:1",
    ])
    func `an address of a store is taken`(url: String) {
        #expect(EndpointURL.problem(url, allowPlainHTTP: false) == nil)
    }

    @Test(arguments: [
        "", "s3.example.net", "ftp://s3.example.net", "HTTPS://s3.example.net", "https://", "https:///", "https://a/b",
        "https://user@host", "https://host?x", "https://host#x", "https://host:", "https://host:0",
        "https://host:65536",
        "https://host:+1", "https://host:9000:1", "https://ho st", "https://host\\", "https://[::1", "https://[::1]x",
        "https://[]", "https://[zz]",
    ])
    func `anything else is refused`(url: String) {
        #expect(EndpointURL.problem(url, allowPlainHTTP: true) != nil)
    }

    @Test(arguments: [
        "http://s3.example.net", "http://10.0.0.1", "http://127.0.0.1.example.net", "http://127.evil",
        "http://localhost.example",
        "http://128.0.0.1", "http://[::2]",
    ])
    func `plain http beyond this machine needs to be asked for`(url: String) {
        #expect(EndpointURL.problem(url, allowPlainHTTP: false)?.contains("--allow-plain-http") == true)
        #expect(EndpointURL.problem(url, allowPlainHTTP: true) == nil)
    }

    @Test func `a slash at the end is dropped`() {
        for url in ["https://a/", "https://a"] {
            #expect(EndpointURL.stored(url, allowPlainHTTP: false) == "https://a")
        }
    }

    @Test func `what is stored says whether plain http was asked for`() {
        #expect(EndpointURL.stored("http://a/", allowPlainHTTP: true) == "http+insecure://a")
        #expect(EndpointURL.stored("http://127.0.0.1:1", allowPlainHTTP: false) == "http://127.0.0.1:1")
        #expect(EndpointURL.problem("http+insecure://a", allowPlainHTTP: false) != nil)
        #expect(EndpointURL.problem("http+insecure://a", allowPlainHTTP: true) != nil)
    }
}
